//! What setup put into a file, remembered outside it, so that it can be taken out to the byte.
//!
//! A receipt holds places and hashes only: settings can hold secrets.

use super::json::{Insertions, undo};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

#[derive(Serialize, Deserialize)]
pub(super) struct Receipt {
    /// The file, for people.
    path: String,
    /// Hash of the text before; None where there was no file.
    before: Option<String>,
    after: String,
    insertions: Insertions,
    /// Folders that were made for it, the outermost first.
    folders: Vec<PathBuf>,
}

/// What a file was before setup.
pub(super) struct Before {
    /// Its text; None where there was no file.
    pub(super) text: Option<String>,
    pub(super) folders: Vec<PathBuf>,
}

impl Receipt {
    pub(super) fn new(
        path: &Path,
        before: Option<&str>,
        after: &str,
        insertions: Insertions,
        folders: Vec<PathBuf>,
    ) -> Self {
        Self { path: path.display().to_string(), before: before.map(hash), after: hash(after), insertions, folders }
    }

    /// What the file was before, where the text is still what setup made of it.
    pub(super) fn before(&self, text: &str) -> Option<Before> {
        if hash(text) != self.after {
            return None;
        }
        let folders = self.folders.clone();
        let Some(expected) = &self.before else { return Some(Before { text: None, folders }) };
        let text = undo(text, &self.insertions)?;
        (hash(&text) == *expected).then_some(Before { text: Some(text), folders })
    }

    /// The receipt for a file, where there is one that can be read.
    pub(super) fn load(file: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(place(file)?).ok()?).ok()
    }

    /// Keeps the receipt. Without it removing still works, only not always to the byte: so failing is no failure.
    pub(super) fn save(&self, file: &Path) {
        let Some(place) = place(file) else { return };
        let Ok(bytes) = serde_json::to_vec_pretty(self) else { return };
        let folder = place.parent().unwrap_or(Path::new("/"));
        if std::fs::create_dir_all(folder).is_ok() {
            // A receipt that is cut short does not parse, and counts as none.
            let _ = std::fs::write(place, bytes);
        }
    }

    pub(super) fn forget(file: &Path) {
        if let Some(place) = place(file) {
            let _ = std::fs::remove_file(place);
        }
    }
}

fn place(file: &Path) -> Option<PathBuf> {
    let heads = agentprov_store::state_head::folder()?;
    let name = HEXLOWER.encode(&Sha256::digest(file.as_os_str().as_encoded_bytes()));
    Some(heads.with_file_name("setup").join(format!("{name}.json")))
}

fn hash(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
}
