//! Telemetry intake against real stores.

mod bindings;
mod fixture;
mod intake;
mod spool;
