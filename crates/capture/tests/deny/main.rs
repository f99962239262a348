//! What a gate denies does not happen, whatever the command does with its arguments meanwhile; what it allows happens as
//! if nobody had asked.
#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "a racing call needs arguments that change under it")]
#![allow(clippy::print_stdout, reason = "a skipped test says so, and counts help to understand a failure")]

mod connections;
mod opens;
mod recording;
