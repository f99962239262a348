//! Bytes passed between an agent and its server, as they come; a copy of them is read aside.

use super::keep::{Keeper, Kept};
use super::reader::Reader;
use crate::hooks::wall_clock;
use agentprov_model::EventTime;
use agentprov_model::mcp::{McpDeed, McpSide};
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes moved at once.
const PIECE: usize = 64 << 10;
/// Bytes that may wait to be read. What passes beyond that is passed on all the same, and counted.
const MOST_WAITING: usize = 64 << 20;
/// How long the rest of the output is waited for when the server has ended: a child of it may hold the pipe open.
const REST: Duration = Duration::from_millis(250);
/// How long the end waits until what passed is kept.
const LAST: Duration = Duration::from_secs(2);

/// How a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Relayed {
    /// The server's exit status.
    pub status: ExitStatus,
    /// Bytes that were not looked at.
    pub skipped: u64,
}

/// Something for the reader.
enum Seen {
    Bytes { from: McpSide, bytes: Vec<u8>, at: EventTime, after: Duration },
    Skipped(McpSide),
    Over { status: i32, at: EventTime, after: Duration },
}

/// What both directions have in common.
#[derive(Clone)]
struct Copies {
    to_reader: Sender<Seen>,
    waiting: Arc<AtomicUsize>,
    skipped: Arc<AtomicU64>,
    begun: Instant,
}

impl Copies {
    fn give(&self, from: McpSide, bytes: &[u8], gap: &mut bool) {
        if self.waiting.load(Ordering::Relaxed) + bytes.len() > MOST_WAITING {
            self.skipped.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            *gap = true;
            return;
        }
        if std::mem::take(gap) {
            // The reader can be gone only when the connection is over.
            let _ = self.to_reader.send(Seen::Skipped(from));
        }
        self.waiting.fetch_add(bytes.len(), Ordering::Relaxed);
        let seen = Seen::Bytes { from, bytes: bytes.to_vec(), at: wall_clock(), after: self.begun.elapsed() };
        let _ = self.to_reader.send(seen);
    }
}

/// Passes bytes between the agent's streams and a server that was started with pipes, until the server ends.
///
/// `agent_in` and `agent_out` are used from threads that may outlive the call: the caller is to end its process.
///
/// # Errors
/// When the server can't be waited for.
pub fn relay(
    mut server: Child,
    agent_in: impl Read + Send + 'static,
    agent_out: impl Write + Send + 'static,
    kept: Kept,
) -> io::Result<Relayed> {
    let (to_reader, seen) = channel();
    let begun = Instant::now();
    let copies = Copies { to_reader, waiting: Arc::default(), skipped: Arc::default(), begun };
    if let Some(server_in) = server.stdin.take() {
        let copies = copies.clone();
        thread::spawn(move || pass(McpSide::Agent, agent_in, server_in, &copies));
    }
    let (to_rest, rest) = channel();
    if let Some(server_out) = server.stdout.take() {
        let copies = copies.clone();
        thread::spawn(move || {
            pass(McpSide::Server, server_out, agent_out, &copies);
            let _ = to_rest.send(());
        });
    }
    let (waiting, skipped) = (Arc::clone(&copies.waiting), Arc::clone(&copies.skipped));
    let (to_last, last) = channel();
    let lost = Arc::clone(&skipped);
    thread::spawn(move || {
        read(&seen, kept, &waiting, &lost);
        let _ = to_last.send(());
    });
    let status = server.wait()?;
    let _ = rest.recv_timeout(REST);
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    let _ = copies.to_reader.send(Seen::Over { status: code, at: wall_clock(), after: copies.begun.elapsed() });
    let _ = last.recv_timeout(LAST);
    Ok(Relayed { status, skipped: skipped.load(Ordering::Relaxed) })
}

/// Passes one direction on until either end is closed; then the other is closed too, as without a relay.
fn pass(from: McpSide, mut source: impl Read, mut target: impl Write, copies: &Copies) {
    let mut buffer = vec![0; PIECE];
    let mut gap = false;
    loop {
        let length = match source.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        let bytes = &buffer[..length];
        // Copied first: else an answer could be read before the request that it answers.
        copies.give(from, bytes, &mut gap);
        if target.write_all(bytes).and_then(|()| target.flush()).is_err() {
            return;
        }
    }
}

fn read(seen: &Receiver<Seen>, kept: Kept, waiting: &AtomicUsize, skipped: &AtomicU64) {
    let Kept { keeper, mut reader } = kept;
    for seen in seen {
        match seen {
            Seen::Skipped(from) => reader.skipped(from),
            Seen::Bytes { from, bytes, at, after } => {
                waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
                for deed in reader.take(from, &bytes, micros(after)) {
                    keeper.keep(deed, at);
                }
            }
            Seen::Over { status, at, after } => {
                end(&keeper, &mut reader, status, skipped.load(Ordering::Relaxed), at, after);
                return;
            }
        }
    }
}

fn end(keeper: &Keeper, reader: &mut Reader, status: i32, skipped: u64, at: EventTime, after: Duration) {
    let (deeds, unanswered) = reader.finish(micros(after));
    for deed in deeds {
        keeper.keep(deed, at);
    }
    keeper.keep(McpDeed::Ended { unanswered, skipped, status }, at);
}

fn micros(after: Duration) -> u64 {
    u64::try_from(after.as_micros()).unwrap_or(u64::MAX)
}
