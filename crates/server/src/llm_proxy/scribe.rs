//! A thread that finds out who calls and writes calls down, so that nothing that passes waits for it.

use agentprov_ingest::hooks::wall_clock;
use agentprov_ingest::llm::{Clients, LlmKeeper};
use agentprov_model::EventTime;
use agentprov_model::declared::RunningText;
use agentprov_model::llm::{LlmCall, LlmDeed};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// Entries that wait; beyond, calls wait for the scribe.
const MOST_WAITING: usize = 1_024;

/// The thread.
pub(super) struct Scribe {
    thread: JoinHandle<()>,
}

/// Where calls are told to it.
#[derive(Clone)]
pub(super) struct Desk {
    entries: SyncSender<Entry>,
    keeper: Arc<LlmKeeper>,
    last: Arc<AtomicU64>,
}

/// A call that the scribe knows of.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct CallNo(u64);

enum Entry {
    Begun(CallNo, SocketAddr, oneshot::Sender<()>),
    Ended(CallNo, EventTime, Box<LlmCall>),
}

impl Scribe {
    /// Starts it for calls that arrive at an address. It ends when every desk is gone.
    pub(super) fn start(keeper: LlmKeeper, address: SocketAddr) -> io::Result<(Self, Desk)> {
        let (entries, arriving) = sync_channel(MOST_WAITING);
        let keeper = Arc::new(keeper);
        let desk = Desk { entries, keeper: keeper.clone(), last: Arc::default() };
        let thread = std::thread::Builder::new()
            .name("llm-scribe".to_owned())
            .spawn(move || write_down(&arriving, &keeper, address))?;
        Ok((Self { thread }, desk))
    }

    /// Waits until everything is written.
    pub(super) fn finish(self) {
        // A scribe that broke down has nothing left to write.
        let _ = self.thread.join();
    }
}

fn write_down(arriving: &Receiver<Entry>, keeper: &LlmKeeper, address: SocketAddr) {
    let mut clients = Clients::default();
    let mut open = HashMap::new();
    while let Ok(first) = arriving.recv() {
        // Calls that come at once are looked for at once.
        let entries: Vec<Entry> = std::iter::once(first).chain(arriving.try_iter().take(MOST_WAITING)).collect();
        let mut begun = Vec::new();
        let mut ended = Vec::new();
        for entry in entries {
            match entry {
                Entry::Begun(no, client, looked) => begun.push((no, client, looked)),
                Entry::Ended(no, at, call) => ended.push((no, at, call)),
            }
        }
        let addresses: Vec<SocketAddr> = begun.iter().map(|(_, client, _)| *client).collect();
        let found = if addresses.is_empty() { Vec::new() } else { clients.find(&addresses, address) };
        for ((no, _, looked), found) in begun.into_iter().zip(found) {
            open.insert(no, found);
            // Where nobody waits any more the call is over already.
            let _ = looked.send(());
        }
        for (no, at, call) in ended {
            keeper.keep(LlmDeed::Call(call), open.remove(&no).flatten(), at);
        }
    }
}

impl Desk {
    /// A text that is named by hash and length.
    pub(super) fn text(&self) -> RunningText {
        self.keeper.text()
    }

    /// A call comes from this address. The second is ready when the client was looked for.
    pub(super) fn begin(&self, client: SocketAddr) -> (CallNo, oneshot::Receiver<()>) {
        let (looking, looked) = oneshot::channel();
        let no = CallNo(self.last.fetch_add(1, Ordering::Relaxed));
        // The scribe lives as long as a desk does.
        let _ = self.entries.send(Entry::Begun(no, client, looking));
        (no, looked)
    }

    /// It is over. Its time is that of its end: what it caused comes after.
    pub(super) fn end(&self, no: CallNo, call: LlmCall) {
        let _ = self.entries.send(Entry::Ended(no, wall_clock(), Box::new(call)));
    }
}
