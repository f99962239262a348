//! The HTTP service: it takes changes to review, keeps them until they are decided, and answers questions about
//! them. On a port of its own it takes what agents export as OpenTelemetry.
//!
//! Invariants:
//! - What was answered with 202 is decided, whatever kills the process: it is in the store before the answer leaves.
//! - Requests are checked before anything is stored; what is wrong with one is said with the path of the field.
//! - Work is done by threads of its own: no analysis can hold up `/healthz`.
//! - The routes, the guards and the published description are made from one table, see [`http::routes`].

pub mod analysis;
pub mod analytics;
pub mod error;
pub mod export;
pub mod github;
pub mod http;
pub mod llm_proxy;
pub mod lock;
pub mod otlp;
pub mod outgoing;
pub mod settings;
pub mod token;
pub mod workers;

pub use analysis::noted::fact_of;
pub use analysis::of_git::{Reviewed, is_of_git, seal};
pub use analysis::recompute::{Recomputed, recompute};
pub use error::ServerError;
pub use http::openapi;
pub use http::serve::{Options, serve};
pub use settings::{Prefix, Settings};
