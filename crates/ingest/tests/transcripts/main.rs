//! Session files of agents: what is read of them, and where it goes.

#![allow(missing_docs, reason = "a test binary")]

mod golden;
mod import;
