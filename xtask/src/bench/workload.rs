//! A command worth recording, with what it needs and what it must leave behind.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use super::contestant::{Contestant, Evidence, time};
use super::strace;
use crate::Result;
use crate::scratch::Scratch;

pub(crate) trait Workload {
    fn name(&self) -> &'static str;

    /// Makes the files that the command works on, or says what this machine lacks.
    fn prepare(&self) -> Result<std::result::Result<Rc<dyn Fixture>, Missing>>;
}

/// Why a workload cannot run here.
pub(crate) struct Missing(pub(crate) String);

pub(crate) trait Fixture {
    fn directory(&self) -> &Path;

    fn command(&self) -> Vec<OsString>;

    /// Undoes what a run has done.
    fn reset(&self) -> Result<()>;

    /// Fails unless the command did its work.
    fn assert_done(&self) -> Result<()>;

    /// What a complete recording holds at the least.
    fn expected(&self) -> Expected;
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) processes: u64,
    pub(crate) changed_files: u64,
}

/// The command by itself.
pub(crate) struct Bare(pub(crate) Rc<dyn Fixture>);

impl Contestant for Bare {
    fn name(&self) -> String {
        "bare".to_owned()
    }

    fn reset(&mut self) -> Result<()> {
        self.0.reset()
    }

    fn run(&mut self) -> Result<Duration> {
        let words = self.0.command();
        let (program, rest) = words.split_first().ok_or("the workload has no command")?;
        time(Command::new(program).args(rest).current_dir(self.0.directory()))
    }

    fn assert_captured(&mut self) -> Result<Evidence> {
        self.0.assert_done().map(|()| Evidence::default())
    }
}

/// The command below strace.
pub(crate) struct Straced {
    pub(crate) fixture: Rc<dyn Fixture>,
    pub(crate) output: Scratch,
}

impl Straced {
    fn file(&self) -> std::path::PathBuf {
        self.output.path().join("strace.txt")
    }
}

impl Contestant for Straced {
    fn name(&self) -> String {
        "strace -f --seccomp-bpf".to_owned()
    }

    fn reset(&mut self) -> Result<()> {
        self.fixture.reset()
    }

    fn run(&mut self) -> Result<Duration> {
        let mut command = strace::around(&self.file());
        time(command.args(self.fixture.command()).current_dir(self.fixture.directory()))
    }

    fn assert_captured(&mut self) -> Result<Evidence> {
        self.fixture.assert_done()?;
        let bytes = std::fs::read(self.file()).map_err(|error| format!("strace's output: {error}"))?;
        let tasks = strace::tasks_in(&String::from_utf8_lossy(&bytes));
        let expected = self.fixture.expected().processes;
        if u64::try_from(tasks).is_ok_and(|tasks| tasks < expected) {
            return Err(format!("strace saw {tasks} tasks, at least {expected} expected"));
        }
        Ok(Evidence { done: format!("{tasks} tasks"), stored_bytes: u64::try_from(bytes.len()).ok() })
    }
}
