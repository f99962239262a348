//! How much was seen, over all attempts of a run.

use crate::attempts::Attempt;
use agentprov_model::{ClaimClass, Level};
use serde::Serialize;

/// Coverage of one class; of several attempts the worst.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ClassCoverage {
    /// The class.
    pub class: &'static str,
    /// `complete`, `partial`, `none`, or `unknown` where an attempt does not say.
    pub level: &'static str,
    /// Why it is not complete.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
    /// Observations known to be lost; absent where that was not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
}

/// Coverage class by class, in the order of display.
pub fn coverage(attempts: &[Attempt]) -> Vec<ClassCoverage> {
    ClaimClass::ALL.into_iter().map(|class| of_class(class, attempts)).collect()
}

fn of_class(class: ClaimClass, attempts: &[Attempt]) -> ClassCoverage {
    let mut unknown = attempts.is_empty();
    let mut level = Level::Complete;
    let mut why: Vec<String> = Vec::new();
    let mut lost = Some(0u64);
    for attempt in attempts {
        let Some(ended) = attempt.ended() else {
            unknown = true;
            lost = None;
            push_once(&mut why, &format!("attempt {} has no end", attempt.no));
            continue;
        };
        match ended.coverage.classes.get(&class) {
            Some(coverage) => {
                level = level.min(coverage.level);
                coverage.why.iter().for_each(|reason| push_once(&mut why, reason));
                lost = lost.zip(coverage.lost).map(|(a, b)| a + b);
            }
            // A class that a report does not list was not observed.
            None => {
                level = Level::None;
                lost = None;
                push_once(&mut why, "not observed");
            }
        }
    }
    // A class of which something was lost is not complete, whatever its level was when it was reported.
    if lost.is_some_and(|lost| lost > 0) {
        level = level.min(Level::Partial);
        push_once(&mut why, "some of it was lost");
    }
    let level = match (level, unknown) {
        (Level::None, _) => "none",
        (_, true) => "unknown",
        (Level::Partial, false) => "partial",
        (Level::Complete, false) => "complete",
    };
    ClassCoverage { class: class.name(), level, why, lost: lost.filter(|_| !unknown) }
}

fn push_once(list: &mut Vec<String>, reason: &str) {
    if !list.iter().any(|known| known == reason) {
        list.push(reason.to_owned());
    }
}

/// One clause over all classes: the worst are named first, the complete ones are left unsaid unless all are. Where all
/// are alike, one word names them.
pub fn coverage_clause(classes: &[ClassCoverage]) -> String {
    if let [first, rest @ ..] = classes
        && first.level != "complete"
        && rest.len() > 1
        && rest.iter().all(|class| class.level == first.level)
    {
        return format!("{}: everything", first.level);
    }
    let named = |level: &'static str| {
        let names: Vec<&str> = classes.iter().filter(|class| class.level == level).map(|class| class.class).collect();
        (!names.is_empty()).then(|| format!("{level}: {}", names.join(", ")))
    };
    let parts: Vec<String> = ["none", "unknown", "partial"].into_iter().filter_map(named).collect();
    if parts.is_empty() { "complete".into() } else { parts.join("; ") }
}
