//! Findings that somebody answered for: named, with a reason, and for a time.
//!
//! A file of waivers has one JSON object a line and only grows; the last word on a finding counts.

use crate::finding_id::FindingId;
use agentprov_model::EventTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Lines of a file of waivers.
const MAX_LINES: usize = 100_000;

/// What was decided on a finding.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WaiverAction {
    /// It is right, and the risk is taken for a time.
    Waive,
    /// It is wrong.
    Suppress,
    /// What was decided before does not hold any more.
    Reopen,
}

/// A decision on a finding.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// The finding.
    pub finding: FindingId,
    /// What was decided.
    pub action: WaiverAction,
    /// Why.
    pub reason: String,
    /// Who decided.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
    /// The last day on which it holds, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// A decision that can't be taken.
#[derive(Debug, thiserror::Error)]
pub enum WaiverError {
    /// A line is not of that form.
    #[error("line {line}: {error}")]
    Form {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// A value is missing or wrong.
    #[error("line {line}: {what}")]
    Value {
        /// Counted from 1; 0 for a decision that is not in a file yet.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
}

impl Waiver {
    /// What is missing or wrong, if anything.
    pub fn mistake(&self) -> Option<&'static str> {
        if self.reason.trim().is_empty() {
            return Some("a reason is needed");
        }
        if self.by.trim().is_empty() {
            return Some("the name of whoever answers for it is needed");
        }
        match (&self.until, self.action) {
            (None, WaiverAction::Waive) => Some("a waiver needs a last day: a risk is not taken for ever"),
            (Some(until), _) if !is_date(until) => Some("the last day is written YYYY-MM-DD"),
            _ => None,
        }
    }
}

/// Whether a text is a day as `YYYY-MM-DD`.
pub fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else { return false };
    let number = |part: &str, len: usize| {
        (part.len() == len && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse::<u32>().unwrap_or(0))
    };
    let (Some(year), Some(month), Some(day)) = (number(year, 4), number(month, 2), number(day, 2)) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// The decisions that hold at a time.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Waivers {
    active: BTreeMap<FindingId, Waiver>,
    /// Those that held once.
    expired: Vec<Waiver>,
}

impl Waivers {
    /// From the text of a file.
    ///
    /// # Errors
    /// The first line that is wrong: a decision that is not understood must not be passed over.
    pub fn parse(text: &str) -> Result<Vec<Waiver>, WaiverError> {
        let mut waivers = Vec::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let line_no = index + 1;
            if waivers.len() == MAX_LINES {
                return Err(WaiverError::Value { line: line_no, what: "there are too many lines" });
            }
            let waiver: Waiver =
                serde_json::from_str(line).map_err(|error| WaiverError::Form { line: line_no, error })?;
            if let Some(what) = waiver.mistake() {
                return Err(WaiverError::Value { line: line_no, what });
            }
            waivers.push(waiver);
        }
        Ok(waivers)
    }

    /// Those that hold at that time, later words over earlier ones.
    pub fn active_at(waivers: impl IntoIterator<Item = Waiver>, now: EventTime) -> Self {
        let today = now.to_rfc3339();
        let mut found = Self::default();
        for waiver in waivers {
            found.active.remove(&waiver.finding);
            let over = waiver.until.as_deref().is_some_and(|until| today[..until.len().min(10)] > *until);
            match (waiver.action, over) {
                (WaiverAction::Reopen, _) => {}
                (_, true) => found.expired.push(waiver),
                (_, false) => {
                    found.active.insert(waiver.finding.clone(), waiver);
                }
            }
        }
        found
    }

    /// Whether nothing was ever decided.
    pub fn is_empty(&self) -> bool {
        self.active.is_empty() && self.expired.is_empty()
    }

    /// The decision that holds on a finding.
    pub fn get(&self, finding: &FindingId) -> Option<&Waiver> {
        self.active.get(finding)
    }

    /// The decision on a finding that held until its last day.
    pub fn expired(&self, finding: &FindingId) -> Option<&Waiver> {
        self.expired.iter().rev().find(|waiver| waiver.finding == *finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Fingerprint, RuleId};

    fn waiver(action: WaiverAction, until: Option<&str>) -> Waiver {
        let finding = FindingId::of(&Fingerprint::of(&RuleId::from_static("r"), "a", "x", 0));
        let until = until.map(str::to_owned);
        Waiver { finding, action, reason: "because".into(), by: "jo".into(), at: "2026-01-01".into(), until }
    }

    #[test]
    fn a_waiver_ends_after_its_last_day() {
        let one = waiver(WaiverAction::Waive, Some("2026-03-01"));
        let at = |nanos: i64| Waivers::active_at([one.clone()], EventTime::from_nanos(nanos * 1_000_000_000));
        // 2026-03-01T23:59:59Z and the second after it.
        assert!(at(1_772_409_599).get(&one.finding).is_some());
        assert!(at(1_772_409_600).get(&one.finding).is_none());
        assert!(at(1_772_409_600).expired(&one.finding).is_some());
    }

    #[test]
    fn the_last_word_counts() {
        let now = EventTime::from_nanos(0);
        let words = [waiver(WaiverAction::Suppress, None), waiver(WaiverAction::Reopen, None)];
        assert!(Waivers::active_at(words.clone(), now).get(&words[0].finding).is_none());
        let [first, last] = words;
        assert!(Waivers::active_at([last, first.clone()], now).get(&first.finding).is_some());
    }

    #[test]
    fn decisions_need_a_reason_a_name_and_a_day() {
        assert_eq!(waiver(WaiverAction::Suppress, None).mistake(), None);
        assert!(waiver(WaiverAction::Waive, None).mistake().is_some());
        assert!(waiver(WaiverAction::Waive, Some("2026-02-29")).mistake().is_some());
        assert!(is_date("2028-02-29") && !is_date("2026-13-01") && !is_date("2026-1-01"));
        let line = serde_json::to_string(&waiver(WaiverAction::Waive, Some("2026-02-28"))).unwrap();
        assert_eq!(Waivers::parse(&format!("{line}\n\n")).unwrap().len(), 1);
        let nameless = line.replace("\"jo\"", "\" \"");
        assert!(matches!(Waivers::parse(&format!("{line}\n{nameless}")), Err(WaiverError::Value { line: 2, .. })));
    }
}
