//! `agentprov import transcript`.

use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use crate::render::{self, BAD, UNSURE, count, cut, styled};
use agentprov_graph::tool_calls::{CallWitnesses, call_witnesses};
use agentprov_ingest::hooks::wall_clock;
use agentprov_ingest::transcripts::{Imported, import};
use agentprov_model::schema;
use agentprov_store::{Reader, Store};
use clap::Args;
use serde::Serialize;
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Reads session files that Claude Code and Codex write themselves. A call that hooks told of already gets a second
/// witness; where the two contradict each other, both are named. The same file twice changes nothing.
#[derive(Args, Debug)]
pub(crate) struct Transcript {
    /// Session files, for example ~/.claude/projects/*/*.jsonl or ~/.codex/sessions/*/*/*/*.jsonl
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    schema_version: String,
    files: Vec<FileRow>,
}

#[derive(Serialize)]
struct FileRow {
    file: String,
    agent: &'static str,
    session_id: Option<String>,
    runs: Vec<String>,
    calls: u64,
    added: u64,
    known: u64,
    lines: u64,
    unreadable: u64,
    torn: bool,
    /// Calls that another vantage tells of too.
    confirmed: u64,
    /// Calls that only the session file tells of, in a session of which another vantage tells as well.
    only_here: Vec<String>,
    contradictions: Vec<ContradictionRow>,
}

#[derive(Serialize)]
struct ContradictionRow {
    tool_call_id: String,
    about: &'static str,
    said: Vec<SaidRow>,
}

#[derive(Serialize)]
struct SaidRow {
    vantage: &'static str,
    value: String,
    event_id: String,
}

impl Transcript {
    pub(super) fn run(&self, context: &Context) -> CommandResult {
        context.store_or_new()?;
        // Opened once more: what hooks told must be there before, so that calls find their runs.
        let store = context.store()?;
        let mut rows = Vec::new();
        for path in &self.files {
            rows.push(take(&store, path)?);
        }
        if self.json {
            render::json(&Document { schema_version: schema::v1("import_transcript"), files: rows })?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut out = anstream::stdout().lock();
        for row in &rows {
            say(&mut out, row)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn take(store: &Store, path: &Path) -> Result<FileRow, Failure> {
    let failed = |error: String| {
        Failure::new(format!("{}: {error}", path.display()))
            .hint("name session files of Claude Code or Codex; what was read before stays")
    };
    let file = File::open(path).map_err(|error| failed(error.to_string()))?;
    let imported = import(store, &mut BufReader::new(file), wall_clock()).map_err(|error| failed(error.to_string()))?;
    let witnesses = witnesses(&store.reader()?, &imported)?;
    Ok(row(path, imported, &witnesses))
}

/// Witnesses of the session's calls in the runs that hold them now.
fn witnesses(reader: &Reader, imported: &Imported) -> Result<Vec<CallWitnesses>, Failure> {
    let mut found = Vec::new();
    for id in &imported.runs {
        if let Some(run) = reader.run(id)? {
            let calls = call_witnesses(reader, &run)?;
            found.extend(calls.into_iter().filter(|call| call.session == imported.session));
        }
    }
    Ok(found)
}

fn row(path: &Path, imported: Imported, witnesses: &[CallWitnesses]) -> FileRow {
    let confirmed = witnesses.iter().filter(|call| call.vantages.len() > 1).count() as u64;
    let alone = |call: &&CallWitnesses| {
        call.vantages.len() == 1 && call.vantages.contains(&agentprov_model::Vantage::Transcript)
    };
    let only_here = if confirmed == 0 {
        Vec::new()
    } else {
        witnesses.iter().filter(alone).map(|call| call.call.id.to_string()).collect()
    };
    let contradictions = witnesses.iter().flat_map(|call| {
        call.contradictions.iter().map(|found| ContradictionRow {
            tool_call_id: call.call.id.to_string(),
            about: found.about.name(),
            said: found
                .said
                .iter()
                .map(|(vantage, value, event)| SaidRow {
                    vantage: vantage.name(),
                    value: value.clone(),
                    event_id: event.to_string(),
                })
                .collect(),
        })
    });
    FileRow {
        file: path.display().to_string(),
        agent: imported.agent.name(),
        session_id: imported.session.map(|session| session.to_string()),
        runs: imported.runs.iter().map(ToString::to_string).collect(),
        calls: imported.calls,
        added: imported.added,
        known: imported.known,
        lines: imported.lines,
        unreadable: imported.unreadable,
        torn: imported.torn,
        confirmed,
        only_here,
        contradictions: contradictions.collect(),
    }
}

fn say(out: &mut impl Write, row: &FileRow) -> Result<(), Failure> {
    let session = row.session_id.as_deref().unwrap_or("(not named)");
    let known = if row.known > 0 { format!(", {} known already", row.known) } else { String::new() };
    writeln!(
        out,
        "{} session {session}: {}, {} new{known}, in {}",
        row.agent,
        count(row.calls, "call"),
        count(row.added, "fact"),
        if row.runs.is_empty() { "no run".to_owned() } else { row.runs.join(", ") },
    )?;
    if row.confirmed > 0 {
        writeln!(out, "  {} told by another witness too", count(row.confirmed, "call"))?;
    }
    for call in &row.only_here {
        writeln!(out, "  {}", styled(UNSURE, format!("only this file tells of {call}: its hooks were silent")))?;
    }
    if row.unreadable > 0 {
        writeln!(out, "  {}", styled(UNSURE, format!("{} can't be read", count(row.unreadable, "line"))))?;
    }
    if row.torn {
        writeln!(out, "  {}", styled(UNSURE, "the last line is not whole: the session goes on, or the file was cut"))?;
    }
    for found in &row.contradictions {
        let said: Vec<String> =
            found.said.iter().map(|said| format!("{} says '{}'", said.vantage, visible(&said.value))).collect();
        let line = format!("contradiction: {} of {}: {}", found.about, found.tool_call_id, said.join(", "));
        writeln!(out, "  {}", styled(BAD, line))?;
    }
    Ok(())
}

fn visible(text: &str) -> String {
    render::visible(&cut(text, 120).into())
}
