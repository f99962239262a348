//! A bounded copy of what the command prints. With a copy the command sees pipes, not a terminal.

use crate::command::KeepOutput;
use crate::observation::ContentSink;
use crate::output_line::OutputLine;
use crate::sys::fd;
use crate::sys::fork::Launch;
use agentprov_model::{OutputKept, OutputStream, What};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// After the root has ended, time for the pipes to run dry.
const RUN_DRY: Duration = Duration::from_millis(500);

#[derive(Default)]
struct Copied {
    bytes: Vec<u8>,
    total: u64,
    done: bool,
}

struct Pump {
    stream: OutputStream,
    from: Option<OwnedFd>,
    to: Option<OwnedFd>,
    child_end: Option<OwnedFd>,
    copied: Arc<Mutex<Copied>>,
}

/// Copies the output streams through; nothing without `keep_output`.
#[derive(Default)]
pub(crate) struct Pumps {
    pumps: Vec<Pump>,
    max_bytes: u64,
}

impl Pumps {
    /// Puts pipes between the command and the real streams.
    pub(crate) fn prepare(keep: KeepOutput, launch: &mut Launch) -> io::Result<Self> {
        let mut pumps = Vec::new();
        let real_stdout = launch.stdout.unwrap_or(1);
        for (stream, real) in [(OutputStream::Stdout, real_stdout), (OutputStream::Stderr, 2)] {
            let (from, child_end) = fd::pipe()?;
            // Above 2, so that putting the ends in place can't overwrite one of them.
            let child_end = fd::duplicate(child_end.as_raw_fd())?;
            let to = fd::duplicate(real)?;
            match stream {
                OutputStream::Stdout => launch.stdout = Some(child_end.as_raw_fd()),
                OutputStream::Stderr => launch.stderr = Some(child_end.as_raw_fd()),
            }
            let copied = Arc::default();
            pumps.push(Pump { stream, from: Some(from), to: Some(to), child_end: Some(child_end), copied });
        }
        Ok(Self { pumps, max_bytes: keep.max_bytes })
    }

    /// The command has its ends: ours go, and the threads start.
    pub(crate) fn forget_child_ends(&mut self) {
        for pump in &mut self.pumps {
            pump.child_end = None;
        }
    }

    /// What must stay open in the tracer.
    pub(crate) fn descriptors(&self) -> Vec<RawFd> {
        self.pumps.iter().flat_map(|pump| [&pump.from, &pump.to]).flatten().map(AsRawFd::as_raw_fd).collect()
    }

    /// Starts copying. The threads end with their streams, even after the recording.
    pub(crate) fn start(&mut self) {
        for pump in &mut self.pumps {
            let (Some(from), Some(to)) = (pump.from.take(), pump.to.take()) else { continue };
            let (copied, max_bytes) = (pump.copied.clone(), self.max_bytes);
            let body = move || copy(&from, to, &copied, max_bytes);
            let _without_it_the_pipe_ends = std::thread::Builder::new().name("output".to_owned()).spawn(body);
        }
    }

    /// Waits a moment for the streams to end, then hands the copies on.
    pub(crate) fn finish(&mut self, out: &OutputLine, sink: &dyn ContentSink, staying: bool) {
        let until = Instant::now() + RUN_DRY;
        for pump in &self.pumps {
            while !lock(&pump.copied).done && (!staying || Instant::now() < until) {
                std::thread::sleep(Duration::from_micros(200));
            }
            let (bytes, total) = {
                let mut copied = lock(&pump.copied);
                (std::mem::take(&mut copied.bytes), copied.total)
            };
            let content = sink.keep_output(pump.stream, bytes);
            out.say(out.now(), None, What::Output(OutputKept { stream: pump.stream, content, total }));
        }
    }
}

fn lock(copied: &Mutex<Copied>) -> std::sync::MutexGuard<'_, Copied> {
    copied.lock().unwrap_or_else(PoisonError::into_inner)
}

fn copy(from: &OwnedFd, to: OwnedFd, copied: &Mutex<Copied>, max_bytes: u64) {
    let mut buffer = vec![0u8; 64 * 1024];
    let mut to = Some(to);
    loop {
        match fd::read(from.as_raw_fd(), &mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                let bytes = &buffer[..length];
                {
                    let mut copied = lock(copied);
                    copied.total += length as u64;
                    let room = max_bytes.saturating_sub(copied.bytes.len() as u64);
                    let kept = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
                    copied.bytes.extend_from_slice(&bytes[..kept]);
                }
                if to.as_ref().is_some_and(|to| fd::write_all(to.as_raw_fd(), bytes).is_err()) {
                    // The reader is gone: so is our end, and the command gets its SIGPIPE.
                    to = None;
                    break;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    drop(to);
    lock(copied).done = true;
}
