//! Messages of agents' hooks: what is made of them, how they are kept, where they go.

#![allow(missing_docs, reason = "a test binary")]

mod drain;
mod golden;
