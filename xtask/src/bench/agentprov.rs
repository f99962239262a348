//! The subject: `agentprov record`, and what it must have kept.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::contestant::{Contestant, Evidence, time};
use super::workload::Fixture;
use crate::Result;
use crate::scratch::Scratch;

pub(crate) struct Recorded {
    pub(crate) program: PathBuf,
    pub(crate) options: &'static [&'static str],
    pub(crate) fixture: std::rc::Rc<dyn Fixture>,
    /// A new one for every run, so that no run profits from an earlier one.
    pub(crate) store: Option<Scratch>,
}

const RUN: &str = "run-bench";

impl Recorded {
    fn store(&self) -> Result<&Path> {
        self.store.as_ref().map(Scratch::path).ok_or_else(|| "no run was prepared".to_owned())
    }

    fn agentprov(&self) -> Result<Command> {
        let mut command = Command::new(&self.program);
        command.arg("--data-dir").arg(self.store()?.join("data"));
        Ok(command)
    }

    fn query(&self, arguments: &[&str]) -> Result<Value> {
        let output =
            self.agentprov()?.args(arguments).output().map_err(|error| format!("cannot start agentprov: {error}"))?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr);
            return Err(format!("agentprov {}: {}", arguments.join(" "), reason.trim()));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| format!("agentprov {}: {error}", arguments.join(" ")))
    }
}

impl Contestant for Recorded {
    fn name(&self) -> String {
        let mut name = "agentprov record".to_owned();
        for option in self.options {
            name.push(' ');
            name.push_str(option);
        }
        name
    }

    fn reset(&mut self) -> Result<()> {
        self.fixture.reset()?;
        self.store = Some(Scratch::new("bench-store")?);
        time(self.agentprov()?.arg("init")).map(drop)
    }

    fn run(&mut self) -> Result<Duration> {
        let manifest = self.store()?.join("manifest.json");
        let mut command = self.agentprov()?;
        command.args(["record", "--run", RUN, "--json-file"]).arg(manifest);
        command.args(self.options).arg("--").args(self.fixture.command());
        time(command.current_dir(self.fixture.directory()))
    }

    fn assert_captured(&mut self) -> Result<Evidence> {
        self.fixture.assert_done()?;
        let manifest = self.store()?.join("manifest.json");
        let text = std::fs::read_to_string(&manifest).map_err(|error| format!("the manifest of the run: {error}"))?;
        let manifest: Value =
            serde_json::from_str(&text).map_err(|error| format!("the manifest of the run: {error}"))?;
        let expected = self.fixture.expected();
        let processes = at_least(&manifest, "process_tree_count", expected.processes)?;
        let files = at_least(&manifest, "changed_file_count", expected.changed_files)?;
        // The manifest is what the recorder says; the timeline is what a reader finds.
        let timeline = self.query(&["timeline", "--run", RUN, "--json", "--limit", "1"])?;
        let rows = at_least(&timeline, "total_count", expected.processes + expected.changed_files)?;
        let usage = self.query(&["du", "--json"])?;
        Ok(Evidence {
            done: format!("{processes} processes, {files} files, {rows} timeline rows"),
            stored_bytes: Some(at_least(&usage, "total_bytes", 1)?),
        })
    }
}

fn at_least(document: &Value, key: &str, expected: u64) -> Result<u64> {
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
