//! Where rows come from: a file, standard input, or a file that grows.

use crate::failure::Failure;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often a file is asked whether it has grown.
const INTERVAL: Duration = Duration::from_millis(100);

/// An input, and whether rows come as things happen.
pub(super) struct Input {
    pub(super) reader: Box<dyn Read + Send>,
    pub(super) name: String,
    pub(super) live: bool,
}

impl Input {
    /// Opens a file, or standard input for `-`.
    pub(super) fn open(path: &Path, follow: Option<Option<Duration>>) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let unreadable = |error: io::Error| {
            Failure::new(format!("can't read {name}: {error}")).hint("name a file with --file, or - for standard input")
        };
        if path == Path::new("-") {
            if follow.is_some() {
                return Err(Failure::usage("--follow needs a file; standard input is read as it comes anyway"));
            }
            return Ok(Self { reader: Box::new(io::stdin()), name, live: true });
        }
        let file = File::open(path).map_err(unreadable)?;
        let kind = file.metadata().map_err(unreadable)?.file_type();
        if kind.is_dir() {
            return Err(Failure::usage(format!("{name} is a folder")).hint("name a file with --file"));
        }
        if let Some(idle) = follow {
            let reader = Box::new(Following::new(path.to_owned(), file, idle).map_err(unreadable)?);
            return Ok(Self { reader, name, live: true });
        }
        let live = kind.is_fifo() || kind.is_socket() || kind.is_char_device();
        Ok(Self { reader: Box::new(file), name, live })
    }
}

/// A file that grows and is rotated: at its end it waits, and goes on with the file that has taken its name.
struct Following {
    path: PathBuf,
    file: File,
    inode: (u64, u64),
    /// Ends the input after this long without a new byte.
    idle: Option<Duration>,
}

impl Following {
    fn new(path: PathBuf, file: File, idle: Option<Duration>) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self { path, file, inode: (metadata.dev(), metadata.ino()), idle })
    }

    /// Takes up the file that has the name now, where that is another one or was cut.
    fn changed(&mut self) -> io::Result<()> {
        let Ok(metadata) = std::fs::metadata(&self.path) else { return Ok(()) };
        let inode = (metadata.dev(), metadata.ino());
        if inode != self.inode {
            self.file = File::open(&self.path)?;
            self.inode = inode;
        } else if metadata.len() < self.file.stream_position()? {
            self.file.seek(SeekFrom::Start(0))?;
        }
        Ok(())
    }
}

impl Read for Following {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let began = Instant::now();
        loop {
            let count = self.file.read(into)?;
            if count > 0 {
                return Ok(count);
            }
            if self.idle.is_some_and(|idle| began.elapsed() >= idle) {
                return Ok(0);
            }
            std::thread::sleep(INTERVAL);
            // What was written to the old file before it was renamed comes first.
            let count = self.file.read(into)?;
            if count > 0 {
                return Ok(count);
            }
            self.changed()?;
        }
    }
}
