//! A thread that finds out who calls and writes calls down, beside what passes.

use agentprov_ingest::hooks::wall_clock;
use agentprov_ingest::llm::{LlmKeeper, find_clients};
use agentprov_model::EventTime;
use agentprov_model::declared::{ProcessAnchor, RunningText};
use agentprov_model::llm::{LlmCall, LlmDeed};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::SetOnce;

/// Entries that wait; beyond, calls wait for the scribe.
const MOST_WAITING: usize = 1_024;

/// An answer of our own is not held back longer than this.
const LONGEST_LOOK: Duration = Duration::from_millis(250);

/// The thread.
pub(super) struct Scribe {
    thread: JoinHandle<()>,
}

/// Where calls are told to it.
#[derive(Clone)]
pub(super) struct Desk {
    entries: SyncSender<Entry>,
    keeper: Arc<LlmKeeper>,
}

/// The process at the other end of one connection, once it was looked for.
#[derive(Clone, Default, Debug)]
pub(super) struct Caller(Arc<SetOnce<Option<ProcessAnchor>>>);

impl Caller {
    /// Waits until it was looked for: an answer of our own is there at once, and a client that has it may end before it
    /// was found. Answers of vendors take longer than the look, and are not held back.
    pub(super) async fn looked_for(&self) {
        let _ = tokio::time::timeout(LONGEST_LOOK, self.0.wait()).await;
    }
}

/// A connection's entry stands before those of its calls, so that its caller was looked for when they are written.
enum Entry {
    Connected(SocketAddr, Caller),
    Ended(Caller, EventTime, Box<LlmCall>),
}

impl Scribe {
    /// Starts it for calls that arrive at an address. It ends when every desk is gone.
    pub(super) fn start(keeper: LlmKeeper, address: SocketAddr) -> io::Result<(Self, Desk)> {
        let (entries, arriving) = sync_channel(MOST_WAITING);
        let keeper = Arc::new(keeper);
        let desk = Desk { entries, keeper: keeper.clone() };
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
    while let Ok(first) = arriving.recv() {
        // Connections that come at once are looked for at once, before anything is written: they may close soon.
        let entries: Vec<Entry> = std::iter::once(first).chain(arriving.try_iter().take(MOST_WAITING)).collect();
        let mut connected = Vec::new();
        let mut ended = Vec::new();
        for entry in entries {
            match entry {
                Entry::Connected(client, caller) => connected.push((client, caller)),
                Entry::Ended(caller, at, call) => ended.push((caller, at, call)),
            }
        }
        let addresses: Vec<SocketAddr> = connected.iter().map(|(client, _)| *client).collect();
        for ((_, caller), found) in connected.into_iter().zip(find_clients(&addresses, address)) {
            // Nobody else looks.
            let _ = caller.0.set(found);
        }
        for (caller, at, call) in ended {
            keeper.keep(LlmDeed::Call(call), caller.0.get().cloned().flatten(), at);
        }
    }
}

impl Desk {
    /// A text that is named by hash and length.
    pub(super) fn text(&self) -> RunningText {
        self.keeper.text()
    }

    /// A connection comes from this address. Its other end is looked for meanwhile; nothing that passes waits for it.
    pub(super) fn connected(&self, client: SocketAddr) -> Caller {
        let caller = Caller::default();
        // The scribe lives as long as a desk does.
        let _ = self.entries.send(Entry::Connected(client, caller.clone()));
        caller
    }

    /// A call is over. Its time is that of its end: what it caused comes after.
    pub(super) fn end(&self, caller: Caller, call: LlmCall) {
        let _ = self.entries.send(Entry::Ended(caller, wall_clock(), Box::new(call)));
    }
}
