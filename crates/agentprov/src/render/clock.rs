//! Times for people.

use agentprov_model::EventTime;

/// Which zone times are shown in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Clock {
    /// The user's zone, to the millisecond.
    Local,
    /// RFC 3339 in UTC with nine fraction digits, as documents have it.
    Utc,
}

impl Clock {
    /// Date and time, which documents have as text.
    pub(crate) fn show_text(self, rfc3339: &str) -> String {
        self.format_text(rfc3339, "%Y-%m-%d %H:%M:%S%.3f")
    }

    /// Time of day of an instant that a document has as text; whole where the zone is UTC.
    pub(crate) fn time_of_day_text(self, rfc3339: &str) -> String {
        self.format_text(rfc3339, "%H:%M:%S%.3f")
    }

    fn format_text(self, rfc3339: &str, format: &str) -> String {
        let parsed =
            rfc3339.parse::<jiff::Timestamp>().ok().and_then(|instant| i64::try_from(instant.as_nanosecond()).ok());
        let shown = parsed.and_then(|nanos| self.format(EventTime::from_nanos(nanos), format));
        shown.unwrap_or_else(|| rfc3339.to_owned())
    }

    fn format(self, at: EventTime, format: &str) -> Option<String> {
        if self == Self::Utc {
            return None;
        }
        let instant = jiff::Timestamp::from_nanosecond(i128::from(at.as_nanos())).ok()?;
        Some(instant.to_zoned_datetime(jiff::tz::TimeZone::system()).strftime(format).to_string())
    }
}
