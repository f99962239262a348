//! `agentprov graph diff`.

use super::file_of;
use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use crate::remote::{as_text, here};
use crate::render;
use agentprov_graph::diff::{file_diff, run_diff};
use clap::Args;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// Prints what a run changed as a patch that `git apply` takes, from the top of the workspace.
#[derive(Args, Debug)]
pub(crate) struct Diff {
    /// The run [default: the latest]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// One file, below the workspace or absolute [default: every changed file]
    #[arg(long, value_name = "FILE")]
    file: Option<OsString>,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

impl Diff {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        if let Some(remote) = context.remote(self.json)? {
            let file = self.file.as_ref().map(as_text).transpose()?;
            return remote.print("/v1/graph/diff", &[("run", self.run), ("file", file), ("here", Some(here()?))]);
        }
        let (reader, selected) = context.run(self.run.as_deref())?;
        context.say_which(&selected);
        let Some(name) = &self.file else {
            let document = run_diff(&reader, &selected.run, None)?;
            if self.json {
                render::json(&document)?;
                return Ok(ExitCode::SUCCESS);
            }
            std::io::stdout().write_all(document.patch.as_bytes())?;
            let missing = document.not_patchable.iter().map(|not| (render::visible(&not.path), not.why.clone()));
            return incomplete(missing.collect());
        };
        let file = file_of(&reader, &selected, name)?;
        let document = file_diff(&reader, &selected.run, &file)?;
        if self.json {
            render::json(&document)?;
            return Ok(ExitCode::SUCCESS);
        }
        if let Some(patch) = &document.patch {
            std::io::stdout().write_all(patch.as_bytes())?;
        }
        let path = render::visible(&document.file);
        incomplete(document.not_patchable.into_iter().map(|why| (path.clone(), why)).collect())
    }
}

/// A patch that lacks something must not pass for a whole one.
fn incomplete(missing: Vec<(String, String)>) -> CommandResult {
    let Some((path, why)) = missing.first() else { return Ok(ExitCode::SUCCESS) };
    let more = match missing.len() - 1 {
        0 => String::new(),
        more => format!(", and {} like it", render::count(more as u64, "other")),
    };
    Err(Failure::new(format!("the patch lacks {path}{more}: {why}"))
        .hint("hashes and sizes of every change are in: agentprov graph diff --json"))
}
