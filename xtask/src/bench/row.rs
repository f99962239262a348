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

    /// What the difference to the first rival should stay within.
    fn aim(&self) -> Option<Aim> {
        None
    }

    /// Makes what is needed for the runs. The first contestant is the subject, the others rivals.
    fn prepare(&self, agentprov: &Path) -> Result<Prepared>;
}

pub(crate) enum Prepared {
    Ready(Vec<Box<dyn Contestant>>),
    /// This machine lacks something that the row needs.
    Unavailable(String),
}

/// The median may lie above that of the first rival by this much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Aim {
    pub(crate) above_first_rival: Duration,
}

pub(crate) enum Outcome {
    Measured { aim: Option<Aim>, results: Vec<Measured> },
    Skipped(String),
    Failed(String),
}

/// How far the subject lies above its first rival; `None` without both.
pub(crate) fn above_first_rival(results: &[Measured]) -> Option<Duration> {
    let [subject, rival, ..] = results else {
        return None;
    };
    Some(median(&subject.samples).saturating_sub(median(&rival.samples)))
}
