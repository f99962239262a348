//! Windows of time in which telemetry is counted as it is appended.

use crate::event_type::EventType;
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
    /// The name under which the cell is counted.
    pub fn name(&self) -> String {
        let (session, tool_call) = (self.session.as_ref(), self.tool_call.as_ref());
        name((self.seconds, self.start), session, tool_call, &self.source, &self.event_type, self.marks())
    }

    fn marks(&self) -> Marks {
        Marks { resolved: self.resolved, high_risk: self.high_risk }
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

/// What one event adds to the windows, before their names are written: events come by the million, names by the hundred.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct WindowCell {
    /// First second of the shortest window, in which all longer ones begin or go on.
    start: i64,
    session: Option<SessionId>,
    tool_call: Option<ToolCallId>,
    source: SourceName,
    event_type: EventType,
    marks: Marks,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Marks {
    resolved: bool,
    high_risk: bool,
}

impl WindowCell {
    pub(crate) fn of(at: EventTime, event: &TelemetryEvent) -> Self {
        Self {
            start: start(at.as_nanos().div_euclid(NANOS_PER_SECOND), WINDOW_SECONDS[0]),
            session: event.scope.session.clone(),
            tool_call: event.scope.tool_call.clone(),
            source: event.source.clone(),
            event_type: event.event_type(),
            marks: Marks {
                resolved: event.correlation.state == ResolutionState::Bound,
                high_risk: event.is_high_risk(),
            },
        }
    }

    /// Names of the cells that it counts in, one for each length of [`WINDOW_SECONDS`].
    pub fn names(&self) -> [String; WINDOW_SECONDS.len()] {
        let Self { session, tool_call, source, event_type, marks, .. } = self;
        WINDOW_SECONDS.map(|seconds| {
            let window = (seconds, start(self.start, seconds));
            name(window, session.as_ref(), tool_call.as_ref(), source, event_type.name(), *marks)
        })
    }
}

/// First second of the window of a second.
fn start(second: i64, seconds: u32) -> i64 {
    second - second.rem_euclid(i64::from(seconds))
}

fn name(
    (seconds, start): (u32, i64),
    session: Option<&SessionId>,
    tool_call: Option<&ToolCallId>,
    source: &SourceName,
    event_type: &str,
    marks: Marks,
) -> String {
    let mut name = format!("{seconds}{SEPARATOR}{start}");
    let ids = [session.map_or("", SessionId::as_str), tool_call.map_or("", ToolCallId::as_str)];
    for part in ids.into_iter().chain([source.as_str(), event_type]) {
        name.push(SEPARATOR);
        name.push_str(part);
    }
    name.push(SEPARATOR);
    name.push_str(if marks.resolved { "r" } else { "" });
    name.push_str(if marks.high_risk { "h" } else { "" });
    name
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
        let names = WindowCell::of(EventTime::from_nanos(-1), &event).names();
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
