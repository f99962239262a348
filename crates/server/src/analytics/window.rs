//! The time that a query is about.

use agentprov_model::EventTime;

const NANOS_PER_HOUR: i64 = 3_600_000_000_000;
/// The longest span: ten years and a few days.
const MAX_DAYS: u64 = 3_660;

/// A span of time: digits and one of `h`, `d`, `w`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Span {
    hours: u32,
}

impl Span {
    /// Seven days.
    pub const WEEK: Self = Self { hours: 7 * 24 };

    /// From text such as `7d`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let form = || format!("'{text}' is no time window; write digits and one of h, d, w, such as 7d");
        let unit = text.chars().next_back().ok_or_else(form)?;
        let digits = text.strip_suffix(unit).unwrap_or_default();
        let hours = match unit {
            'h' => 1,
            'd' => 24,
            'w' => 7 * 24,
            _ => return Err(form()),
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(form());
        }
        let most = MAX_DAYS * 24;
        let count: u64 = digits.parse().unwrap_or(u64::MAX);
        match count.checked_mul(hours).filter(|hours| *hours <= most).and_then(|hours| u32::try_from(hours).ok()) {
            Some(hours) => Ok(Self { hours }),
            None => Err(format!("'{text}' is longer than {MAX_DAYS} days")),
        }
    }

    /// The window that ends now. Its upper end is open: what other clocks put ahead of ours counts too.
    pub fn before(self, now: EventTime) -> Window {
        let start = now.as_nanos().saturating_sub(i64::from(self.hours) * NANOS_PER_HOUR);
        Window { since: EventTime::from_nanos(start), now, empty: self.hours == 0 }
    }
}

/// From a time on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// Its start.
    pub since: EventTime,
    /// When it was asked for.
    pub now: EventTime,
    /// It has no length.
    pub empty: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_digits_and_a_unit() {
        assert_eq!(Span::parse("7d"), Ok(Span::WEEK));
        assert_eq!(Span::parse("168h"), Ok(Span::WEEK));
        assert_eq!(Span::parse("1w"), Ok(Span::WEEK));
        assert!(Span::parse("0d").unwrap().before(EventTime::from_nanos(5)).empty);
        for bad in ["", "d", "7", "7m", "-7d", "+7d", " 7d", "7d ", "3661d", "99999999999999999999d", "7\u{e9}", "٧d"]
        {
            assert!(Span::parse(bad).is_err(), "{bad}");
        }
    }
}
