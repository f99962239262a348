//! Reading a file that grows and is rotated, piece by piece, and going on where an earlier reader stopped.
//!
//! A piece begins at the offset that was saved and is saved as done only after it was taken in. A reader that dies
//! between gets the same piece again, from the same offset, and what was taken in already is known.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Bytes of one piece.
const MAX_PIECE: u64 = 8 << 20;
/// Files beside the followed one that are looked at for a rotated predecessor.
const MAX_SIBLINGS: usize = 4096;

/// A place in a file, whatever its name is by now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Position {
    device: u64,
    inode: u64,
    offset: u64,
}

/// Follows one file.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    saved: PathBuf,
    file: Option<File>,
    position: Option<Position>,
}

/// Whole lines of the file; the last one may be torn where the file was rotated away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece {
    /// Where in its file it begins.
    pub from_offset: u64,
    /// The lines.
    pub bytes: Vec<u8>,
}

impl Follower {
    /// Follows `path`, with what is done kept in `folder`.
    ///
    /// # Errors
    /// When the folder can't be made, or what is kept in it can't be read.
    pub fn new(path: &Path, folder: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let name = Sha256::digest(path.as_os_str().as_encoded_bytes());
        let saved = folder.join(format!("{}.json", data_encoding::HEXLOWER.encode(&name[..8])));
        let position = match std::fs::read(&saved) {
            Ok(bytes) => Some(serde_json::from_slice(&bytes)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(Self { path, saved, file: None, position })
    }

    /// What came since the last piece that was done; `None` where there is nothing yet.
    ///
    /// # Errors
    /// What the file system says.
    pub fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        // A rotated file, its successor, and one that was cut in between.
        for _ in 0..3 {
            if self.file.is_none() && !self.open()? {
                return Ok(None);
            }
            let (Some(file), Some(position)) = (&mut self.file, &mut self.position) else { return Ok(None) };
            if file.metadata()?.len() < position.offset {
                position.offset = 0;
            }
            file.seek(SeekFrom::Start(position.offset))?;
            let mut bytes = Vec::new();
            Read::by_ref(file).take(MAX_PIECE).read_to_end(&mut bytes)?;
            let full = bytes.len() as u64 == MAX_PIECE;
            let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            let rotated = !full && self.is_rotated()?;
            let Some(position) = self.position else { return Ok(None) };
            // A line that fills a whole piece is too long in any case; the end of a rotated file is not written on.
            if whole > 0 && !rotated {
                bytes.truncate(whole);
            }
            if whole > 0 || ((full || rotated) && !bytes.is_empty()) {
                return Ok(Some(Piece { from_offset: position.offset, bytes }));
            }
            if !rotated {
                return Ok(None);
            }
            (self.file, self.position) = (None, None);
        }
        Ok(None)
    }

    /// Saves that a piece was taken in.
    ///
    /// # Errors
    /// When that can't be written; the piece then comes again.
    pub fn done(&mut self, piece: &Piece) -> io::Result<()> {
        let Some(position) = &mut self.position else { return Ok(()) };
        position.offset = piece.from_offset + piece.bytes.len() as u64;
        let draft = self.saved.with_extension("draft");
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(&serde_json::to_vec(position)?)?;
        file.sync_all()?;
        std::fs::rename(&draft, &self.saved)
    }

    /// Opens the file that the position is in, else the one that has the name now.
    fn open(&mut self) -> io::Result<bool> {
        if let Some(position) = self.position {
            if let Some(file) = self.find(position)? {
                self.file = Some(file);
                return Ok(true);
            }
            self.position = None;
        }
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("only regular files can be followed; pipe others in with --file -"));
        }
        self.position = Some(Position { device: metadata.dev(), inode: metadata.ino(), offset: 0 });
        self.file = Some(file);
        Ok(true)
    }

    fn find(&self, position: Position) -> io::Result<Option<File>> {
        let is_it = |metadata: &Metadata| {
            metadata.is_file() && (metadata.dev(), metadata.ino()) == (position.device, position.inode)
        };
        if std::fs::metadata(&self.path).is_ok_and(|metadata| is_it(&metadata)) {
            return File::open(&self.path).map(Some);
        }
        let Some(folder) = self.path.parent() else { return Ok(None) };
        for entry in std::fs::read_dir(folder)?.take(MAX_SIBLINGS) {
            let entry = entry?;
            if entry.metadata().is_ok_and(|metadata| is_it(&metadata)) {
                return File::open(entry.path()).map(Some);
            }
        }
        Ok(None)
    }

    /// Another file has the name now.
    fn is_rotated(&self) -> io::Result<bool> {
        let Some(position) = self.position else { return Ok(false) };
        match std::fs::metadata(&self.path) {
            Ok(now) => Ok((now.dev(), now.ino()) != (position.device, position.inode)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(path: &Path, text: &str) {
        let mut file = File::options().append(true).create(true).open(path).expect("a file");
        file.write_all(text.as_bytes()).expect("it takes it");
    }

    fn take(follower: &mut Follower) -> Vec<String> {
        let mut pieces = Vec::new();
        for _ in 0..10 {
            let Some(piece) = follower.next_piece().expect("it reads") else { break };
            follower.done(&piece).expect("it is saved");
            pieces.push(String::from_utf8(piece.bytes).expect("text"));
        }
        pieces
    }

    #[test]
    fn growth_rotation_and_restarts_lose_and_double_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let kept = folder.path().join("kept");
        let mut follower = Follower::new(&path, &kept).expect("a follower");
        assert!(take(&mut follower).is_empty());
        append(&path, "a\nb\ntor");
        assert_eq!(take(&mut follower), ["a\nb\n"]);
        append(&path, "n\n");
        assert_eq!(take(&mut follower), ["torn\n"]);
        append(&path, "c\n");
        // What was not saved as done comes again, to another reader too.
        let piece = follower.next_piece().expect("it reads").expect("a piece");
        let mut follower = Follower::new(&path, &kept).expect("a follower");
        assert_eq!(follower.next_piece().expect("it reads"), Some(piece));
        drop(follower);
        append(&path, "d\nlast");
        std::fs::rename(&path, folder.path().join("log.1")).expect("it is rotated");
        append(&path, "e\n");
        let mut follower = Follower::new(&path, &kept).expect("a follower");
        assert_eq!(take(&mut follower), ["c\nd\nlast", "e\n"]);
        std::fs::write(&path, "").expect("it is cut");
        assert!(take(&mut follower).is_empty());
        append(&path, "f\n");
        assert_eq!(take(&mut follower), ["f\n"]);
    }
}
