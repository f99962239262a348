//! Changes of real git repositories, and who wrote their lines.
#![allow(clippy::unwrap_used)]

#[path = "../../../graph/tests/views/fixture.rs"]
mod fixture;
mod intake;
mod many_runs;
mod oracle;
mod ownership;
mod world;
