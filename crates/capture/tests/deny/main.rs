//! What a gate denies does not happen, whatever the command does with its arguments meanwhile; what it allows happens as
//! if nobody had asked.
#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "a racing call needs arguments that change under it")]
#![allow(clippy::print_stdout, reason = "a skipped test says so, and counts help to understand a failure")]

mod connections;
mod opens;
mod recording;

const TEST: &str = "the_gate_decides_about_the_call_that_is_made";

/// One test, one part after the other: a recording forks, and a lock that another test holds then would stay locked.
#[test]
fn the_gate_decides_about_the_call_that_is_made() {
    if connections::command() || opens::command() || !recording::possible() {
        return;
    }
    connections::a_thread_that_rewrites_the_address_never_gets_through();
    opens::a_thread_that_rewrites_the_path_never_gets_through();
    opens::an_open_that_is_allowed_happens_as_if_nobody_had_asked();
}
