//! Runs the contestants of a row in turns, so that what disturbs the machine disturbs them alike.

use std::time::Duration;

use super::contestant::{Contestant, Evidence};
use crate::Result;

#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) samples: Vec<Duration>,
    /// Of the last run; every run was checked.
    pub(crate) evidence: Evidence,
}

/// One run each that does not count (caches fill), then `runs` rounds of every contestant in turn.
pub(crate) fn interleave(mut contestants: Vec<Box<dyn Contestant>>, runs: usize) -> Result<Vec<Measured>> {
    let mut results: Vec<Measured> = contestants
        .iter()
        .map(|contestant| Measured {
            name: contestant.name(),
            samples: Vec::with_capacity(runs),
            evidence: Evidence::default(),
        })
        .collect();
    for round in 0..=runs {
        for (contestant, result) in contestants.iter_mut().zip(&mut results) {
            let name = &result.name;
            contestant.reset().map_err(|reason| format!("{name}: reset: {reason}"))?;
            let took = contestant.run().map_err(|reason| format!("{name}: {reason}"))?;
            result.evidence =
                contestant.assert_captured().map_err(|reason| format!("{name}: the work was not done: {reason}"))?;
            if round > 0 {
                result.samples.push(took);
            }
        }
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    type Calls = Rc<RefCell<Vec<String>>>;

    struct Scripted {
        name: &'static str,
        calls: Calls,
        runs: u64,
        fails_at: Option<u64>,
    }

    impl Contestant for Scripted {
        fn name(&self) -> String {
            self.name.to_owned()
        }

        fn reset(&mut self) -> Result<()> {
            Ok(())
        }

        fn run(&mut self) -> Result<Duration> {
            self.calls.borrow_mut().push(self.name.to_owned());
            self.runs += 1;
            Ok(Duration::from_secs(self.runs))
        }

        fn assert_captured(&mut self) -> Result<Evidence> {
            match self.fails_at {
                Some(run) if run == self.runs => Err("3 of 5 processes".to_owned()),
                _ => Ok(Evidence { done: format!("run {}", self.runs), stored_bytes: None }),
            }
        }
    }

    fn pair(fails_at: Option<u64>) -> (Calls, Vec<Box<dyn Contestant>>) {
        let calls = Rc::new(RefCell::new(Vec::new()));
        let one = |name, fails_at| -> Box<dyn Contestant> {
            Box::new(Scripted { name, calls: Rc::clone(&calls), runs: 0, fails_at })
        };
        let contestants = vec![one("subject", fails_at), one("rival", None)];
        (calls, contestants)
    }

    #[test]
    fn contestants_take_turns_and_the_first_round_does_not_count() {
        let (calls, contestants) = pair(None);
        let results = interleave(contestants, 2).unwrap();
        let order = ["subject", "rival", "subject", "rival", "subject", "rival"];
        assert_eq!(*calls.borrow(), order);
        let seconds: Vec<u64> = results[0].samples.iter().map(Duration::as_secs).collect();
        assert_eq!(seconds, [2, 3]);
        assert_eq!(results[1].evidence.done, "run 3");
    }

    #[test]
    fn work_that_was_not_done_ends_the_row() {
        let (_, contestants) = pair(Some(2));
        let reason = interleave(contestants, 5).unwrap_err();
        assert_eq!(reason, "subject: the work was not done: 3 of 5 processes");
    }
}
