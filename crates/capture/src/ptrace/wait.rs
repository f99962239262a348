//! Waiting for the next stop. A wait that sleeps lets the CPU go idle, and waking an idle CPU costs several times what a
//! stop itself does [on the measured machine 110 us instead of 45 us]: so where a CPU has nothing else to do, the tracer
//! looks for a moment before it sleeps.

use crate::sys::fd;
use crate::sys::ptrace::{self, Change};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long the tracer looks before it sleeps.
const LOOK: Duration = Duration::from_micros(50);
/// Stops between two looks at the load.
const PERIOD: u32 = 32;

/// Waits for stops.
pub(crate) struct Waiter {
    /// `/proc/loadavg`, held open.
    load: Option<OwnedFd>,
    cpus: usize,
    countdown: u32,
    idle_cpu: bool,
}

impl Waiter {
    pub(crate) fn new() -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let load = if cpus > 1 { fd::open(c"/proc/loadavg", libc::O_RDONLY).ok() } else { None };
        Self { load, cpus, countdown: 0, idle_cpu: false }
    }

    /// The next change of a tracee; `EINTR` where a signal came first.
    pub(crate) fn wait(&mut self) -> io::Result<Option<(i32, Change)>> {
        if let Some((tid, change)) = ptrace::wait(false)? {
            return Ok(Some((tid, change)));
        }
        if self.may_look() {
            let until = Instant::now() + LOOK;
            while Instant::now() < until {
                if let Some((tid, change)) = ptrace::wait(false)? {
                    return Ok(Some((tid, change)));
                }
            }
        }
        ptrace::wait(true)
    }

    /// True where a CPU has nothing else to do: looking then takes nothing from anybody.
    fn may_look(&mut self) -> bool {
        let Some(load) = &self.load else { return false };
        if self.countdown == 0 {
            self.countdown = PERIOD;
            let mut text = [0u8; 64];
            let length = fd::read_at(load.as_raw_fd(), &mut text, 0).unwrap_or(0);
            // Ours and at least one tracee's are among the runnable ones, or soon will be.
            self.idle_cpu = runnable(&text[..length]).is_some_and(|runnable| runnable < self.cpus);
        }
        self.countdown -= 1;
        self.idle_cpu
    }
}

/// The fourth field of `/proc/loadavg` is `<runnable>/<all>`, proc_loadavg(5).
fn runnable(text: &[u8]) -> Option<usize> {
    let field = text.split(|byte| *byte == b' ').nth(3)?;
    let number = field.split(|byte| *byte == b'/').next()?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_number_of_runnable_threads() {
        assert_eq!(super::runnable(b"0.84 0.40 0.16 3/512 4711\n"), Some(3));
        assert_eq!(super::runnable(b""), None);
    }
}
