//! `agentprov graph explain`.

use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use crate::remote::as_text;
use crate::render::{self, QUIET, TITLE, styled};
use agentprov_graph::Selected;
use agentprov_graph::explain::{DEFAULT_DEPTH, DEFAULT_LIMIT, Edge, ExplainQuery, Explanation, Target, explain};
use agentprov_graph::export::{GraphFormat, MOST_NODES, draw};
use agentprov_model::OsBytes;
use agentprov_store::{Reader, RunRow};
use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

/// Explains a file, artifact, attempt, tool call, process, fact or decision: what caused it, what it caused.
#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// The run in which to look [default: the latest that wrote the --file, else the run that knows the id]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// A file that the run changed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["artifact", "attempt", "tool_call", "process", "event", "risk"])]
    file: Option<OsString>,
    #[command(flatten)]
    target: TargetName,
    /// A fact, evt-...
    #[arg(long, value_name = "ID", conflicts_with_all = ["artifact", "attempt", "tool_call", "process", "risk"])]
    event: Option<String>,
    /// A policy decision
    #[arg(long, value_name = "ID", conflicts_with_all = ["artifact", "attempt", "tool_call", "process"])]
    risk: Option<String>,
    /// Steps along edges from the target
    #[arg(long, value_name = "N", default_value_t = DEFAULT_DEPTH)]
    depth: u32,
    /// Edges on a page, or in a picture; 0 for all
    #[arg(long, value_name = "N", default_value_t = DEFAULT_LIMIT)]
    limit: u64,
    /// Where the page before ended, as it printed
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// Draw the graph instead
    #[arg(long, value_enum, conflicts_with = "json")]
    format: Option<Format>,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Graphviz
    Dot,
    /// Mermaid flowchart
    Mermaid,
}

/// What `trace` and `explain` both take.
#[derive(Args, Clone, Debug)]
#[group(multiple = false)]
pub(crate) struct TargetName {
    /// A content by its SHA-256, or a file by its path
    #[arg(long, value_name = "ID")]
    artifact: Option<String>,
    /// An attempt
    #[arg(long, value_name = "ID")]
    attempt: Option<String>,
    /// A tool call
    #[arg(long, value_name = "ID")]
    tool_call: Option<String>,
    /// A process, proc-...
    #[arg(long, value_name = "ID")]
    process: Option<String>,
}

impl TargetName {
    pub(super) fn target(&self) -> Option<Target> {
        let artifact = self.artifact.clone().map(Target::Artifact);
        let attempt = || self.attempt.clone().map(Target::Attempt);
        let tool_call = || self.tool_call.clone().map(Target::ToolCall);
        let process = || self.process.clone().map(Target::Process);
        artifact.or_else(attempt).or_else(tool_call).or_else(process)
    }
}

/// The run that the target is in: the named one, else for a file the latest that wrote it, else the only one that knows it.
pub(super) fn run_of(context: &Context, name: Option<&str>, target: &Target) -> Result<(Reader, RunRow), Failure> {
    if name.is_some() {
        let (reader, selected) = context.run(name)?;
        return Ok((reader, selected.run));
    }
    let reader = context.store()?.reader()?;
    if !matches!(target, Target::File(_)) {
        let run = target.find_run(&reader)?;
        return Ok((reader, run));
    }
    let selected = Selected { run: target.newest_run(&reader)?, latest: true };
    context.say_which(&selected);
    Ok((reader, selected.run))
}

impl Explain {
    fn target(&self) -> Result<Target, Failure> {
        let file = self.file.clone().map(|file| Target::File(OsBytes::from(file.into_vec())));
        let event = || self.event.clone().map(Target::Event);
        let risk = || self.risk.clone().map(Target::Risk);
        file.or_else(|| self.target.target()).or_else(event).or_else(risk).ok_or_else(|| {
            Failure::usage("nothing to explain is named")
                .hint("give one of --file --artifact --attempt --tool-call --process --event --risk")
        })
    }

    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let target = self.target()?;
        if let Some(remote) = context.remote(self.json)? {
            let target = self.target;
            return remote.print(
                "/v1/graph/explain",
                &[
                    ("run", self.run),
                    ("file", self.file.as_ref().map(as_text).transpose()?),
                    ("artifact", target.artifact),
                    ("attempt", target.attempt),
                    ("tool_call", target.tool_call),
                    ("process", target.process),
                    ("event", self.event),
                    ("risk", self.risk),
                    ("depth", Some(self.depth.to_string())),
                    ("limit", Some(self.limit.to_string())),
                    ("cursor", self.cursor),
                ],
            );
        }
        let (reader, run) = run_of(context, self.run.as_deref(), &target)?;
        let query = ExplainQuery {
            depth: self.depth,
            limit: self.limit,
            cursor: self.cursor.clone(),
            ..ExplainQuery::new(target)
        };
        let document = explain(&reader, &run, &query)?;
        match self.format {
            Some(format) => {
                let format = match format {
                    Format::Dot => GraphFormat::Dot,
                    Format::Mermaid => GraphFormat::Mermaid,
                };
                std::io::stdout().write_all(draw(&document, format, MOST_NODES).as_bytes())?;
            }
            None if self.json => render::json(&document)?,
            None => print(context, &document)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print(context: &Context, document: &Explanation) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    let target = &document.target;
    let name = target.id.as_deref().or(target.file.as_deref()).unwrap_or_default();
    let run = target.run_id.as_deref().unwrap_or_default();
    writeln!(out, "{} {name} (run {run})", styled(TITLE, target.kind.replace('_', " ")))?;
    for line in &document.summary {
        writeln!(out, "  {line}")?;
    }
    for (title, edges) in [("causes", &document.upstream), ("effects", &document.downstream)] {
        writeln!(out, "{}  {}", styled(TITLE, title), edges.len())?;
        for edge in edges {
            print_edge(&mut out, edge)?;
        }
    }
    if !document.runtime_events.is_empty() {
        writeln!(out, "{}  {}", styled(TITLE, "facts"), document.runtime_events.len())?;
        let clock = context.clock();
        for event in &document.runtime_events {
            let id = styled(QUIET, &event.id);
            writeln!(out, "  {}  {}  {id}", clock.time_of_day_text(&event.time), event.summary)?;
        }
    }
    if document.query.truncated {
        let next = document.query.next_cursor.as_deref().map(|next| format!("; the next page: --cursor {next}"));
        writeln!(out, "{}", styled(QUIET, format!("not everything is shown{}", next.unwrap_or_default())))?;
    }
    Ok(())
}

fn print_edge(out: &mut impl Write, edge: &Edge) -> std::io::Result<()> {
    writeln!(out, "  {} -> {}  {}", edge.from_id, edge.to_id, styled(QUIET, edge.edge_type.name()))
}
