//! Contents on disk: one zstd frame a file, named by the SHA-256 of the raw bytes.

use crate::error::StoreError;
use crate::reader::Reader;
use agentprov_model::{ContentId, GitBlobId};
use rusqlite::OptionalExtension;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Fast and good enough: sources shrink to about a third.
const ZSTD_LEVEL: i32 = 1;

/// The blob folder: `blobs/<2 hex>/<62 hex>`.
#[derive(Clone, Debug)]
pub struct Blobs {
    folder: PathBuf,
}

/// What the store knows of a kept content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobRow {
    /// SHA-256 of the raw bytes.
    pub sha256: ContentId,
    /// Length of the raw bytes.
    pub size: u64,
    /// Bytes on disk; None where git holds the content.
    pub stored: Option<u64>,
}

impl Blobs {
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self { folder: data_dir.join("blobs") }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// File of a content, whether it is there or not.
    pub fn path(&self, id: &ContentId) -> PathBuf {
        let hex = id.to_hex();
        self.folder.join(&hex[..2]).join(&hex[2..])
    }

    /// Bytes on disk of a stored content.
    pub fn stored_size(&self, id: &ContentId) -> Option<u64> {
        std::fs::metadata(self.path(id)).ok().map(|metadata| metadata.len())
    }

    /// Stores the bytes under their hash; a content that is there already is left as it is. Gives the bytes added on disk.
    ///
    /// # Errors
    /// When a file can't be written, for example on a full disk; nothing of it remains then.
    pub fn put(&self, id: &ContentId, bytes: &[u8]) -> Result<u64, StoreError> {
        static DRAFTS: AtomicU64 = AtomicU64::new(0);
        let path = self.path(id);
        if path.exists() {
            return Ok(0);
        }
        let frame = zstd::bulk::compress(bytes, ZSTD_LEVEL).map_err(StoreError::io("compress", &path))?;
        let folder = path.parent().unwrap_or(&self.folder);
        std::fs::create_dir_all(folder).map_err(StoreError::io("create", folder))?;
        // Written aside and renamed, so that a file under a hash is always whole.
        let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
        let draft = self.folder.join(format!("draft-{}-{number}", std::process::id()));
        let written = std::fs::write(&draft, &frame).and_then(|()| std::fs::rename(&draft, &path));
        if let Err(error) = written {
            let _ = std::fs::remove_file(&draft);
            return Err(StoreError::io("write", path)(error));
        }
        Ok(frame.len() as u64)
    }

    /// The raw bytes of a stored content; None where it is not here. The hash is checked.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the file does not hold the content of its name.
    pub fn get(&self, id: &ContentId) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(id);
        let frame = match std::fs::read(&path) {
            Ok(frame) => frame,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("read", path)(error)),
        };
        let damaged = |why: String| StoreError::Damaged(format!("blob {id}: {why}"));
        let bytes = zstd::stream::decode_all(frame.as_slice()).map_err(|error| damaged(error.to_string()))?;
        let found = ContentId::from_bytes(Sha256::digest(&bytes).into());
        if found != *id {
            return Err(damaged(format!("its bytes have the hash {found}")));
        }
        Ok(Some(bytes))
    }

    /// Removes a stored content; gives the bytes freed.
    ///
    /// # Errors
    /// When the file is there and can't be removed.
    pub fn remove(&self, id: &ContentId) -> Result<u64, StoreError> {
        let path = self.path(id);
        let size = self.stored_size(id).unwrap_or(0);
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(size),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(StoreError::io("remove", path)(error)),
        }
    }

    /// Every content that has a file, in no order; drafts left by a killed writer are skipped.
    ///
    /// # Errors
    /// When a folder can't be read.
    pub fn list(&self) -> Result<Vec<ContentId>, StoreError> {
        let mut found = Vec::new();
        let Ok(folders) = std::fs::read_dir(&self.folder) else { return Ok(found) };
        for folder in folders {
            let folder = folder.map_err(StoreError::io("read", &self.folder))?.path();
            let Ok(files) = std::fs::read_dir(&folder) else { continue };
            let prefix = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            for file in files {
                let name = file.map_err(StoreError::io("read", &folder))?.file_name();
                found.extend(format!("{prefix}{}", name.to_string_lossy()).parse::<ContentId>());
            }
        }
        Ok(found)
    }

    /// Drafts that a killed writer left.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn drafts(&self) -> Result<Vec<PathBuf>, StoreError> {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(StoreError::io("read", &self.folder))?;
            if entry.file_name().to_string_lossy().starts_with("draft-") {
                found.push(entry.path());
            }
        }
        Ok(found)
    }
}

impl Reader {
    /// What is known of a kept content.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn blob_row(&self, id: &ContentId) -> Result<Option<BlobRow>, StoreError> {
        Ok(self
            .connection()
            .prepare_cached("SELECT size, stored FROM blob WHERE sha256 = ?1")?
            .query_row([id.as_bytes()], |row| {
                let stored = row.get::<_, Option<i64>>(1)?.map(|bytes| bytes as u64);
                Ok(BlobRow { sha256: *id, size: row.get::<_, i64>(0)? as u64, stored })
            })
            .optional()?)
    }

    /// The raw bytes of a content: from the blob folder, else from the git repository around `workspace`.
    /// None where neither has it.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the stored file does not hold what its name says.
    pub fn content(
        &self,
        id: &ContentId,
        git: Option<&GitBlobId>,
        workspace: &Path,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(bytes) = self.store().blobs().get(id)? {
            return Ok(Some(bytes));
        }
        let Some(git) = git else { return Ok(None) };
        let bytes = git_blob(workspace, git);
        Ok(bytes.filter(|bytes| ContentId::from_bytes(Sha256::digest(bytes).into()) == *id))
    }
}

/// Reads a blob from git; None where git or the object is missing.
pub fn git_blob(workspace: &Path, id: &GitBlobId) -> Option<Vec<u8>> {
    let output = std::process::Command::new("git")
        .arg("-C")
        .arg(workspace)
        .args(["--no-optional-locks", "cat-file", "blob", &id.to_string()])
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .output()
        .ok()?;
    output.status.success().then_some(output.stdout)
}
