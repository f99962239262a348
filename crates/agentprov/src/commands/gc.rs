//! `agentprov gc`.

use crate::age::{Age, parse_age};
use crate::commands::rm::{refuse_open, who};
use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use crate::render;
use clap::Args;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Removes runs that nothing was added to for longer than `--keep`, and files that nothing refers to.
#[derive(Args, Debug)]
pub(crate) struct Gc {
    /// Age up to which runs stay, such as 30d, 12h or 45m; without it only left-over files go
    #[arg(long, value_name = "AGE", value_parser = parse_age)]
    keep: Option<Age>,
    /// Say what would go and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Gc {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let store = context.store()?;
        let mut out = anstream::stdout();
        let mut freed_bytes = 0;
        let old = match &self.keep {
            Some(age) => old_runs(&store, age.duration)?,
            None => Vec::new(),
        };
        let mut writer = store.writer()?;
        for id in &old {
            if self.dry_run {
                writeln!(out, "would remove {id}")?;
                continue;
            }
            let reason = format!("gc --keep {}", self.keep.as_ref().map_or("", |age| &age.text));
            let freed = writer.remove_run(id, &who(), &reason)?;
            freed_bytes += freed.body_bytes + freed.blob_bytes;
            writeln!(out, "removed {id}")?;
        }
        if self.dry_run {
            if old.is_empty() {
                writeln!(out, "no run would go")?;
            }
            writeln!(out, "files that nothing refers to are looked for without --dry-run only")?;
            return Ok(ExitCode::SUCCESS);
        }
        let (files, bytes) = writer.sweep()?;
        writer.shrink()?;
        writeln!(
            out,
            "{} and {} removed, {} freed",
            render::count(old.len() as u64, "run"),
            render::count(files, "left-over file"),
            render::bytes(freed_bytes + bytes),
        )?;
        Ok(ExitCode::SUCCESS)
    }
}

fn old_runs(store: &agentprov_store::Store, keep: Duration) -> Result<Vec<agentprov_model::RunId>, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let limit = i64::try_from(now.saturating_sub(keep).as_nanos()).unwrap_or(i64::MAX);
    let reader = store.reader()?;
    let mut old = Vec::new();
    for run in reader.runs()?.into_iter().filter(|run| run.removed.is_none()) {
        if run.updated.as_nanos() < limit && refuse_open(&reader, &run).is_ok() {
            old.push(run.id);
        }
    }
    Ok(old)
}
