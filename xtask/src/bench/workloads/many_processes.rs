//! A shell loop: nothing but processes.

use std::ffi::OsString;
use std::path::Path;
use std::rc::Rc;

use super::super::workload::{Expected, Fixture, Missing, Workload};
use crate::Result;
use crate::scratch::Scratch;

const STARTS: u64 = 1000;

pub(crate) struct ManyProcesses;

impl Workload for ManyProcesses {
    fn name(&self) -> &'static str {
        "1,000 x /bin/true"
    }

    fn prepare(&self) -> Result<std::result::Result<Rc<dyn Fixture>, Missing>> {
        Ok(Ok(Rc::new(Loop { directory: Scratch::new("loop")? })))
    }
}

struct Loop {
    directory: Scratch,
}

impl Fixture for Loop {
    fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn command(&self) -> Vec<OsString> {
        let script = format!("i=0; while [ $i -lt {STARTS} ]; do /bin/true || exit 1; i=$((i+1)); done");
        super::words(&["sh", "-c", &script])
    }

    fn reset(&self) -> Result<()> {
        Ok(())
    }

    /// The loop's exit status says it: it ends with success only after the last start.
    fn assert_done(&self) -> Result<()> {
        Ok(())
    }

    fn expected(&self) -> Expected {
        Expected { processes: STARTS + 1, changed_files: 0 }
    }
}
