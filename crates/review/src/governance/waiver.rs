//! Findings that somebody answered for: named, with a reason, and for a time.

use crate::change::RepositoryId;
use crate::finding_id::FindingId;
use serde::{Deserialize, Serialize};

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
pub struct Waiver {
    /// The finding.
    pub finding: FindingId,
    /// Where: the same finding in another repository is another question.
    pub repository: RepositoryId,
    /// What was decided.
    pub action: WaiverAction,
    /// Why.
    pub reason: String,
    /// Who decided.
    pub by: String,
    /// When, RFC 3339 in UTC with nine fraction digits: the order of such texts is that of time.
    pub at: String,
    /// The last day on which it holds, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
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
        if !is_time(&self.at) {
            return Some("its time is written YYYY-MM-DDThh:mm:ss.nnnnnnnnnZ");
        }
        match (&self.until, self.action) {
            (None, WaiverAction::Waive) => Some("a waiver needs a last day: a risk is not taken for ever"),
            (Some(until), _) if !is_date(until) => Some("the last day is written YYYY-MM-DD"),
            _ => None,
        }
    }
}

/// Whether a text is a time in the one spelling whose order is that of time.
fn is_time(text: &str) -> bool {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00.000000000Z";
    let fits = |(byte, shape): (u8, &u8)| if *shape == b'0' { byte.is_ascii_digit() } else { byte == *shape };
    text.len() == SHAPE.len() && text.bytes().zip(SHAPE).all(fits) && text.get(..10).is_some_and(is_date)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Fingerprint, RuleId};

    fn waiver(action: WaiverAction, until: Option<&str>) -> Waiver {
        Waiver {
            finding: FindingId::of(&Fingerprint::of(&RuleId::from_static("r"), "a", "x", 0)),
            repository: RepositoryId::Nowhere,
            action,
            reason: "because".into(),
            by: "jo".into(),
            at: "2026-01-01T00:00:00.000000000Z".into(),
            until: until.map(str::to_owned),
        }
    }

    #[test]
    fn decisions_need_a_reason_a_name_a_time_and_a_day() {
        let good = waiver(WaiverAction::Suppress, None);
        assert_eq!(good.mistake(), None);
        assert!(waiver(WaiverAction::Waive, None).mistake().is_some());
        assert!(waiver(WaiverAction::Waive, Some("2026-02-29")).mistake().is_some());
        assert!(is_date("2028-02-29") && !is_date("2026-13-01") && !is_date("2026-1-01"));
        assert!(Waiver { by: " ".into(), ..good.clone() }.mistake().is_some());
        assert!(Waiver { reason: String::new(), ..good.clone() }.mistake().is_some());
        for at in
            ["2026-01-01", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000000z", "2026-13-01T00:00:00.000000000Z"]
        {
            assert!(Waiver { at: at.into(), ..good.clone() }.mistake().is_some(), "{at}");
        }
    }
}
