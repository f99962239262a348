//! Files: calls on them, and the states that they pass through.

use crate::content::Content;
use crate::os_bytes::OsBytes;
use crate::outcome::CallResult;
use crate::process::ProcessId;
use serde::{Deserialize, Serialize};

/// A file was opened, or the attempt failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FileOpened {
    /// Absolute path as the kernel resolved it; for failed calls joined from the caller's directory.
    pub path: OsBytes,
    /// The path as the caller gave it, where joining it does not give `path`
    /// (symlinks, `..`, another root).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<OsBytes>,
    /// What the caller asked for.
    pub access: Access,
    /// O_CREAT was set.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub create: bool,
    /// O_TRUNC was set.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncate: bool,
    /// The descriptor, or the errno.
    pub result: CallResult,
}

/// Access mode of an open.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// O_RDONLY.
    Read,
    /// O_WRONLY.
    Write,
    /// O_RDWR.
    ReadWrite,
    /// O_PATH: a name without the right to read or write.
    Path,
}

impl Access {
    /// True where the descriptor may write.
    pub const fn writes(self) -> bool {
        matches!(self, Self::Write | Self::ReadWrite)
    }
}

/// A name or an attribute was changed, or the attempt failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FileChanged {
    /// Which kind of call.
    pub op: FileOp,
    /// Absolute path; for rename and link the old name.
    pub path: OsBytes,
    /// For rename and link the new name; for symlink the target text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path2: Option<OsBytes>,
    /// Permission bits for mkdir, mknod and chmod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// The object is a directory, where that was seen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub directory: bool,
    /// How the call ended.
    pub result: CallResult,
}

/// Calls that change names or attributes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileOp {
    /// `rename`, `renameat`, `renameat2`.
    Rename,
    /// `renameat2` with RENAME_EXCHANGE: both names change places.
    Exchange,
    /// `link`, `linkat`.
    Link,
    /// `symlink`, `symlinkat`; `path` is the new name.
    Symlink,
    /// `unlink`, `unlinkat` of a file.
    Unlink,
    /// `rmdir`, or `unlinkat` with AT_REMOVEDIR.
    Rmdir,
    /// `mkdir`, `mkdirat`.
    Mkdir,
    /// `mknod`, `mknodat`.
    Mknod,
    /// `chmod`, `fchmod`, `fchmodat`, `fchmodat2`.
    Chmod,
    /// `chown` and relatives.
    Chown,
    /// `truncate` by path (by descriptor it is part of a write).
    Truncate,
}

/// A file of the workspace passed from one state to the next.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FileVersion {
    /// Absolute path.
    pub path: OsBytes,
    /// Path below the workspace, `/`-separated; absent for files outside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_path: Option<OsBytes>,
    /// State before: of the first version in an attempt the pre-image, later the state of the version before.
    pub before: FileState,
    /// State now.
    pub after: FileState,
    /// Every process that had the file open for writing; more than one means that any of them may have written.
    pub writers: Vec<ProcessId>,
    /// What ended the writing.
    pub cause: VersionCause,
}

/// What a path held.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// Nothing was there.
    Missing,
    /// A regular file.
    File {
        /// Its content.
        content: Content,
        /// Permission bits (07777).
        mode: u32,
    },
    /// A regular file whose bytes were not read.
    Unread {
        /// Length in bytes, where known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
        /// Why, for people.
        why: String,
    },
    /// A symbolic link.
    Symlink {
        /// The text of the link.
        target: OsBytes,
    },
    /// A directory.
    Directory,
    /// A fifo, socket or device.
    Special,
    /// Not known.
    Unknown {
        /// Why, for people.
        why: String,
    },
}

impl FileState {
    /// The content, where there is one that was read.
    pub fn content(&self) -> Option<&Content> {
        match self {
            Self::File { content, .. } => Some(content),
            _ => None,
        }
    }
}

/// What made a new version.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionCause {
    /// The last descriptor or mapping that could write was released.
    Closed,
    /// Another file was renamed to this path, from here.
    RenamedFrom(OsBytes),
    /// The file was renamed away from this path, to here.
    RenamedTo(OsBytes),
    /// A hard link was made, to this file.
    LinkedFrom(OsBytes),
    /// A symbolic link was made.
    Symlinked,
    /// The name was removed.
    Unlinked,
    /// The file was cut by path.
    Truncated,
    /// Its permission bits were changed.
    ModeChanged,
    /// The recording ended while it was still open for writing.
    StillOpen,
    /// It was found changed by comparing the workspace after the run; who wrote it was not seen.
    Compared,
}

/// A bounded copy of what the command printed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OutputKept {
    /// Which stream.
    pub stream: OutputStream,
    /// The kept bytes, redacted.
    pub content: Content,
    /// Bytes that the command printed in all.
    pub total: u64,
}

/// An output stream of the command.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputStream {
    /// Descriptor 1.
    Stdout,
    /// Descriptor 2.
    Stderr,
}
