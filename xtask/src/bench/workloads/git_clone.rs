//! A clone of a repository with many files: nothing but writes.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::super::workload::{Expected, Fixture, Missing, Workload};
use crate::Result;
use crate::scratch::Scratch;

const FILES: usize = 5000;
const FILES_IN_A_FOLDER: usize = 100;

pub(crate) struct GitClone;

impl Workload for GitClone {
    fn name(&self) -> &'static str {
        "git clone of 5,000 files"
    }

    fn prepare(&self) -> Result<std::result::Result<Rc<dyn Fixture>, Missing>> {
        let origin = Scratch::new("origin")?;
        for number in 0..FILES {
            // Sizes as in source trees: mostly a few KiB, all different.
            let text = format!("line of file {number}\n").repeat(20 + number % 200);
            super::write(&origin.path().join(file_name(number)), &text)?;
        }
        super::commit_all(origin.path())?;
        Ok(Ok(Rc::new(Clone { origin, directory: Scratch::new("clone")? })))
    }
}

fn file_name(number: usize) -> PathBuf {
    PathBuf::from(format!("folder{}/file{number}.txt", number / FILES_IN_A_FOLDER))
}

struct Clone {
    origin: Scratch,
    directory: Scratch,
}

impl Clone {
    fn copy(&self) -> PathBuf {
        self.directory.path().join("copy")
    }
}

impl Fixture for Clone {
    fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn command(&self) -> Vec<OsString> {
        // Without --no-local git would link the objects and write only the work tree.
        let mut words = super::words(&["git", "clone", "--quiet", "--no-local"]);
        words.extend([self.origin.path().as_os_str().to_owned(), "copy".into()]);
        words
    }

    fn reset(&self) -> Result<()> {
        super::remove(&self.copy())
    }

    fn assert_done(&self) -> Result<()> {
        let missing = (0..FILES).map(file_name).find(|name| !self.copy().join(name).is_file());
        match missing {
            Some(name) => Err(format!("the clone has no {}", name.display())),
            None => Ok(()),
        }
    }

    fn expected(&self) -> Expected {
        Expected { processes: 2, changed_files: u64::try_from(FILES).unwrap_or(u64::MAX) }
    }
}
