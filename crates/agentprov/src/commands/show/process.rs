//! A process, for people.

use super::run::fate;
use super::{Extent, activity};
use crate::render::{self, Clock, QUIET, TITLE, styled};
use agentprov_graph::show::ShowProcess;
use std::io::{self, Write};

const MOST_ROWS: usize = 25;

pub(super) fn print(out: &mut impl Write, clock: Clock, process: &ShowProcess, extent: Extent) -> io::Result<()> {
    let row = &process.row;
    writeln!(out, "{} {} of run {}", styled(TITLE, "process"), row.process_id, process.run_id)?;
    writeln!(out, "  pid        {} (parent {})", row.pid, process.ppid)?;
    writeln!(out, "  started    {}", clock.show_text(&process.started_at))?;
    writeln!(out, "  end        {}", fate(row))?;
    for (label, id) in [("tool call", &process.context.tool_call_id), ("attempt", &process.context.attempt_id)] {
        if let Some(id) = id {
            writeln!(out, "  {label:<10} {id}")?;
        }
    }
    writeln!(out, "{}", styled(TITLE, "programs"))?;
    for exec in process.execs.iter().take(extent.rows(MOST_ROWS)) {
        let cwd = exec.cwd.as_ref().map(|cwd| format!(" in {}", render::visible(cwd))).unwrap_or_default();
        let result = if exec.result == "ok" { String::new() } else { format!(" -> {}", exec.result) };
        writeln!(out, "  {}{}{result}", exec.command, styled(QUIET, cwd))?;
    }
    extent.rest(out, process.execs.len(), MOST_ROWS)?;
    for (title, rows) in [("started by", &process.ancestors), ("children", &process.children)] {
        if rows.is_empty() {
            continue;
        }
        writeln!(out, "{}", styled(TITLE, title))?;
        for row in rows.iter().take(extent.rows(MOST_ROWS)) {
            let command = row.command.as_deref().unwrap_or("(a copy of its parent)");
            writeln!(out, "  {}  {}", render::cut(command, 100), styled(QUIET, fate(row)))?;
        }
        extent.rest(out, rows.len(), MOST_ROWS)?;
    }
    if !process.written.is_empty() {
        writeln!(out, "{}", styled(TITLE, "wrote"))?;
        for written in process.written.iter().take(extent.rows(MOST_ROWS)) {
            let alone = if written.sole_writer { "" } else { " (or another process that had it open)" };
            writeln!(out, "  {}{alone}  {}", render::visible(&written.path), styled(QUIET, written.cause))?;
        }
        extent.rest(out, process.written.len(), MOST_ROWS)?;
    }
    activity::network(out, &process.network, extent, MOST_ROWS)?;
    activity::privilege(out, &process.privilege, extent, MOST_ROWS)
}
