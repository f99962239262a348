//! `agentprov gc`.

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

/// An age as it was written.
#[derive(Clone, Debug)]
struct Age {
    text: String,
    duration: Duration,
}

fn parse_age(text: &str) -> Result<Age, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| format!("'{text}' does not begin with a number"))?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(format!("'{text}' has no unit; use s, m, h, d or w, as in 30d")),
    };
    let seconds = number.checked_mul(seconds).ok_or_else(|| format!("'{text}' is too long"))?;
    Ok(Age { text: text.to_owned(), duration: Duration::from_secs(seconds) })
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

#[cfg(test)]
mod tests {
    use super::parse_age;

    #[test]
    fn ages() {
        assert_eq!(parse_age("30d").expect("an age").duration.as_secs(), 2_592_000);
        assert!(parse_age("30").is_err() && parse_age("d").is_err() && parse_age("3y").is_err());
    }
}
