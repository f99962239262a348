//! `agentprov rm`.

use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use crate::render;
use agentprov_graph::select_run;
use clap::Args;
use std::io::Write;
use std::process::ExitCode;

/// Removes the bodies and blobs of runs. Leaf hashes and a tombstone stay, so that the ledger still verifies
/// and says what was removed, when and by whom.
#[derive(Args, Debug)]
pub(crate) struct Rm {
    /// The runs to remove
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<String>,
    /// Why, for the tombstone
    #[arg(long, default_value = "rm")]
    reason: String,
}

impl Rm {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let store = context.store()?;
        // All names are checked before anything is removed.
        let reader = store.reader()?;
        let mut chosen = Vec::new();
        for name in &self.runs {
            let run = select_run(&reader, Some(name))?.run;
            refuse_open(&reader, &run)?;
            chosen.push(run.id);
        }
        drop(reader);
        let mut writer = store.writer()?;
        for id in chosen {
            let freed = writer.remove_run(&id, &who(), &self.reason)?;
            writeln!(
                anstream::stdout(),
                "removed {id}: {}, {}, {} freed",
                render::count(freed.facts, "fact"),
                render::count(freed.blobs, "blob"),
                render::bytes(freed.body_bytes + freed.blob_bytes),
            )?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A run that is being recorded is not removed under its recorder's feet.
pub(crate) fn refuse_open(reader: &agentprov_store::Reader, run: &agentprov_store::RunRow) -> Result<(), Failure> {
    let open = agentprov_ingest::recovery::open_attempts(reader, run)?;
    match open.iter().find(|(_, started)| agentprov_capture::is_alive(&started.recorder)) {
        None => Ok(()),
        Some((_, started)) => {
            Err(Failure::new(format!("run '{}' is being recorded by process {}", run.id, started.recorder.pid))
                .hint("wait until it has ended, or end the recorded command"))
        }
    }
}

/// Name and number of the user, for the tombstone.
pub(crate) fn who() -> String {
    let uid = rustix::process::getuid().as_raw();
    match std::env::var("USER").or_else(|_| std::env::var("LOGNAME")) {
        Ok(name) if !name.is_empty() => format!("{name} (uid {uid})"),
        _ => format!("uid {uid}"),
    }
}
