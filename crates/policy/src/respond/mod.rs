//! Responses that really happen, each with the evidence that it did.

mod export;
mod kill;
mod process;
mod quarantine;
mod responder;
mod webhook;

pub use agentprov_model::hmac::hmac_sha256;
pub use export::Export;
pub use kill::Kill;
pub use process::ProcPipes;
pub use quarantine::Quarantine;
pub use responder::{Adapter, Ended, Job, Responder};
pub use webhook::{Retry, Webhook, WebhookError};
