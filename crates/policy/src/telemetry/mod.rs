//! Judging what sensors and callers reported, live, as it is taken in.

mod event;
mod judge;

pub use judge::TelemetryJudge;
