//! Windows of time in which telemetry is counted as it is appended.

use crate::ids::{SessionId, ToolCallId};
use crate::telemetry::{ResolutionState, SourceName, TelemetryEvent};
use crate::time::EventTime;
use std::fmt::Write as _;

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
    /// The name under which the cell is counted.
    pub fn name(&self) -> String {
        let mut name = format!("{}|{}", self.seconds, self.start);
        name.push_str(
            &Cell {
                session: self.session.as_ref().map_or("", SessionId::as_str),
                tool_call: self.tool_call.as_ref().map_or("", ToolCallId::as_str),
                source: self.source.as_str(),
                event_type: &self.event_type,
                resolved: self.resolved,
                high_risk: self.high_risk,
            }
            .name(),
        );
        name
    }

    /// Names of the cells that an event falls into, one for each length.
    pub(crate) fn names_of(at: EventTime, event: &TelemetryEvent) -> [String; WINDOW_SECONDS.len()] {
        let cell = Cell {
            session: event.scope.session.as_ref().map_or("", SessionId::as_str),
            tool_call: event.scope.tool_call.as_ref().map_or("", ToolCallId::as_str),
            source: event.source.as_str(),
            event_type: event.event_type().name(),
            resolved: event.correlation.state == ResolutionState::Bound,
            high_risk: event.is_high_risk(),
        }
        .name();
        WINDOW_SECONDS.map(|seconds| {
            let mut name = String::with_capacity(cell.len() + 24);
            let _ = write!(name, "{seconds}|{}", start(at, seconds));
            name.push_str(&cell);
            name
        })
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

/// First second of the window of an instant.
fn start(at: EventTime, seconds: u32) -> i64 {
    let second = at.as_nanos().div_euclid(NANOS_PER_SECOND);
    second - second.rem_euclid(i64::from(seconds))
}

/// What a cell counts, whatever its window.
struct Cell<'c> {
    session: &'c str,
    tool_call: &'c str,
    source: &'c str,
    event_type: &'c str,
    resolved: bool,
    high_risk: bool,
}

impl Cell<'_> {
    /// The end of a cell's name.
    fn name(&self) -> String {
        let mut name = String::with_capacity(96);
        for part in [self.session, self.tool_call, self.source, self.event_type] {
            name.push(SEPARATOR);
            name.push_str(part);
        }
        name.push(SEPARATOR);
        name.push_str(if self.resolved { "r" } else { "" });
        name.push_str(if self.high_risk { "h" } else { "" });
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_counted_once_for_each_length() {
        let event = TelemetryEvent {
            source: SourceName::FALCO,
            native_id: None,
            op: None,
            clock: crate::telemetry::EventClock::Realtime,
            host: None,
            identity: crate::RuntimeIdentity::default(),
            body: crate::TelemetryBody::Spawn(crate::telemetry::SpawnSeen { child: None }),
            result: crate::CallResult::Unknown,
            class: None,
            detection: None,
            scope: crate::ScopeIds {
                tool_call: Some(ToolCallId::new("t").expect("an id")),
                ..crate::ScopeIds::default()
            },
            correlation: crate::Correlation::unresolved(false),
            flags: Vec::new(),
            context_dropped: Vec::new(),
            untimed_key: None,
            raw: None,
        };
        let names = Window::names_of(EventTime::from_nanos(-1), &event);
        assert_eq!(names, ["10|-10||t|falco_jsonl|process_fork|", "60|-60||t|falco_jsonl|process_fork|"]);
        for (name, seconds) in names.iter().zip(WINDOW_SECONDS) {
            let window = Window::parse(name).expect("it reads back");
            assert_eq!((window.seconds, window.name().as_str()), (seconds, name.as_str()));
        }
    }

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
