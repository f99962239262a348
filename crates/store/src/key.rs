//! The store's Ed25519 key: made at first use, readable by its owner alone.

use crate::error::StoreError;
use agentprov_log::SignerKey;
use agentprov_log::note::pem;
use agentprov_model::CommandKey;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Name of the secret key file in the data dir: the seed as 64 hex digits.
pub const KEY_FILE: &str = "store.key";
/// Name of the public key file beside it: a C2SP vkey.
pub const PUBLIC_FILE: &str = "store.pub";

/// Name of the file with the key for hashes of commands: 32 bytes as 64 hex digits.
pub const COMMAND_KEY_FILE: &str = "command.key";

/// The data dir's key for hashes of commands, made at first use. It signs nothing and opens nothing.
///
/// # Errors
/// [`StoreError::Key`] when others may read the file or it holds no key; [`StoreError::Io`] when it can't be read.
pub fn command_key(dir: &Path) -> Result<CommandKey, StoreError> {
    let path = dir.join(COMMAND_KEY_FILE);
    match read_secret(&path) {
        Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            make(&path)?;
            read_secret(&path)
        }
        found => found,
    }
    .map(CommandKey::from_bytes)
}

/// Reads the key at `path` under the name `name`: a seed as 64 hex digits, or PKCS#8 in PEM.
///
/// # Errors
/// [`StoreError::Key`] when others may read the file or it holds no seed; [`StoreError::Io`] when it can't be read.
pub fn read(path: &Path, name: &str) -> Result<SignerKey, StoreError> {
    let text = read_private(path)?;
    let key = if pem::is_pem(&text) {
        SignerKey::from_pem(name, &text)
    } else {
        SignerKey::from_seed(name, &seed_of(path, &text)?)
    };
    key.map_err(|error| StoreError::Key { path: path.to_owned(), why: error.to_string() })
}

fn read_secret(path: &Path) -> Result<[u8; 32], StoreError> {
    seed_of(path, &read_private(path)?)
}

/// The text of a file that nobody but its owner may read.
fn read_private(path: &Path) -> Result<String, StoreError> {
    let refuse = |why: String| StoreError::Key { path: path.to_owned(), why };
    let metadata = std::fs::metadata(path).map_err(StoreError::io("read", path))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(refuse(format!("its mode is {mode:04o}, others may read it; set it to 0600")));
    }
    std::fs::read_to_string(path).map_err(StoreError::io("read", path))
}

fn seed_of(path: &Path, text: &str) -> Result<[u8; 32], StoreError> {
    let refuse = |why: String| StoreError::Key { path: path.to_owned(), why };
    data_encoding::HEXLOWER_PERMISSIVE
        .decode(text.trim().as_bytes())
        .ok()
        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
        .ok_or_else(|| refuse("it does not hold a 32-byte seed as 64 hex digits".into()))
}

/// Makes a key at `path` unless one is there, and gives the one that is there afterwards.
///
/// # Errors
/// As [`read`], when the key of a store that has signed is gone, or when no random bytes can be had.
pub fn read_or_make(path: &Path, name: &str) -> Result<SignerKey, StoreError> {
    let public = path.with_file_name(PUBLIC_FILE);
    if !path.exists() {
        // A new key in the old one's place would make later signatures look like somebody else's.
        if public.exists() && !path.exists() {
            let why = format!(
                "it is gone, though {} is there; put it back, or remove that file too to go on with a new key",
                public.display()
            );
            return Err(StoreError::Key { path: path.to_owned(), why });
        }
        make(path)?;
    }
    let key = read(path, name)?;
    if !public.exists() {
        std::fs::write(&public, format!("{}\n", key.verifier())).map_err(StoreError::io("write", &public))?;
    }
    Ok(key)
}

fn make(path: &Path) -> Result<(), StoreError> {
    let mut seed = [0u8; 32];
    getrandom::fill(&mut seed).map_err(|error| StoreError::Key { path: path.to_owned(), why: error.to_string() })?;
    // Written aside and linked, so that two first users agree on one key.
    let mut suffix = [0u8; 8];
    getrandom::fill(&mut suffix).map_err(|error| StoreError::Key { path: path.to_owned(), why: error.to_string() })?;
    let draft: PathBuf = path.with_extension(format!("draft-{}", data_encoding::HEXLOWER.encode(&suffix)));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .map_err(StoreError::io("create", &draft))?;
    let text = format!("{}\n", data_encoding::HEXLOWER.encode(&seed));
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(StoreError::io("write", &draft))?;
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft).map_err(StoreError::io("remove", &draft))?;
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(StoreError::io("create", path)(error)),
        _ => Ok(()),
    }
}
