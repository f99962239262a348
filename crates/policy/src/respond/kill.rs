//! Ends a process, and makes sure that it is that one and that it ended.

use super::process::hold;
use super::{Adapter, Ended, Job};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Signal, pidfd_send_signal};
use std::time::Duration;

/// `SIGKILL` through a pidfd.
#[derive(Clone, Copy, Debug)]
pub struct Kill {
    /// How long its end is waited for.
    pub wait: Duration,
}

impl Default for Kill {
    fn default() -> Self {
        Self { wait: Duration::from_secs(5) }
    }
}

impl Adapter for Kill {
    fn act(&mut self, job: &Job) -> Ended {
        let (held, key) = match hold(&job.request.target) {
            Ok(held) => held,
            Err(ended) => return ended,
        };
        if key.pid == std::process::id() {
            return Ended::failed("the process is the recorder itself");
        }
        if let Err(error) = pidfd_send_signal(&held, Signal::KILL) {
            return Ended::failed(format!("SIGKILL to pid {} was refused: {error}", key.pid));
        }
        let timeout = rustix::event::Timespec {
            tv_sec: i64::try_from(self.wait.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(self.wait.subsec_nanos()),
        };
        // A pidfd becomes readable when the process has ended.
        match poll(&mut [PollFd::new(&held, PollFlags::IN)], Some(&timeout)) {
            Ok(1) => Ended::confirmed(format!("SIGKILL sent, and the pidfd of pid {} reports its end", key.pid)),
            Ok(_) => Ended::failed(format!("pid {} did not end within {:?} of SIGKILL", key.pid, self.wait)),
            Err(error) => Ended::failed(format!("SIGKILL sent; whether pid {} ended is not known: {error}", key.pid)),
        }
    }
}
