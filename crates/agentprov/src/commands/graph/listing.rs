//! `agentprov graph log` and `agentprov graph objects`.

use crate::context::Context;
use crate::failure::CommandResult;
use crate::render::{self, Columns};
use crate::run_name::RunName;
use agentprov_graph::objects::objects;
use agentprov_graph::run_log::run_log;
use clap::Args;
use std::io::Write;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(crate) struct Log {
    #[command(flatten)]
    run: RunName,
    /// Facts that are listed; 0 for all
    #[arg(long, value_name = "N", default_value_t = 0)]
    limit: usize,
}

impl Log {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let (reader, selected) = context.run(self.run.name())?;
        context.say_which(&selected);
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        for entry in run_log(&reader, &selected.run, self.limit)? {
            writeln!(out, "{}", entry.line())?;
        }
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Args, Debug)]
pub(crate) struct Objects {
    #[command(flatten)]
    run: RunName,
    /// Rows on a page; 0 for all
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u64,
    /// Where the page before ended, as it printed
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

impl Objects {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let (reader, selected) = context.run(self.run.name())?;
        let document = objects(&reader, &selected.run, self.limit, self.cursor.as_deref())?;
        if self.json {
            render::json(&document)?;
            return Ok(ExitCode::SUCCESS);
        }
        context.say_which(&selected);
        let mut columns = Columns::new(&["TYPE", "SOURCE", "SIZE", "HASH"]);
        for row in &document.objects {
            let size = row.size_bytes.to_string();
            columns.row(vec![row.kind.to_owned(), row.source_id.clone(), size, row.hash.clone()]);
        }
        let mut out = anstream::stdout().lock();
        columns.write(&mut out)?;
        if let Some(cursor) = &document.next_cursor {
            writeln!(out, "next_cursor={cursor}")?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
