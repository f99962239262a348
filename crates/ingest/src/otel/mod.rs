//! What agents export of themselves as OpenTelemetry traces and logs: tool calls, model calls, prompts.
//!
//! A call is read as the hook of its agent would have told it, so that the two can be compared. How records travel is
//! none of this module's business: it takes them decoded.

mod append;
mod places;
mod understand;

pub use append::{Appended, append};

use agentprov_model::EventTime;
use agentprov_model::declared::TraceParent;
use serde_json::{Map, Value};

/// One span or log record.
#[derive(Clone, PartialEq, Debug)]
pub struct Record {
    /// What it is.
    pub signal: Signal,
    /// Name of the span or event.
    pub name: String,
    /// What it says.
    pub attributes: Map<String, Value>,
    /// What is said of the one that exports it.
    pub resource: Map<String, Value>,
    /// Its place in a trace; a log record may have none.
    pub trace: Option<TraceParent>,
    /// The span around it, where it is a span and names one.
    pub parent: Option<TraceParent>,
}

/// Spans last, log records do not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// A span.
    Span {
        /// When it began.
        from: EventTime,
        /// When it ended.
        to: EventTime,
        /// Its status is an error.
        failed: bool,
    },
    /// A log record.
    Log {
        /// When.
        at: EventTime,
    },
}
