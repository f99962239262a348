//! What `record` says of a recording when it is over.

use crate::context::Context;
use crate::failure::Failure;
use crate::render::{self, BAD, GOOD, QUIET, UNSURE, styled};
use agentprov_graph::coverage::coverage_clause;
use agentprov_graph::record_manifest::{RecordManifest, record_manifest};
use agentprov_graph::security::Standing;
use agentprov_graph::{attempts, select_run};
use agentprov_ingest::Recorded;
use agentprov_store::Store;
use std::io::{IsTerminal, Write};

/// Files that the summary names; the manifest has them all.
const MOST_FILES: usize = 10;

/// The manifest of the attempt that was just recorded.
pub(crate) fn manifest(store: &Store, recorded: &Recorded) -> Result<RecordManifest, Failure> {
    let reader = store.reader()?;
    let run = select_run(&reader, Some(recorded.run.as_str()))?.run;
    let attempts = attempts::attempts(&reader, &run)?;
    let attempt = attempts.iter().find(|attempt| attempt.started.attempt_id == recorded.attempt_id);
    let attempt = attempt.ok_or_else(|| {
        Failure::new(format!("attempt {} of run {} is not in the store", recorded.attempt_id, recorded.run))
            .hint("check the store with: agentprov fsck")
    })?;
    Ok(record_manifest(&reader, &run, attempt.no)?)
}

/// Prints the summary to standard error: standard output is the command's own.
pub(crate) fn print(
    context: &Context,
    store: &Store,
    manifest: &RecordManifest,
    recorded: &Recorded,
) -> Result<(), Failure> {
    let risk = risk(store, recorded)?;
    let risk = risk.as_deref();
    if std::io::stderr().is_terminal() {
        for_people(context, manifest, recorded, risk)
    } else {
        for_programs(manifest, risk)
    }
}

/// What rules raised in the run, where they raised something.
fn risk(store: &Store, recorded: &Recorded) -> Result<Option<String>, Failure> {
    let reader = store.reader()?;
    let run = select_run(&reader, Some(recorded.run.as_str()))?.run;
    let standing = Standing::of(&reader, &run)?;
    Ok((standing.risks > 0).then(|| standing.clause()))
}

fn for_programs(manifest: &RecordManifest, risk: Option<&str>) -> Result<(), Failure> {
    let mut out = anstream::stderr().lock();
    let known = |value: Option<String>| value.unwrap_or_default();
    writeln!(
        out,
        "run_id={} attempt_id={} session_id={} tool_call_id={} process_id={} status={} exit={} wall_ms={} processes={} changed_files={}",
        manifest.run_id,
        manifest.attempt_id,
        manifest.session_id,
        manifest.tool_call_id,
        manifest.process_id.as_deref().unwrap_or_default(),
        manifest.status,
        known(manifest.exit_code.map(|code| code.to_string())),
        known(manifest.wall_ms.map(|wall| wall.to_string())),
        manifest.process_tree_count,
        manifest.changed_file_count,
    )?;
    for path in &manifest.changed_files {
        writeln!(out, "changed_file={}", render::visible(path))?;
    }
    for gap in &manifest.gaps {
        writeln!(out, "gap={gap}")?;
    }
    if let Some(risk) = risk {
        writeln!(out, "risk={risk}")?;
    }
    Ok(())
}

fn for_people(
    context: &Context,
    manifest: &RecordManifest,
    recorded: &Recorded,
    risk: Option<&str>,
) -> Result<(), Failure> {
    let mut out = anstream::stderr().lock();
    let style = if manifest.status == "passed" { GOOD } else { BAD };
    let wall = render::duration_ns(recorded.finished.wall_ns);
    writeln!(
        out,
        "{} run {}: {} in {wall}, {}, {} changed",
        styled(QUIET, "agentprov"),
        manifest.run_id,
        styled(style, state(manifest)),
        render::count(manifest.process_tree_count, "process"),
        render::count(manifest.changed_file_count, "file"),
    )?;
    for change in manifest.changes.iter().take(MOST_FILES) {
        writeln!(out, "  {:<9} {}", change.change_type, render::visible(&change.path))?;
    }
    if let Some(more) = manifest.changes.len().checked_sub(MOST_FILES).filter(|more| *more > 0) {
        writeln!(out, "  ... {more} more")?;
    }
    let outlived = recorded.finished.outlived.len() as u64;
    if outlived > 0 {
        let count = render::count(outlived, "process");
        writeln!(out, "  {}", styled(UNSURE, format!("{count} outlived the recording")))?;
    }
    let coverage = coverage_clause(&manifest.coverage);
    if coverage != "complete" {
        writeln!(out, "  not fully seen: {}", styled(UNSURE, coverage))?;
    }
    for gap in &manifest.gaps {
        writeln!(out, "  {}", styled(UNSURE, gap))?;
    }
    let data_dir = context.global.data_dir.as_ref().map(|dir| format!(" --data-dir {}", dir.display()));
    let data_dir = data_dir.unwrap_or_default();
    if let Some(risk) = risk {
        let see = format!("see: agentprov security risks {}{data_dir}", manifest.run_id);
        writeln!(out, "  risk: {}; {see}", styled(BAD, risk))?;
    }
    writeln!(out, "  see: agentprov show {}{data_dir}", manifest.run_id)?;
    Ok(())
}

fn state(manifest: &RecordManifest) -> String {
    match (manifest.state, manifest.shell_status) {
        ("failed", Some(status)) => format!("failed with status {status}"),
        (state, _) => state.replace('_', " "),
    }
}
