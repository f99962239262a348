//! Receivers: from a row of a source to one typed event.
//!
//! A receiver reads only the keys that it knows, so nothing that a row says about runs, sessions or tool calls is ever
//! believed; what a row tried to say about them is named in its result.

pub mod auditd;
pub mod caller;
mod calls;
pub mod context_keys;
mod draft;
pub mod falco;
pub mod instant;
pub mod json;
pub mod loongcollector;
pub mod native;
pub mod path;
mod registry;
pub mod tetragon;
mod words;

pub use draft::{Draft, Loss, Received, RowError};
pub use registry::{DetectedFormat, Format, Reading, Receivers, UnknownFormat};
