//! One job: its line, and its recording by this program.

use super::document::Item;
use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A line of the file.
pub(super) struct Job {
    id: String,
    wanted: Result<Wanted, String>,
}

/// What a line asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    job_id: Option<String>,
    shard_id: Option<String>,
    run_id: Option<String>,
    name: Option<String>,
    workdir: Option<PathBuf>,
    command: Vec<String>,
    sample_interval_ms: Option<u64>,
    post_root_grace_ms: Option<u64>,
}

/// The jobs of a file; empty lines are none. A line that can't be read is a job that fails.
pub(super) fn read_jobs(input: &[u8]) -> Vec<Job> {
    let lines = input.split(|byte| *byte == b'\n').enumerate();
    let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    lines.enumerate().map(|(index, (number, line))| Job::new(index, number + 1, line)).collect()
}

impl Job {
    fn new(index: usize, line: usize, text: &[u8]) -> Self {
        let wanted = serde_json::from_slice::<Wanted>(text).map_err(|error| format!("line {line}: {error}"));
        let wanted = wanted.and_then(|wanted| match wanted.command.is_empty() {
            true => Err(format!("line {line}: 'command' is empty")),
            false => Ok(wanted),
        });
        let named = wanted.as_ref().ok().and_then(|wanted| wanted.job_id.clone()).filter(|id| !id.is_empty());
        Self { id: named.unwrap_or_else(|| format!("job-{:06}", index + 1)), wanted }
    }

    /// The item before anything is known of the recording.
    fn item(&self, index: usize, status: &'static str) -> Item {
        let wanted = self.wanted.as_ref().ok();
        Item {
            index,
            job_id: Some(self.id.clone()),
            shard_id: wanted.and_then(|wanted| wanted.shard_id.clone()),
            run_id: wanted.and_then(|wanted| wanted.run_id.clone()),
            workdir: wanted.and_then(|wanted| Some(wanted.workdir.as_ref()?.display().to_string())),
            command: wanted.map(|wanted| wanted.command.join(" ")),
            status: status.to_owned(),
            ..Item::default()
        }
    }

    pub(super) fn skipped(&self, index: usize) -> Item {
        self.item(index, "skipped")
    }
}

/// Runs jobs with this program, so that each has a recorder of its own.
pub(super) struct Runner {
    pub(super) program: PathBuf,
    pub(super) data_dir: PathBuf,
    pub(super) key: Option<PathBuf>,
    pub(super) sample_interval_ms: Option<u64>,
    pub(super) post_root_grace_ms: u64,
}

impl Runner {
    pub(super) fn run(&self, index: usize, job: &Job) -> Item {
        let failed = |error: String| Item { error: Some(error), exit_code: 125, ..job.item(index, "failed") };
        let wanted = match &job.wanted {
            Ok(wanted) => wanted,
            Err(error) => return failed(error.clone()),
        };
        let manifest = self.data_dir.join(format!("batch-{}-{index}.json", std::process::id()));
        let status = match self.command(wanted, &manifest).status() {
            Ok(status) => status,
            Err(error) => return failed(format!("{}: {error}", self.program.display())),
        };
        let text = std::fs::read(&manifest).unwrap_or_default();
        let _never_written = std::fs::remove_file(&manifest);
        let mut item = match serde_json::from_slice::<Value>(&text) {
            Ok(manifest) => job.item(index, "failed").with_manifest(&manifest),
            Err(_) => failed("nothing was recorded; the reason stands on standard error".to_owned()),
        };
        item.exit_code = status.code().map_or(item.exit_code, i64::from);
        item
    }

    fn command(&self, wanted: &Wanted, manifest: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--data-dir").arg(&self.data_dir);
        if let Some(key) = &self.key {
            command.arg("--key").arg(key);
        }
        command.args(["record", "--quiet", "--json-file"]).arg(manifest);
        let mut option = |name: &str, value: Option<String>| {
            command.args(value.map(|value| format!("--{name}={value}")));
        };
        option("run", wanted.run_id.clone().filter(|id| !id.is_empty()));
        option("name", wanted.name.clone());
        let interval = wanted.sample_interval_ms.or(self.sample_interval_ms);
        option("sample-interval-ms", interval.map(|interval| interval.to_string()));
        option("post-root-grace-ms", Some(wanted.post_root_grace_ms.unwrap_or(self.post_root_grace_ms).to_string()));
        if let Some(workdir) = &wanted.workdir {
            command.arg("--workdir").arg(workdir);
        }
        command.env_remove("AGENTPROV_EXIT_ZERO");
        command.arg("--").args(&wanted.command).stdin(Stdio::null()).stdout(std::io::stderr());
        command
    }
}
