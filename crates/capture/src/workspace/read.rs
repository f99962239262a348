//! Reading a file once: its hashes, and its bytes where they are wanted.

use super::git::ObjectFormat;
use crate::sys::fd;
use agentprov_model::content::{GitSha1, GitSha256};
use agentprov_model::{ContentId, GitBlobId};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::io;
use std::os::fd::RawFd;

/// Bytes per read of a file that is hashed only.
const CHUNK: usize = 256 * 1024;

/// A content and its names.
pub(crate) struct Read {
    pub(crate) sha256: ContentId,
    pub(crate) git: Option<GitBlobId>,
    pub(crate) size: u64,
    /// False where the file was too large to hold: the bytes are not in the buffer.
    pub(crate) whole: bool,
}

/// Names bytes in memory.
pub(crate) fn name(bytes: &[u8], format: Option<ObjectFormat>) -> Read {
    let sha256 = ContentId::from_bytes(Sha256::digest(bytes).into());
    let git = format.map(|format| {
        let mut hasher = GitHasher::new(format, bytes.len() as u64);
        hasher.update(bytes);
        hasher.finish()
    });
    Read { sha256, git, size: bytes.len() as u64, whole: true }
}

/// Reads a file into `buffer` up to `keep` bytes; beyond that it is only hashed.
pub(crate) fn read(
    file: RawFd,
    size: u64,
    keep: u64,
    format: Option<ObjectFormat>,
    buffer: &mut Vec<u8>,
) -> io::Result<Read> {
    buffer.clear();
    if size <= keep {
        // One byte more than expected: a file that grows meanwhile is read on.
        let room = usize::try_from(size).unwrap_or(usize::MAX).saturating_add(1);
        buffer.resize(room, 0);
        let mut length = fd::read_at(file, buffer, 0)?;
        while length == buffer.len() && (length as u64) <= keep {
            buffer.resize(length + CHUNK, 0);
            length += fd::read_at(file, &mut buffer[length..], length as u64)?;
        }
        if length as u64 <= keep {
            buffer.truncate(length);
            return Ok(name(buffer, format));
        }
    }
    stream(file, size, format, buffer)
}

fn stream(file: RawFd, size: u64, format: Option<ObjectFormat>, buffer: &mut Vec<u8>) -> io::Result<Read> {
    buffer.clear();
    buffer.resize(CHUNK, 0);
    let mut sha256 = Sha256::new();
    let mut git = format.map(|format| GitHasher::new(format, size));
    let mut offset = 0u64;
    loop {
        let length = fd::read_at(file, buffer, offset)?;
        if length == 0 {
            break;
        }
        sha256.update(&buffer[..length]);
        if let Some(git) = &mut git {
            git.update(&buffer[..length]);
        }
        offset += length as u64;
    }
    buffer.clear();
    buffer.shrink_to(CHUNK);
    // git hashes the length first: a file that changed its length meanwhile has no git name.
    let git = git.filter(|_| offset == size).map(GitHasher::finish);
    Ok(Read { sha256: ContentId::from_bytes(sha256.finalize().into()), git, size: offset, whole: false })
}

enum GitHasher {
    Sha1(Sha1),
    Sha256(Sha256),
}

impl GitHasher {
    fn new(format: ObjectFormat, size: u64) -> Self {
        let header = format!("blob {size}\0");
        match format {
            ObjectFormat::Sha1 => Self::Sha1(Sha1::new_with_prefix(header)),
            ObjectFormat::Sha256 => Self::Sha256(Sha256::new_with_prefix(header)),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> GitBlobId {
        match self {
            Self::Sha1(hasher) => GitBlobId::Sha1(GitSha1::from_bytes(hasher.finalize().into())),
            Self::Sha256(hasher) => GitBlobId::Sha256(GitSha256::from_bytes(hasher.finalize().into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_git_and_sha256sum() {
        let read = name(b"hello\n", Some(ObjectFormat::Sha1));
        assert_eq!(read.git.map(|id| id.to_string()).as_deref(), Some("ce013625030ba8dba906f756967f9e9ca394464a"));
        assert_eq!(read.sha256.to_string(), "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
    }
}
