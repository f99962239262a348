//! The vocabulary of agentprov: what the other crates say to each other.
//!
//! Nothing here does I/O, reads a clock or draws randomness: times and random
//! bits are passed in. Types are made so that they cannot hold nonsense; the
//! serialised form of a [`Fact`] is the evidence itself, so its field order
//! is part of the format (see `fact`).

pub mod content;
pub mod coverage;
pub mod decision;
pub mod declared;
pub mod errno;
pub mod event_type;
pub mod fact;
pub mod file;
pub mod hmac;
pub mod ids;
pub mod index;
pub mod llm;
pub mod mcp;
pub mod network;
pub mod os_bytes;
pub mod outcome;
pub mod process;
pub mod review;
pub mod schema;
pub mod scope;
pub mod signal;
pub mod special;
pub mod telemetry;
pub mod time;
pub mod window;

pub use content::{Content, ContentId, GitBlobId, HashOnly, Kept};
pub use coverage::{ClaimClass, Coverage, CoverageReport, Gap, GapKind, Level};
pub use decision::{
    Decision, MatchedRule, ResponseAction, ResponseKind, ResponseState, ResponseTarget, RiskKind, RiskSignal, RuleMode,
    RulesApplied, Severity, Verdict,
};
pub use declared::{Agent, CommandDigest, CommandKey, Declared, Deed};
pub use event_type::{EventType, Lane};
pub use fact::{Basis, Fact, Redaction, Vantage, What};
pub use file::{
    Access, FileChanged, FileOp, FileOpened, FileState, FileVersion, OutputKept, OutputStream, VersionCause,
};
pub use ids::{
    AttemptId, AttemptNo, BatchId, BindingId, EventId, EventIdText, IdError, LogicalProcessId, RolloutId, RunId,
    SessionId, SnapshotId, StoreId, ToolCallId,
};
pub use index::{IndexKey, KeyKind};
pub use network::{Destination, NetworkCall, NetworkOp, SocketAddress};
pub use os_bytes::OsBytes;
pub use outcome::{CallResult, Outcome};
pub use process::{
    BootId, PrivilegeCall, ProcessExec, ProcessExited, ProcessId, ProcessKey, ProcessOrigin, ProcessStarted,
};
pub use review::{ReviewDecision, ReviewOutcome};
pub use scope::{AttemptEnded, AttemptInterrupted, AttemptStarted, Bound, Mechanism, ScopeEnded};
pub use special::{ClassExtension, ClassMatch, ClassTable, DestinationClass, ObjectClass};
pub use telemetry::{
    BindingEnded, Confidence, Correlation, IngestBatch, LeafSet, Method, Pruned, RawLines, Resolution, ResolutionState,
    RuntimeIdentity, ScopeBinding, ScopeIds, SourceName, TelemetryBody, TelemetryEvent,
};
pub use time::EventTime;
