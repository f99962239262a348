//! Who is asked before a connection is made or a file is opened.

use agentprov_model::{FileOpened, ProcessId, SocketAddress};

/// What becomes of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ruling {
    /// It is made.
    Allow,
    /// It fails with EPERM and is not made.
    Deny,
}

/// Which opens a gate must be asked about: holding a call costs time, so only those are held.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Opens {
    /// None.
    None,
    /// Those that may create or change something.
    Changing,
    /// All.
    All,
}

/// Asked before a call, with the very arguments that are then used: the caller's memory is read once.
///
/// Must answer quickly: the caller waits.
pub trait Gate: Send + Sync {
    /// Whether the process may connect to this address.
    fn connect(&self, process: Option<ProcessId>, address: &SocketAddress) -> Ruling;

    /// Which opens it wants to be asked about; asked once, before the command starts.
    fn opens(&self) -> Opens {
        Opens::None
    }

    /// Whether the process may open this file. The result in `open` is not known yet.
    fn open(&self, _process: Option<ProcessId>, _open: &FileOpened) -> Ruling {
        Ruling::Allow
    }
}
