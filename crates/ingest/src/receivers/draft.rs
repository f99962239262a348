//! What a receiver makes of a row.

use super::json::Json;
use super::path;
use agentprov_model::special::Destination;
use agentprov_model::telemetry::{
    EventClock, FileAction, FileSeen, NetworkAction, NetworkSeen, TelemetryBody, TelemetryFlag,
};
use agentprov_model::{
    Access, CallResult, ClaimClass, ClassTable, Correlation, EventTime, OsBytes, RuntimeIdentity, ScopeIds, SourceName,
    TelemetryEvent, Vantage,
};

/// What became of a row.
#[derive(Clone, PartialEq, Debug)]
pub enum Received {
    /// An event.
    Event(Draft),
    /// The source says that it lost some.
    Loss(Loss),
    /// The row was understood and says nothing that is kept.
    Skipped(String),
    /// The row is a part of an event of several rows, which is not complete.
    Part,
}

/// An event before it has a scope and an id.
#[derive(Clone, PartialEq, Debug)]
pub struct Draft {
    /// When it happened; absent where the source does not say.
    pub at: Option<EventTime>,
    /// Who saw it.
    pub vantage: Vantage,
    /// The event, which is large and moves from hand to hand.
    pub event: Box<TelemetryEvent>,
}

/// The source lost observations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loss {
    /// When it said so.
    pub at: Option<EventTime>,
    /// Who said so.
    pub vantage: Vantage,
    /// Through which receiver.
    pub source: SourceName,
    /// Host that reported it.
    pub host: Option<String>,
    /// How many; absent where the source does not say.
    pub count: Option<u64>,
    /// What is weakened by it.
    pub classes: Vec<ClaimClass>,
    /// The source's account, for people.
    pub detail: String,
}

/// Why a row failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RowError {
    /// The row is no JSON that is accepted.
    #[error("no acceptable JSON: {0}")]
    Json(String),
    /// The row is no audit record.
    #[error("no audit record: expected type=T msg=audit(TIME:SERIAL): ...")]
    Audit,
    /// The row is not UTF-8.
    #[error("not UTF-8 from byte {0} on")]
    Encoding(usize),
    /// The row is too long to be held.
    #[error("the line is longer than {0} bytes")]
    TooLong(usize),
    /// The row has no known format.
    #[error("unknown format: name one with --format, or remove the line")]
    UnknownFormat,
    /// The event lacks what its type must say.
    #[error("a {event} row needs {needs}")]
    Incomplete {
        /// The source's word for the event.
        event: String,
        /// What is missing.
        needs: &'static str,
    },
    /// A value can't be what it should be.
    #[error("{key}: '{value}' is no {expected}")]
    Value {
        /// Where it stands.
        key: &'static str,
        /// What stands there, cut.
        value: String,
        /// What should.
        expected: &'static str,
    },
    /// The row names application context and the caller asked for strictness.
    #[error("application context in the raw row: {}", .0.join(", "))]
    Context(Vec<String>),
}

impl RowError {
    pub(super) fn incomplete(event: &str, needs: &'static str) -> Self {
        Self::Incomplete { event: event.to_owned(), needs }
    }

    pub(super) fn value(key: &'static str, value: &Json<'_>, expected: &'static str) -> Self {
        let text = value.scalar().map_or_else(|| "a nested value".to_owned(), |text| text.chars().take(64).collect());
        Self::Value { key, value: text, expected }
    }
}

impl Draft {
    /// A draft with only its body known.
    pub(super) fn new(source: SourceName, vantage: Vantage, op: &str, body: TelemetryBody) -> Self {
        Self {
            at: None,
            vantage,
            event: Box::new(TelemetryEvent {
                source,
                native_id: None,
                op: Some(op.to_owned()),
                clock: EventClock::Intake,
                host: None,
                identity: RuntimeIdentity::default(),
                body,
                result: CallResult::Unknown,
                class: None,
                detection: None,
                scope: ScopeIds::default(),
                correlation: Correlation::unresolved(false),
                flags: Vec::new(),
                context_dropped: Vec::new(),
                untimed_key: None,
                raw: None,
            }),
        }
    }

    /// Sets the time of a source with a full clock.
    pub(super) fn at(mut self, at: Option<EventTime>) -> Self {
        self.at = at;
        if at.is_some() {
            self.event.clock = EventClock::Realtime;
        }
        self
    }

    pub(super) fn flag(&mut self, flag: TelemetryFlag) {
        if !self.event.flags.contains(&flag) {
            self.event.flags.push(flag);
        }
    }
}

/// A file and what is odd about its path.
pub(super) struct FileObject {
    pub(super) file: FileSeen,
    pub(super) flags: Vec<TelemetryFlag>,
}

impl FileObject {
    pub(super) fn new(action: FileAction, path: &[u8], cwd: Option<&OsBytes>) -> Self {
        let found = path::normalise(path, cwd.map(OsBytes::as_bytes));
        let file = FileSeen {
            action,
            path: found.path,
            given: found.given,
            path2: None,
            access: None,
            flags: None,
            inode: None,
            bytes: None,
        };
        Self { file, flags: found.flags }
    }

    pub(super) fn second(mut self, path: Option<&str>, cwd: Option<&OsBytes>) -> Self {
        self.file.path2 = path.map(|path| path::normalise(path.as_bytes(), cwd.map(OsBytes::as_bytes)).path);
        self
    }

    pub(super) fn opened(mut self, access: Access, flags: Option<String>) -> Self {
        self.file.access = Some(access);
        self.file.flags = flags;
        self
    }
}

impl Draft {
    /// An event about a file, classified.
    pub(super) fn file(source: SourceName, vantage: Vantage, op: &str, object: FileObject, table: &ClassTable) -> Self {
        let class = table.path(&object.file.path);
        let mut draft = Self::new(source, vantage, op, TelemetryBody::File(object.file));
        draft.event.class = class;
        draft.event.flags = object.flags;
        draft
    }

    /// An event about a socket, classified.
    pub(super) fn network(
        source: SourceName,
        vantage: Vantage,
        op: &str,
        action: NetworkAction,
        other: Destination,
        table: &ClassTable,
    ) -> Self {
        let (destination, class) = table.destination(&other);
        let body = NetworkSeen {
            action,
            ip: other.ip,
            host: other.host,
            port: other.port,
            local_ip: None,
            local_port: None,
            protocol: None,
            destination,
        };
        let mut draft = Self::new(source, vantage, op, TelemetryBody::Network(body));
        draft.event.class = class;
        draft
    }
}
