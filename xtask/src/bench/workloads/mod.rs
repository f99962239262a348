//! What the record rows run. One workload, one file; the list is below.

mod cargo_build;
mod git_clone;
pub(crate) mod large_workspace;
mod many_processes;
mod python_tests;
pub(crate) mod reviewed_change;
mod rust_source;

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use super::workload::Workload;
use crate::Result;

pub(crate) fn all() -> Vec<Box<dyn Workload>> {
    vec![
        Box::new(many_processes::ManyProcesses),
        Box::new(cargo_build::CargoBuild::SMALL),
        Box::new(cargo_build::CargoBuild::LONG),
        Box::new(git_clone::GitClone),
        Box::new(python_tests::PythonTests::UNITTEST),
        Box::new(python_tests::PythonTests::PYTEST),
    ]
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
    }
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Removes a folder that a run may have made.
fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(format!("{}: {error}", path.display())),
        _ => Ok(()),
    }
}

/// A new repository with everything below `directory` in one commit.
pub(crate) fn commit_all(directory: &Path) -> Result<()> {
    const AUTHOR: [&str; 4] = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"];
    for arguments in [
        vec!["init", "--quiet"],
        vec!["add", "--all"],
        [AUTHOR.as_slice(), &["commit", "--quiet", "--message", "files"]].concat(),
    ] {
        let mut command = Command::new("git");
        super::contestant::time(command.args(arguments).current_dir(directory))?;
    }
    Ok(())
}
