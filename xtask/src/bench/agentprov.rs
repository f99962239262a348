//! The subject: `agentprov record`, and what it must have kept.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::contestant::{Contestant, Evidence, time};
use super::store::{RUN, Store, at_least};
use super::workload::Fixture;
use crate::Result;

pub(crate) struct Recorded {
    pub(crate) program: PathBuf,
    pub(crate) options: &'static [&'static str],
    pub(crate) fixture: std::rc::Rc<dyn Fixture>,
    pub(crate) store: Option<Store>,
}

impl Recorded {
    fn store(&self) -> Result<&Store> {
        self.store.as_ref().ok_or_else(|| "no run was prepared".to_owned())
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
        self.store = Some(Store::new(&self.program)?);
        Ok(())
    }

    fn run(&mut self) -> Result<Duration> {
        let store = self.store()?;
        let manifest = store.path().join("manifest.json");
        let mut command = store.agentprov();
        command.args(["record", "--run", RUN, "--json-file"]).arg(manifest);
        command.args(self.options).arg("--").args(self.fixture.command());
        time(command.current_dir(self.fixture.directory()))
    }

    fn assert_captured(&mut self) -> Result<Evidence> {
        self.fixture.assert_done()?;
        let store = self.store()?;
        let manifest = store.path().join("manifest.json");
        let text = std::fs::read_to_string(&manifest).map_err(|error| format!("the manifest of the run: {error}"))?;
        let manifest: Value =
            serde_json::from_str(&text).map_err(|error| format!("the manifest of the run: {error}"))?;
        let expected = self.fixture.expected();
        let processes = at_least(&manifest, "process_tree_count", expected.processes)?;
        let files = at_least(&manifest, "changed_file_count", expected.changed_files)?;
        // The manifest is what the recorder says; the timeline is what a reader finds.
        let timeline = store.query(&["timeline", "--run", RUN, "--json", "--limit", "1"])?;
        let rows = at_least(&timeline, "total_count", expected.processes + expected.changed_files)?;
        let usage = store.query(&["du", "--json"])?;
        Ok(Evidence {
            done: format!("{processes} processes, {files} files, {rows} timeline rows"),
            stored_bytes: Some(at_least(&usage, "total_bytes", 1)?),
        })
    }
}
