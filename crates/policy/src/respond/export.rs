//! Writes the evidence of a risk to a file of its own.

use super::{Adapter, Ended, Job};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::PathBuf;

/// One JSON file per risk in a folder.
#[derive(Clone, Debug)]
pub struct Export {
    /// The folder; made when the first file is written.
    pub folder: PathBuf,
}

impl Adapter for Export {
    fn act(&mut self, job: &Job) -> Ended {
        let path = self.folder.join(format!("{}.json", job.request.risk));
        let mut bytes = job.message().to_string().into_bytes();
        bytes.push(b'\n');
        match self.write(&path, &bytes) {
            Ok(()) => {
                let digest = HEXLOWER.encode(&Sha256::digest(&bytes));
                Ended::confirmed(format!("{} written, sha256 {digest}", path.display()))
            }
            Err(error) => Ended::failed(format!("can't write {}: {error}", path.display())),
        }
    }
}

impl Export {
    fn write(&self, path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let partial = path.with_extension("partial");
        let mut file = std::fs::File::create(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&partial, path)
    }
}
