//! Who is asked before a connection is made.

use agentprov_model::{ProcessId, SocketAddress};

/// What becomes of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ruling {
    /// It is made.
    Allow,
    /// It fails with EPERM and is not made.
    Deny,
}

/// Asked before each `connect`, with the very address that is then used: the caller's memory is read once.
pub trait Gate: Send + Sync {
    /// Whether the process may connect to this address. Must answer quickly: the caller waits.
    fn connect(&self, process: Option<ProcessId>, address: &SocketAddress) -> Ruling;
}
