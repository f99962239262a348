//! A command that does nothing in a workspace that holds much: the price of starting to record.

use std::ffi::OsString;
use std::path::Path;
use std::rc::Rc;

use super::super::workload::{Expected, Fixture, Missing, Workload};
use crate::Result;
use crate::scratch::Scratch;

const FILES: usize = 100_000;
const FILES_IN_A_FOLDER: usize = 200;

pub(crate) struct LargeWorkspace;

impl Workload for LargeWorkspace {
    fn name(&self) -> &'static str {
        "true in a git workspace of 100,000 files"
    }

    fn prepare(&self) -> Result<std::result::Result<Rc<dyn Fixture>, Missing>> {
        let directory = Scratch::new("large")?;
        for number in 0..FILES {
            let name = format!("folder{}/file{number}.txt", number / FILES_IN_A_FOLDER);
            super::write(&directory.path().join(name), &format!("file {number}\n"))?;
        }
        super::commit_all(directory.path())?;
        Ok(Ok(Rc::new(Workspace(directory))))
    }
}

struct Workspace(Scratch);

impl Fixture for Workspace {
    fn directory(&self) -> &Path {
        self.0.path()
    }

    fn command(&self) -> Vec<OsString> {
        super::words(&["true"])
    }

    fn reset(&self) -> Result<()> {
        Ok(())
    }

    /// The exit status says it.
    fn assert_done(&self) -> Result<()> {
        Ok(())
    }

    fn expected(&self) -> Expected {
        Expected { processes: 1, changed_files: 0 }
    }
}
