//! Windows of time in which telemetry is counted as it is appended.

use crate::ids::{SessionId, ToolCallId};
use crate::telemetry::{ResolutionState, SourceName, TelemetryEvent};
use crate::time::EventTime;

/// Lengths of windows, in seconds.
pub const WINDOW_SECONDS: [u32; 2] = [10, 60];

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// A cell of the window counts. Its name is stored, so its form is part of the store's format.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Window {
    /// Length in seconds.
    pub seconds: u32,
    /// Where it begins, in whole seconds since the epoch.
    pub start: i64,
    /// Session of its events.
    pub session: Option<SessionId>,
    /// Tool call of its events.
    pub tool_call: Option<ToolCallId>,
    /// Source of its events.
    pub source: SourceName,
    /// Their type.
    pub event_type: String,
    /// Whether they were tied to a scope when they were appended.
    pub resolved: bool,
    /// Whether they count as high risk.
    pub high_risk: bool,
}

/// Separates the parts of a name; no id, source or type can hold it.
const SEPARATOR: char = '|';

impl Window {
    /// The cell that an event falls into.
    pub fn of(at: EventTime, event: &TelemetryEvent, seconds: u32) -> Self {
        let second = at.as_nanos().div_euclid(NANOS_PER_SECOND);
        Self {
            seconds,
            start: second - second.rem_euclid(i64::from(seconds)),
            session: event.scope.session.clone(),
            tool_call: event.scope.tool_call.clone(),
            source: event.source.clone(),
            event_type: event.event_type().name().to_owned(),
            resolved: event.correlation.state == ResolutionState::Bound,
            high_risk: event.is_high_risk(),
        }
    }

    /// The name under which the cell is counted.
    pub fn name(&self) -> String {
        let session = self.session.as_ref().map_or("", SessionId::as_str);
        let tool_call = self.tool_call.as_ref().map_or("", ToolCallId::as_str);
        let mark = |set: bool, letter: &'static str| if set { letter } else { "" };
        format!(
            "{}|{}|{session}|{tool_call}|{}|{}|{}{}",
            self.seconds,
            self.start,
            self.source,
            self.event_type,
            mark(self.resolved, "r"),
            mark(self.high_risk, "h"),
        )
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        let parts: Vec<&str> = name.split(SEPARATOR).collect();
        let [seconds, start, session, tool_call, source, event_type, marks] = parts.try_into().ok()?;
        let chosen = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Some(Self {
            seconds: seconds.parse().ok()?,
            start: start.parse().ok()?,
            session: chosen(session).map(SessionId::new).transpose().ok()?,
            tool_call: chosen(tool_call).map(ToolCallId::new).transpose().ok()?,
            source: SourceName::new(source).ok()?,
            event_type: event_type.to_owned(),
            resolved: marks.contains('r'),
            high_risk: marks.contains('h'),
        })
    }

    /// Its first instant.
    pub fn starts_at(&self) -> EventTime {
        EventTime::from_nanos(self.start.saturating_mul(NANOS_PER_SECOND))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        let window = Window {
            seconds: 60,
            start: -120,
            session: Some(SessionId::new("s/1").expect("an id")),
            tool_call: None,
            source: SourceName::FALCO,
            event_type: "execve".into(),
            resolved: true,
            high_risk: false,
        };
        assert_eq!(Window::parse(&window.name()), Some(window));
        assert_eq!(Window::parse("60|1|"), None);
    }
}
