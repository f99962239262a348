//! `agentprov adapter`: through what evidence comes in, and whether it can here.

use crate::failure::{CommandResult, Failure};
use crate::render::{self, Columns, outline};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use std::process::ExitCode;

/// The ways in which evidence comes in.
#[derive(Debug, Subcommand)]
pub(crate) enum Adapter {
    /// List the ways in which evidence comes in
    List(List),
    /// Show one of them
    Inspect(Inspect),
}

#[derive(Args, Debug)]
pub(crate) struct List {
    /// Only those of this kind
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Print a JSON list
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Inspect {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

/// What an adapter is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// Records what an agent does
    Agent,
    /// Runs an agent apart from the host
    Sandbox,
    /// Takes in what sensors report
    Telemetry,
    /// Keeps what came out
    Artifact,
    /// Keeps states of a workspace
    Snapshot,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Sandbox => "sandbox",
            Self::Telemetry => "telemetry",
            Self::Artifact => "artifact",
            Self::Snapshot => "snapshot",
        }
    }
}

/// An adapter as it is on this host.
#[derive(Clone, PartialEq, Debug, Serialize)]
struct Document {
    name: &'static str,
    kind: Kind,
    /// `ready`, `unavailable` or `planned`.
    status: &'static str,
    available: bool,
    boundary: &'static str,
    inputs: Vec<&'static str>,
    outputs: Vec<&'static str>,
    identity_keys: Vec<&'static str>,
    capabilities: Vec<Capability>,
    notes: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct Capability {
    name: &'static str,
    supported: bool,
    /// `exact`, `partial` or `none`.
    level: &'static str,
    notes: &'static str,
}

fn capability(name: &'static str, level: &'static str, notes: &'static str) -> Capability {
    Capability { name, supported: level != "none", level, notes }
}

impl Adapter {
    pub(crate) fn run(self) -> CommandResult {
        match self {
            Self::List(command) => command.run(),
            Self::Inspect(command) => command.run(),
        }
    }
}

impl List {
    fn run(&self) -> CommandResult {
        let mut adapters = adapters();
        adapters.retain(|adapter| self.kind.is_none_or(|kind| kind == adapter.kind));
        if self.json {
            render::json(&adapters)?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut columns = Columns::new(&["NAME", "KIND", "STATUS", "AVAILABLE", "BOUNDARY"]);
        for adapter in adapters {
            columns.row(vec![
                adapter.name.to_owned(),
                adapter.kind.name().to_owned(),
                adapter.status.to_owned(),
                adapter.available.to_string(),
                adapter.boundary.to_owned(),
            ]);
        }
        columns.write(&mut anstream::stdout().lock())?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Inspect {
    fn run(&self) -> CommandResult {
        let adapters = adapters();
        let Some(adapter) = adapters.iter().find(|adapter| adapter.name == self.name) else {
            let names: Vec<&str> = adapters.iter().map(|adapter| adapter.name).collect();
            return Err(
                Failure::new(format!("no adapter '{}'", self.name)).hint(format!("there are: {}", names.join(" ")))
            );
        };
        if self.json {
            render::json(adapter)?;
        } else {
            outline(&mut anstream::stdout().lock(), adapter)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Every adapter, asked whether it works here.
fn adapters() -> Vec<Document> {
    vec![recorder(), docker(), filtered_jsonl(), local_artifact(), directory_copy()]
}

fn recorder() -> Document {
    let host = agentprov_capture::probe();
    let works = |name: &str| host.iter().any(|line| line.name == name && line.usable);
    let (traced, sampled) = (works("ptrace"), works("procfs"));
    // Without a tracer processes are sampled, and short ones are missed.
    let level = if traced { "exact" } else { "partial" };
    let available = traced || sampled;
    Document {
        name: "zero-sdk-record",
        kind: Kind::Agent,
        status: if available { "ready" } else { "unavailable" },
        available,
        boundary: "the process tree of the command, from its first instruction on",
        inputs: vec!["a command line"],
        outputs: vec!["record/v1", "facts", "file versions"],
        identity_keys: vec!["process_key", "pid", "cgroup_id"],
        capabilities: vec![
            capability("processes", level, "every start, program and exit below the command"),
            capability("file_versions", level, "contents before and after each writer"),
            capability("network", if traced { "exact" } else { "none" }, "every address that was connected to"),
            capability("deny", if traced { "partial" } else { "none" }, "connections, with --mode enforce"),
        ],
        notes: "agentprov doctor says what this host allows and why".to_owned(),
    }
}

fn docker() -> Document {
    Document {
        name: "docker",
        kind: Kind::Sandbox,
        status: "planned",
        available: false,
        boundary: "a container",
        inputs: vec!["an image", "a command line"],
        outputs: vec!["sessions"],
        identity_keys: vec!["container_id"],
        capabilities: vec![
            capability("bind", "exact", "telemetry bind --container-id ties a running container to a tool call"),
            capability("start", "none", "this version starts no containers"),
        ],
        notes: "containers that others started are bound by their id".to_owned(),
    }
}

fn filtered_jsonl() -> Document {
    Document {
        name: "filtered-jsonl",
        kind: Kind::Telemetry,
        status: "ready",
        available: true,
        boundary: "what the sensor was told to report",
        inputs: vec!["native", "falco", "tetragon", "loongcollector", "auditd"],
        outputs: vec!["telemetry_events/v1", "telemetry_batches/v1", "telemetry_correlations/v1"],
        identity_keys: vec!["process_key", "process_id", "cgroup_id", "container_id", "pid"],
        capabilities: vec![
            capability("correlation", "partial", "as exact as the identities that the sensor reports"),
            capability("policy", "exact", "each row is judged as it is taken in"),
            capability("late_binding", "exact", "a binding that comes later resolves earlier events"),
            capability("enforcement", "none", "what is reported has happened already"),
        ],
        notes: "agentprov telemetry ingest-jsonl --file F".to_owned(),
    }
}

fn local_artifact() -> Document {
    Document {
        name: "local-artifact",
        kind: Kind::Artifact,
        status: "ready",
        available: true,
        boundary: "the data directory",
        inputs: vec!["files that a recorded command wrote"],
        outputs: vec!["blobs by SHA-256"],
        identity_keys: vec!["sha256", "git_blob_id"],
        capabilities: vec![
            capability("content_addressing", "exact", "checked on every read"),
            capability("remote_storage", "none", "this version keeps artifacts on this host"),
        ],
        notes: "agentprov du says what they cost".to_owned(),
    }
}

fn directory_copy() -> Document {
    Document {
        name: "directory-copy",
        kind: Kind::Snapshot,
        status: "ready",
        available: true,
        boundary: "the workspace of a recorded command",
        inputs: vec!["a folder"],
        outputs: vec!["file versions", "diff/v1", "blame/v1"],
        identity_keys: vec!["sha256", "git_blob_id", "path"],
        capabilities: vec![
            capability("versions", "exact", "each version that a process closed, not only the last one"),
            capability("whole_copy", "none", "what did not change is not copied"),
        ],
        notes: "contents that git holds are referred to, not copied".to_owned(),
    }
}
