//! Run a command and observe what its processes do.
//!
//! This crate knows processes, files, sockets and workspaces. It knows nothing of tool calls, rules,
//! stores or HTTP: what it sees goes through [`Recorder`], contents go through [`ContentSink`].
//!
//! The process that calls [`record`] (the front) stays free of ptrace: a tracer process of its own is
//! forked, runs the command, and stays until its last tracee is gone, because a seccomp RET_TRACE filter
//! outlives its tracer and would then fail calls with ENOSYS. The front returns when the attempt is sealed.

pub mod command;
pub mod observation;
pub mod options;

pub use command::{Command, KeepOutput, StdoutTo};
pub use observation::{AttemptEnd, ContentSink, Observation, Recorder, RecorderFault, ScopeStart};
pub use options::{Backend, Limits, Options, Orphans};
