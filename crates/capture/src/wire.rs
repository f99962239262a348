//! What front and tracer say to each other: a length, then JSON.

use crate::finished::{CaptureError, Finished};
use crate::observation::{Notice, RecorderFault};
use crate::sys::socket;
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::path::PathBuf;

/// From the tracer to the front.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Message {
    /// The root exists; a pidfd of it comes along.
    Started,
    /// Something the user should hear of.
    Notice(Notice),
    /// The root was stopped by a job-control signal.
    RootStopped,
    /// The attempt is sealed. `staying`: the tracer goes on serving processes that outlived it.
    Finished { finished: Box<Finished>, staying: bool },
    /// Nothing was recorded.
    Failed(Failure),
}

/// [`CaptureError`] in a form that travels.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Failure {
    Recorder { message: String, hint: Option<String> },
    Workdir { path: PathBuf, errno: i32 },
    Backend { backend: String, reason: String },
    Os { what: String, errno: i32 },
}

impl From<CaptureError> for Failure {
    fn from(error: CaptureError) -> Self {
        let errno = |source: &io::Error| source.raw_os_error().unwrap_or(libc::EIO);
        match error {
            CaptureError::Recorder(RecorderFault { message, hint }) => Self::Recorder { message, hint },
            CaptureError::Workdir { path, source } => Self::Workdir { path, errno: errno(&source) },
            CaptureError::Backend { backend, reason } => Self::Backend { backend: backend.to_owned(), reason },
            CaptureError::Os { what, source } => Self::Os { what: what.to_owned(), errno: errno(&source) },
            other => Self::Os { what: other.to_string(), errno: libc::EIO },
        }
    }
}

impl From<Failure> for CaptureError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Recorder { message, hint } => Self::Recorder(RecorderFault { message, hint }),
            Failure::Workdir { path, errno } => Self::Workdir { path, source: io::Error::from_raw_os_error(errno) },
            Failure::Backend { backend, reason } => {
                Self::Backend { backend: if backend == "procfs" { "procfs" } else { "ptrace" }, reason }
            }
            Failure::Os { what, errno } => Self::TracerLost(format!("{what}: {}", io::Error::from_raw_os_error(errno))),
        }
    }
}

/// Sends one message; a front that is gone is no error for the tracer.
pub(crate) fn send(socket: RawFd, message: &Message, pass: Option<RawFd>) {
    let Ok(body) = serde_json::to_vec(message) else { return };
    let Ok(length) = u32::try_from(body.len()) else { return };
    let mut frame = Vec::with_capacity(body.len() + 4);
    frame.extend_from_slice(&length.to_ne_bytes());
    frame.extend_from_slice(&body);
    let _front_gone = socket::send(socket, &frame, pass);
}

/// Collects messages from the tracer.
#[derive(Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    passed: Option<OwnedFd>,
}

impl Inbox {
    /// Receives once; false at the end of the connection.
    pub(crate) fn receive(&mut self, socket: RawFd) -> io::Result<bool> {
        let mut buffer = [0u8; 16 * 1024];
        let (length, passed) = match socket::receive(socket, &mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            other => other?,
        };
        self.bytes.extend_from_slice(&buffer[..length]);
        if passed.is_some() {
            self.passed = passed;
        }
        Ok(length > 0)
    }

    /// The next whole message.
    pub(crate) fn next(&mut self) -> Option<Message> {
        let (head, rest) = self.bytes.split_first_chunk::<4>()?;
        let length = u32::from_ne_bytes(*head) as usize;
        let message = serde_json::from_slice(rest.get(..length)?).ok();
        self.bytes.drain(..4 + length);
        message
    }

    /// The descriptor that came along.
    pub(crate) fn take_passed(&mut self) -> Option<OwnedFd> {
        self.passed.take()
    }
}
