//! What a row of the benchmark is.

use std::path::Path;
use std::time::Duration;

use super::contestant::Contestant;
use super::measure::Measured;
use super::statistics::median;
use crate::Result;

/// One question about speed, with the rivals that it is asked against.
pub(crate) trait Row {
    fn name(&self) -> String;

    /// One sentence: what is timed, and against what.
    fn measures(&self) -> String;

    /// What the median should stay within.
    fn aim(&self) -> Option<Aim> {
        None
    }

    /// Takes so long that it runs only where `--filter` asks for rows like it.
    fn only_when_named(&self) -> bool {
        false
    }

    /// Makes what is needed for the runs. The first contestant is the subject, the others rivals.
    fn prepare(&self, agentprov: &Path) -> Result<Prepared>;
}

pub(crate) enum Prepared {
    Ready(Vec<Box<dyn Contestant>>),
    /// This machine lacks something that the row needs.
    Unavailable(String),
}

/// What the subject's median should stay within.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Aim {
    /// At most this much above that of the first rival.
    AboveFirstRival(Duration),
    /// At most so many times that of the rival with this place among the contestants.
    TimesRival { place: usize, times: f64 },
    /// At most this long.
    AtMost(Duration),
}

impl Aim {
    /// The time that the aim allows in these results; `None` where the rival is missing.
    pub(crate) fn allowed(self, results: &[Measured]) -> Option<Duration> {
        let rival = |place: usize| results.get(place).map(|rival| median(&rival.samples));
        match self {
            Self::AboveFirstRival(above) => Some(rival(1)? + above),
            Self::TimesRival { place, times } => Some(rival(place)?.mul_f64(times)),
            Self::AtMost(limit) => Some(limit),
        }
    }

    /// The subject's median and what is allowed.
    pub(crate) fn outcome(self, results: &[Measured]) -> Option<(Duration, Duration)> {
        Some((median(&results.first()?.samples), self.allowed(results)?))
    }
}

pub(crate) enum Outcome {
    Measured { aim: Option<Aim>, results: Vec<Measured> },
    Skipped(String),
    Failed(String),
}
