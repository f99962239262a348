//! Platforms without a back-end.

use crate::command::Command;
use crate::finished::{CaptureError, Finished};
use crate::gate::Gate;
use crate::observation::{Notice, Recorder, RecorderFault};
use crate::options::Options;
use agentprov_model::{BootId, ProcessKey};
use std::io;
use std::sync::Arc;

/// One line of a diagnosis.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BackendProbe {
    /// What was looked at.
    pub name: &'static str,
    /// It can be used.
    pub usable: bool,
    /// What was found, for people.
    pub detail: String,
    /// What to do where it can't be used.
    pub way_out: Option<String>,
}

/// Says that recording needs Linux.
pub fn probe() -> Vec<BackendProbe> {
    let detail = CaptureError::NeedsLinux.to_string();
    vec![BackendProbe { name: "ptrace", usable: false, detail, way_out: None }]
}

/// Says that recording needs Linux.
///
/// # Errors
/// Always [`CaptureError::NeedsLinux`].
pub fn record<R: Recorder + 'static>(
    _command: &Command,
    _options: &Options,
    _make_recorder: impl FnOnce() -> Result<R, RecorderFault>,
    _notice: &mut dyn FnMut(Notice),
) -> Result<Finished, CaptureError> {
    Err(CaptureError::NeedsLinux)
}

/// Says that recording needs Linux.
///
/// # Errors
/// Always [`CaptureError::NeedsLinux`].
pub fn record_gated<R: Recorder + 'static>(
    _command: &Command,
    _options: &Options,
    _make_gate: impl FnOnce() -> Option<Arc<dyn Gate>>,
    _make_recorder: impl FnOnce() -> Result<R, RecorderFault>,
    _notice: &mut dyn FnMut(Notice),
) -> Result<Finished, CaptureError> {
    Err(CaptureError::NeedsLinux)
}

/// Not known here.
///
/// # Errors
/// Always.
pub fn boot_id() -> io::Result<BootId> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// Not known here.
///
/// # Errors
/// Always.
pub fn process_key(_pid: u32) -> io::Result<ProcessKey> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// Not known here: false.
pub fn is_alive(_key: &ProcessKey) -> bool {
    false
}

/// Parent and start of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProcessStat {
    /// Pid of the parent.
    pub ppid: u32,
    /// Start in 10 ms ticks since boot.
    pub start_ticks: u64,
}

/// Not known here.
///
/// # Errors
/// Always.
pub fn process_stat(_pid: u32) -> io::Result<ProcessStat> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}
