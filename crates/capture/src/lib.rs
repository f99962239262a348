//! Run a command and observe what its processes do.
//!
//! This crate knows processes, files, sockets and workspaces. It knows nothing of tool calls, rules,
//! stores or HTTP: what it sees goes through [`Recorder`], contents go through [`ContentSink`].
//!
//! The process that calls [`record`] (the front) stays free of ptrace: a tracer process of its own is
//! forked, runs the command, and stays until its last tracee is gone, because a seccomp RET_TRACE filter
//! outlives its tracer and would then fail calls with ENOSYS. The front returns when the attempt is sealed.

pub mod command;
pub mod finished;
pub mod gate;
pub mod observation;
pub mod options;

#[cfg(target_os = "linux")]
mod capability;
#[cfg(target_os = "linux")]
mod cgroup;
#[cfg(target_os = "linux")]
mod clock;
#[cfg(target_os = "linux")]
mod front;
#[cfg(target_os = "linux")]
mod guard;
#[cfg(target_os = "linux")]
mod identity;
#[cfg(target_os = "linux")]
mod launch;
#[cfg(target_os = "linux")]
mod output;
#[cfg(target_os = "linux")]
mod output_line;
#[cfg(target_os = "linux")]
mod probe;
#[cfg(target_os = "linux")]
mod procfs;
#[cfg(target_os = "linux")]
mod ptrace;
#[cfg(target_os = "linux")]
mod session;
#[cfg(target_os = "linux")]
mod sys;
#[cfg(target_os = "linux")]
mod traced;
#[cfg(target_os = "linux")]
mod wire;
#[cfg(target_os = "linux")]
mod workspace;

#[cfg(not(target_os = "linux"))]
mod elsewhere;

#[cfg(target_os = "linux")]
pub use cgroup::mount_point as cgroup_mount_point;
pub use clock::Clock;
pub use command::{Command, KeepOutput, StdoutTo};
#[cfg(not(target_os = "linux"))]
pub use elsewhere::{
    BackendProbe, ProcessStat, boot_id, is_alive, probe, process_key, process_stat, record, record_gated,
};
pub use finished::{CaptureError, Finished};
#[cfg(target_os = "linux")]
pub use front::{record, record_gated};
pub use gate::{Gate, Opens, Ruling};
#[cfg(target_os = "linux")]
pub use identity::{ProcessStat, boot_id, is_alive, process_key, process_stat};
pub use observation::{AttemptEnd, ContentSink, Notice, Observation, Recorder, RecorderFault, ScopeStart};
pub use options::{Backend, Limits, Options, Orphans};
#[cfg(target_os = "linux")]
pub use probe::{BackendProbe, probe};
