//! The last ledger head that left the writer, kept outside the data dir.
//!
//! A data dir put back to an older state is then noticed: its ledger is shorter than, or no prefix of, what was
//! seen here. The file is only as safe as the user's own account.

use crate::error::StoreError;
use agentprov_log::Hash;
use agentprov_model::{EventTime, StoreId};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What is remembered of a store.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StateHead {
    /// Leaves of the ledger.
    pub size: u64,
    /// Root over them, hex.
    pub root: String,
    /// Every public key that has signed for the store, as C2SP vkeys.
    pub vkeys: Vec<String>,
    /// When it was written.
    pub at: EventTime,
    /// Data dir that had it.
    pub data_dir: String,
}

impl StateHead {
    /// The root as a hash.
    pub fn root_hash(&self) -> Option<Hash> {
        Hash::from_hex(&self.root).ok()
    }
}

/// Folder of the remembered heads: `$XDG_STATE_HOME/agentprov/heads`, else below `~/.local/state`.
/// None where neither variable is set.
pub fn folder() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("agentprov/heads"))
}

fn file(folder: &Path, store: &StoreId) -> PathBuf {
    folder.join(format!("{store}.json"))
}

/// Reads what is remembered of a store; None where nothing is.
///
/// # Errors
/// When the file is there but can't be read or parsed.
pub fn read(folder: &Path, store: &StoreId) -> Result<Option<StateHead>, StoreError> {
    let path = file(folder, store);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io("read", path)(error)),
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| StoreError::Damaged(format!("{} does not parse: {error}", path.display())))
}

/// Remembers a head, unless a larger one is remembered already; keys add up.
///
/// # Errors
/// When the file can't be written.
pub fn write(folder: &Path, store: &StoreId, mut head: StateHead) -> Result<(), StoreError> {
    std::fs::create_dir_all(folder).map_err(StoreError::io("create", folder))?;
    let lock_path = folder.join("lock");
    let lock = std::fs::File::create(&lock_path).map_err(StoreError::io("create", &lock_path))?;
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive)
        .map_err(|error| StoreError::io("lock", &lock_path)(error.into()))?;
    if let Ok(Some(known)) = read(folder, store) {
        if known.size > head.size {
            return Ok(());
        }
        let new = head.vkeys.into_iter().filter(|vkey| !known.vkeys.contains(vkey)).collect::<Vec<_>>();
        head.vkeys = known.vkeys.into_iter().chain(new).collect();
    }
    let path = file(folder, store);
    let draft = path.with_extension("draft");
    let bytes = serde_json::to_vec_pretty(&head).expect("a head has only string keys and writes to memory");
    std::fs::write(&draft, bytes).map_err(StoreError::io("write", &draft))?;
    std::fs::rename(&draft, &path).map_err(StoreError::io("rename", &draft))
}
