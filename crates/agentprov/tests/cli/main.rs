//! The program as its users run it: real commands, real processes, a store of their own for each test.

#![allow(clippy::print_stdout, reason = "a test says on standard output why it is skipped")]

mod agents;
mod attribution;
mod bad_input;
mod births;
mod complete;
mod contract;
mod contract_nested;
mod contract_telemetry;
mod crash;
mod daemon;
mod demo;
mod explain;
mod hooks;
mod launch;
mod mcp;
mod memory;
mod outlived;
mod place;
mod prove;
mod record;
mod review;
mod rules;
mod seen;
mod setup;
mod tamper;
mod tamper_anywhere;
mod telemetry;
mod telemetry_flags;
mod telemetry_late;
mod telemetry_spool;
mod telemetry_writers;
mod tool_calls;
mod transcripts;
mod workloads;
