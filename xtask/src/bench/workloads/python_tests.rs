//! A Python test suite: an interpreter that reads many modules, starts processes and writes files.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;

use super::super::workload::{Expected, Fixture, Missing, Workload};
use crate::Result;
use crate::scratch::Scratch;

const MODULES: usize = 20;
const TESTS_IN_A_MODULE: usize = 10;

pub(crate) struct PythonTests {
    name: &'static str,
    /// The module that `python3 -m` runs, and its arguments.
    runner: &'static [&'static str],
}

impl PythonTests {
    pub(crate) const UNITTEST: Self =
        Self { name: "python test suite (unittest)", runner: &["unittest", "discover", "--quiet"] };
    pub(crate) const PYTEST: Self =
        Self { name: "python test suite (pytest)", runner: &["pytest", "--quiet", "-p", "no:cacheprovider"] };
}

impl Workload for PythonTests {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prepare(&self) -> Result<std::result::Result<Rc<dyn Fixture>, Missing>> {
        let module = self.runner.first().copied().unwrap_or_default();
        let there = Command::new("python3").args(["-c", &format!("import {module}")]).output();
        if !there.is_ok_and(|output| output.status.success()) {
            return Ok(Err(Missing(format!("python3 has no module {module}"))));
        }
        let directory = Scratch::new("python")?;
        for module in 0..MODULES {
            let path = directory.path().join(format!("test_module{module}.py"));
            super::write(&path, &source_of_module(module))?;
        }
        Ok(Ok(Rc::new(Suite { directory, runner: self.runner })))
    }
}

/// Each test writes a file; the first of each module starts a process as well.
fn source_of_module(module: usize) -> String {
    let mut text = String::from("import os, subprocess, unittest\n\n\nclass Tests(unittest.TestCase):\n");
    for test in 0..TESTS_IN_A_MODULE {
        text.push_str(&format!("    def test_{test}(self):\n"));
        if test == 0 {
            text.push_str("        subprocess.run(['true'], check=True)\n");
        }
        text.push_str(&format!(
            "        os.makedirs('out', exist_ok=True)
        with open('out/{module}-{test}.txt', 'w') as file:
            file.write('written by a test\\n' * 50)
        self.assertTrue(os.path.getsize('out/{module}-{test}.txt') > 0)\n\n"
        ));
    }
    text
}

struct Suite {
    directory: Scratch,
    runner: &'static [&'static str],
}

impl Fixture for Suite {
    fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn command(&self) -> Vec<OsString> {
        let mut words = super::words(&["python3", "-B", "-m"]);
        words.extend(super::words(self.runner));
        words
    }

    fn reset(&self) -> Result<()> {
        super::remove(&self.directory.path().join("out"))
    }

    fn assert_done(&self) -> Result<()> {
        let out = self.directory.path().join("out");
        let written = std::fs::read_dir(&out).map_err(|error| format!("{}: {error}", out.display()))?.count();
        let tests = MODULES * TESTS_IN_A_MODULE;
        if written == tests { Ok(()) } else { Err(format!("{written} tests wrote their file, {tests} expected")) }
    }

    fn expected(&self) -> Expected {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Expected { processes: number(MODULES + 1), changed_files: number(MODULES * TESTS_IN_A_MODULE) }
    }
}
