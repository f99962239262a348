//! Intake: the one way into the store.
//!
//! An observation is redacted, given its context and id, judged, and appended. Recording sessions join the
//! capture back-ends to that path.

pub mod contents;
pub mod correlate;
pub mod hooks;
pub mod intake;
pub mod judge;
pub mod lines;
pub mod llm;
pub mod mcp;
pub mod otel;
pub mod receivers;
pub mod recording;
pub mod recovery;
pub mod redact;
pub mod reviews;
pub mod telemetry;
pub mod transcripts;

pub use intake::Intake;
pub use judge::{Derived, Emit, Judge, Unjudged};
pub use recording::{MakeJudge, RecordError, RecordRequest, Recorded, record, record_judged};
pub use redact::Redactor;
