//! Calls of models that pass through the proxy of a recording: who called, what the response says, and the record in the spool.

mod client;
mod keep;
mod reply;

pub use client::find_clients;
pub use keep::{LlmKeepError, LlmKeeper};
pub use reply::ReplyReader;
