//! A run or an attempt, for people.

use super::{Extent, activity};
use crate::render::{self, BAD, Clock, GOOD, QUIET, TITLE, UNSURE, styled};
use agentprov_graph::runs::RunOutcome;
use agentprov_graph::show::{ProcessRow, ShowRun, ShownAttempt};
use agentprov_graph::versions::ChangeRow;
use agentprov_model::OutputStream;
use std::collections::BTreeSet;
use std::io::{self, Write};

/// Rows of each list that are printed unless all are asked for.
const MOST_ROWS: usize = 25;
/// Characters of a command in the process tree.
const COMMAND_WIDTH: usize = 100;

pub(super) fn print(out: &mut impl Write, clock: Clock, run: &ShowRun, extent: Extent) -> io::Result<()> {
    writeln!(out, "{} {}  {}", styled(TITLE, "run"), run.run_id, outcome(run.outcome.as_ref()))?;
    for attempt in &run.attempts {
        print_attempt(out, clock, attempt)?;
    }
    if let Some(declared) = &run.declared {
        crate::commands::reconcile::story(out, declared, extent.rows(MOST_ROWS))?;
    }
    processes(out, &run.processes, extent)?;
    files(out, "files changed", &run.changed_files, extent)?;
    if !run.changed_outside.is_empty() {
        files(out, "files changed outside the workspace", &run.changed_outside, extent)?;
    }
    activity::network(out, &run.network, extent, MOST_ROWS)?;
    activity::privilege(out, &run.privilege, extent, MOST_ROWS)?;
    activity::reads(out, run.reads_outside.as_deref(), extent, MOST_ROWS)?;
    for output in &run.outputs {
        let stream = match output.stream {
            OutputStream::Stdout => "stdout",
            OutputStream::Stderr => "stderr",
        };
        writeln!(
            out,
            "{} {stream}: {} of {} kept, {}",
            styled(TITLE, "output"),
            render::bytes(output.kept_bytes),
            render::bytes(output.total_bytes),
            output.sha256.to_hex(),
        )?;
    }
    not_seen(out, run)?;
    let closer = if run.risk.starts_with(|first: char| first.is_ascii_digit()) {
        format!("; see: agentprov security risks --run {}", run.run_id)
    } else {
        String::new()
    };
    writeln!(out, "{}  {}{closer}", styled(TITLE, "risk"), run.risk)?;
    writeln!(out, "{} {}: agentprov timeline --run {}", styled(TITLE, "facts"), run.facts, run.run_id)
}

fn outcome(outcome: Option<&RunOutcome>) -> String {
    match outcome {
        None => styled(QUIET, "no attempt"),
        Some(outcome) => {
            let style = match outcome.state {
                "passed" => GOOD,
                "interrupted" | "recording" => UNSURE,
                _ => BAD,
            };
            styled(style, &outcome.text)
        }
    }
}

fn print_attempt(out: &mut impl Write, clock: Clock, attempt: &ShownAttempt) -> io::Result<()> {
    let wall = attempt.wall_ns.map(|nanos| format!(" in {}", render::duration_ns(nanos))).unwrap_or_default();
    let state = outcome(Some(&attempt.outcome));
    writeln!(out, "{} {}  {state}{wall}", styled(TITLE, "attempt"), attempt.attempt_id)?;
    writeln!(out, "  command    {}", attempt.command)?;
    writeln!(out, "  started    {}", clock.show_text(&attempt.started_at))?;
    writeln!(out, "  in         {}", render::visible(&attempt.workdir))?;
    if let Some(head) = &attempt.git_head {
        writeln!(out, "  git HEAD   {head}")?;
    }
    writeln!(out, "  seen by    {} ({})", attempt.mechanism, attempt.mechanism_reason)?;
    writeln!(out, "  tool call  {}", attempt.tool_call_id)
}

fn processes(out: &mut impl Write, rows: &[ProcessRow], extent: Extent) -> io::Result<()> {
    writeln!(out, "{}  {}", styled(TITLE, "processes"), rows.len())?;
    for row in rows.iter().take(extent.rows(MOST_ROWS)) {
        let command = row.command.as_deref().unwrap_or("(a copy of its parent; ran no program of its own)");
        let indent = "  ".repeat(usize::try_from(row.depth.min(20)).unwrap_or(20));
        writeln!(out, "  {indent}{}  {}", render::cut(command, COMMAND_WIDTH), styled(QUIET, fate(row)))?;
    }
    extent.rest(out, rows.len(), MOST_ROWS)
}

/// How a process ended, and its id.
pub(super) fn fate(row: &ProcessRow) -> String {
    let end = match (&row.ended, row.outlived) {
        (_, true) => "outlived the recording",
        (Some(ended), false) => ended,
        (None, false) => "its end was not seen",
    };
    let took = row.duration_ns.and_then(|nanos| u64::try_from(nanos).ok()).map(render::duration_ns);
    let took = took.map(|took| format!(", {took}")).unwrap_or_default();
    format!("{end}{took}  [{} pid {}]", row.process_id, row.pid)
}

fn files(out: &mut impl Write, title: &str, rows: &[ChangeRow], extent: Extent) -> io::Result<()> {
    writeln!(out, "{}  {}", styled(TITLE, title), rows.len())?;
    for row in rows.iter().take(extent.rows(MOST_ROWS)) {
        let from = row.renamed_from.as_ref().map(|from| format!(" (from {})", render::visible(from)));
        writeln!(
            out,
            "  {:<9} {}{}  {}",
            row.change_type,
            render::visible(&row.path),
            from.unwrap_or_default(),
            styled(QUIET, sizes(row)),
        )?;
    }
    extent.rest(out, rows.len(), MOST_ROWS)
}

fn sizes(row: &ChangeRow) -> String {
    match (row.base_exists, row.next_exists) {
        (true, true) => format!("{} -> {}", render::bytes(row.base_bytes), render::bytes(row.next_bytes)),
        (false, true) => render::bytes(row.next_bytes),
        (true, false) => format!("was {}", render::bytes(row.base_bytes)),
        (false, false) => String::new(),
    }
}

fn not_seen(out: &mut impl Write, run: &ShowRun) -> io::Result<()> {
    if run.not_seen.is_empty() && run.gaps.is_empty() {
        return writeln!(out, "{}  nothing known to be missing", styled(TITLE, "not seen"));
    }
    writeln!(out, "{}", styled(TITLE, "not seen"))?;
    for line in &run.not_seen {
        writeln!(out, "  {}", styled(UNSURE, line))?;
    }
    let ways_out: BTreeSet<String> = run
        .gaps
        .iter()
        .filter_map(|gap| gap.way_out.as_ref().map(|way_out| format!("{}: {way_out}", gap.kind)))
        .collect();
    for way_out in ways_out {
        writeln!(out, "  {}", styled(QUIET, way_out))?;
    }
    Ok(())
}
