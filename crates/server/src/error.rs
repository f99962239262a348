//! Why the service does not start or an analysis has no result.

use agentprov_store::StoreError;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Failure of the service.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another service works on the same store.
    #[error("another service works on the store at {0}")]
    Busy(PathBuf),
    /// Everybody in the network could use the service.
    #[error("{0} is no loopback address, and --no-auth lets everybody in")]
    OpenToAll(SocketAddr),
    /// The address can't be listened on.
    #[error("can't listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A file can't be used.
    #[error("{path}: {why}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A setting has no usable value.
    #[error("the setting {name}: {why}")]
    Setting {
        /// Name of the variable.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// The system refused something.
    #[error("{action}: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// The rules that come with the program can't be read.
    #[error("the rules of the built-in engine: {0}")]
    Rules(String),
    /// What is kept of an analysis can't be read.
    #[error("analysis '{id}': {why}")]
    Kept {
        /// The analysis.
        id: String,
        /// What is wrong.
        why: String,
    },
    /// A statement can't be made.
    #[error("the decision can't be signed: {0}")]
    Statement(String),
}

impl ServerError {
    /// The next step, where one is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Busy(_) => Some("stop the other one, or name another store with --data-dir".into()),
            Self::OpenToAll(_) => Some("leave out --no-auth, or listen on 127.0.0.1".into()),
            Self::Listen { .. } => Some("choose another address with --listen".into()),
            _ => None,
        }
    }
}
