//! What facts say of each other, and how much they cover.

use crate::attempts::{Attempt, AttemptState};
use crate::processes::ProcessTable;
use crate::verify::outcome::{Check, Finding, Outcome, Place};
use agentprov_model::{AttemptNo, Level, ProcessKey};

/// Attempts are numbered without holes and have ends; processes have parents and no circles.
pub(super) fn links_check(
    attempts: &[Attempt],
    processes: &ProcessTable,
    alive: &dyn Fn(&ProcessKey) -> bool,
) -> Check {
    let mut findings = Vec::new();
    for (expected, attempt) in (1..).zip(attempts) {
        if attempt.no != AttemptNo(expected) {
            let message = format!("attempt {} stands where attempt {expected} belongs", attempt.no);
            findings.push(Finding::new(Outcome::BrokenLink, Place::leaf(attempt.started_seq), message));
        }
        let place = Place { name: Some(attempt.started.attempt_id.to_string()), ..Place::leaf(attempt.started_seq) };
        match &attempt.state {
            AttemptState::Ended { .. } => {}
            AttemptState::Interrupted { .. } => {
                let message = format!("attempt {} was interrupted: its recorder died", attempt.no);
                findings.push(Finding::new(Outcome::Interrupted, place, message));
            }
            AttemptState::Open if alive(&attempt.started.recorder) => {
                let message = format!("attempt {} is still being recorded", attempt.no);
                findings.push(Finding::new(Outcome::IncompleteCoverage, place, message));
            }
            AttemptState::Open => {
                let message = format!("attempt {} has no end, and its recorder is dead", attempt.no);
                findings.push(Finding::new(Outcome::Interrupted, place, message));
            }
        }
    }
    if attempts.is_empty() {
        // Without a process it holds what agents and sensors told, and nothing is missing from it.
        let (outcome, message) = match processes.is_empty() {
            true => (Outcome::IncompleteCoverage, "the run was not recorded: it holds what others told"),
            false => (Outcome::BrokenLink, "the run has no attempt"),
        };
        findings.push(Finding::new(outcome, Place::default(), message));
    }
    for process in processes.iter() {
        let place = Place::name(process.id);
        if process.started.parent.is_some_and(|parent| processes.find(&parent).is_none()) {
            let message = format!("{} names a parent that the run does not have", process.id);
            findings.push(Finding::new(Outcome::BrokenLink, place, message));
        } else if processes.lineage(&process.id).len() > processes.len() {
            let message = format!("{} is its own ancestor", process.id);
            findings.push(Finding::new(Outcome::BrokenLink, place, message));
        } else if attempts.iter().all(|attempt| attempt.no != process.attempt) {
            let message = format!("{} belongs to attempt {}, which did not begin", process.id, process.attempt);
            findings.push(Finding::new(Outcome::BrokenLink, place, message));
        }
    }
    let examined = format!("{} attempts and {} processes", attempts.len(), processes.len());
    Check::made("links", findings, examined)
}

/// Classes of which not everything was seen: no failure, but absence can't be claimed of them.
pub(super) fn coverage_check(attempts: &[Attempt]) -> Check {
    let mut findings = Vec::new();
    for attempt in attempts {
        let Some(ended) = attempt.ended() else {
            let message = format!("attempt {} has no end and so no statement of coverage", attempt.no);
            let place = Place::name(&attempt.started.attempt_id);
            findings.push(Finding::new(Outcome::IncompleteCoverage, place, message));
            continue;
        };
        // Classes that lack the same for the same reason are one finding.
        let mut groups: Vec<(&str, &[String], Vec<&str>)> = Vec::new();
        for (class, coverage) in &ended.coverage.classes {
            let level = match coverage.level {
                Level::Complete => continue,
                Level::Partial => "partial",
                Level::None => "none",
            };
            match groups.iter_mut().find(|(known, why, _)| *known == level && *why == coverage.why) {
                Some((_, _, names)) => names.push(class.name()),
                None => groups.push((level, &coverage.why, vec![class.name()])),
            }
        }
        for (level, why, names) in groups {
            let message = format!("attempt {}: {} {level}: {}", attempt.no, names.join(", "), why.join("; "));
            findings.push(Finding::new(Outcome::IncompleteCoverage, Place::name(names.join(",")), message));
        }
    }
    Check::made("coverage", findings, "statements of coverage read")
}
