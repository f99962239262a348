//! A store of one run of the benchmark, and the program that fills and reads it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::contestant::time;
use crate::Result;
use crate::scratch::Scratch;

pub(crate) struct Store {
    program: PathBuf,
    scratch: Scratch,
}

/// The run that a contestant records.
pub(crate) const RUN: &str = "run-bench";

impl Store {
    /// A new one for every run, so that no run profits from an earlier one.
    pub(crate) fn new(program: &Path) -> Result<Self> {
        let store = Self { program: program.to_owned(), scratch: Scratch::new("bench-store")? };
        time(store.agentprov().arg("init"))?;
        Ok(store)
    }

    pub(crate) fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// The program with this store.
    pub(crate) fn agentprov(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--data-dir").arg(self.path().join("data"));
        command
    }

    /// What it answers, as JSON.
    pub(crate) fn query(&self, arguments: &[&str]) -> Result<Value> {
        let output =
            self.agentprov().args(arguments).output().map_err(|error| format!("cannot start agentprov: {error}"))?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr);
            return Err(format!("agentprov {}: {}", arguments.join(" "), reason.trim()));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| format!("agentprov {}: {error}", arguments.join(" ")))
    }
}

pub(crate) fn at_least(document: &Value, key: &str, expected: u64) -> Result<u64> {
    match document.get(key).and_then(Value::as_u64) {
        Some(found) if found >= expected => Ok(found),
        Some(found) => Err(format!("{key} is {found}, at least {expected} expected")),
        None => Err(format!("no number `{key}` in the answer")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::at_least;

    #[test]
    fn too_few_and_missing_numbers_are_errors() {
        let document = json!({"process_tree_count": 7, "status": "passed"});
        assert_eq!(at_least(&document, "process_tree_count", 7), Ok(7));
        assert!(at_least(&document, "process_tree_count", 8).is_err());
        assert!(at_least(&document, "status", 0).is_err());
        assert!(at_least(&document, "changed_file_count", 0).is_err());
    }
}
