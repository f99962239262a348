//! `agentprov prove`.

use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use agentprov_graph::verify::prove;
use agentprov_model::EventId;
use clap::Args;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Writes one fact and a proof that it is in its run's log (c2sp.org/tlog-proof), without the other facts.
#[derive(Args, Debug)]
pub(crate) struct Prove {
    /// The fact, evt-...
    event: EventId,
    /// The run [default: the latest]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Folder to write EVENT.json and EVENT.tlog-proof to
    #[arg(long, value_name = "DIR", default_value = ".")]
    output: PathBuf,
}

impl Prove {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let (reader, selected) = context.run(self.run.as_deref())?;
        context.say_which(&selected);
        let row = reader.event(selected.run.no, &self.event)?;
        let row = row.ok_or_else(|| {
            Failure::new(format!("run '{}' has no fact '{}'", selected.run.id, self.event))
                .hint(format!("ids of the run: agentprov timeline --json --run {}", selected.run.id))
        })?;
        let proof = prove(&reader, &selected.run, row.position.seq)?;
        let body = self.output.join(format!("{}.json", self.event));
        let file = self.output.join(format!("{}.{}", self.event, agentprov_log::proof_file::FILE_EXTENSION));
        write(&body, &proof.body)?;
        write(&file, proof.proof.as_bytes())?;
        let mut out = anstream::stdout().lock();
        writeln!(out, "fact    {} ({} bytes, exactly as hashed)", body.display(), proof.body.len())?;
        writeln!(out, "proof   {}", file.display())?;
        writeln!(out, "origin  {}", proof.origin)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|error| {
        Failure::new(format!("can't write {}: {error}", path.display())).hint("name a folder with --output")
    })
}
