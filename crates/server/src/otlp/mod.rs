//! OTLP over HTTP: traces and logs of agents become facts.
//!
//! Invariants:
//! - What was answered with 200 is in the store, but for what the answer calls rejected.
//! - The same export again changes nothing: an exporter that got no answer may repeat itself.
//! - What is in memory at a time is bounded, however well it was packed.

mod answer;
mod body;
mod lenient;
mod records;
mod service;
mod wire;

pub use body::MAX_BODY;
pub(crate) use service::{Receiver, router};
