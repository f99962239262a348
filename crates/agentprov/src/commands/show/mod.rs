//! `agentprov show`.

mod activity;
mod file;
mod process;
mod run;

use crate::context::{Context, current_dir};
use crate::failure::{CommandResult, Failure};
use crate::remote::{as_text, here};
use crate::render::{self, TITLE, styled};
use agentprov_graph::select_run;
use agentprov_graph::show::{self as view, Show as Document, ShowBody, ShowEvent};
use agentprov_model::OsBytes;
use clap::Args;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

/// Shows everything known about a run, an attempt, a process, a fact, a content or a file.
#[derive(Args, Debug)]
pub(crate) struct Show {
    /// A run, or any other id: attempt, session, tool call, proc-..., evt-..., a content's SHA-256 or git blob id, or
    /// a file that the run changed [default: the latest run]
    #[arg(value_name = "ID")]
    id: Option<OsString>,
    /// The run in which to look for the id
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// List everything, however long
    #[arg(long)]
    all: bool,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

/// How much of a list is printed.
#[derive(Clone, Copy)]
struct Extent {
    all: bool,
}

impl Extent {
    /// Rows of a list that are printed.
    fn rows(self, most: usize) -> usize {
        if self.all { usize::MAX } else { most }
    }

    /// Says how many rows were left out.
    fn rest(self, out: &mut impl Write, length: usize, most: usize) -> std::io::Result<()> {
        match length.checked_sub(self.rows(most)) {
            None | Some(0) => Ok(()),
            Some(left_out) => writeln!(out, "  {}", styled(render::QUIET, format!("... {left_out} more; see --all"))),
        }
    }
}

impl Show {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        if let Some(remote) = context.remote(self.json)? {
            let id = self.id.as_ref().map(as_text).transpose()?;
            return remote.print("/v1/show", &[("run", self.run), ("id", id), ("here", Some(here()?))]);
        }
        let reader = context.store()?.reader()?;
        let target = match &self.id {
            None => {
                let selected = select_run(&reader, self.run.as_deref())?;
                if !self.json {
                    context.say_which(&selected);
                }
                view::Target::Run(selected.run)
            }
            Some(id) => {
                let within = self.run.as_deref().map(|name| select_run(&reader, Some(name))).transpose()?;
                let here = current_dir()?;
                let here = OsBytes::from(here.as_os_str().as_bytes());
                let name = OsBytes::from(id.as_bytes());
                view::resolve_id(&reader, within.as_ref().map(|selected| &selected.run), &name, Some(&here))?
            }
        };
        let document = view::show(&reader, &target, &agentprov_capture::is_alive)?;
        if self.json {
            render::json(&document)?;
        } else {
            print(context, &document, Extent { all: self.all })?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print(context: &Context, document: &Document, extent: Extent) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    let clock = context.clock();
    match &document.body {
        ShowBody::Run(run) | ShowBody::Attempt(run) => run::print(&mut out, clock, run, extent)?,
        ShowBody::Process(process) => process::print(&mut out, clock, process, extent)?,
        ShowBody::Event(event) => print_event(&mut out, clock, event)?,
        ShowBody::Content(content) => file::print_content(&mut out, clock, content)?,
        ShowBody::File(file) => file::print(&mut out, clock, file)?,
    }
    Ok(())
}

fn print_event(out: &mut impl Write, clock: render::Clock, event: &ShowEvent) -> Result<(), Failure> {
    writeln!(out, "{} {} of run {}", styled(TITLE, "fact"), event.seq, event.run_id)?;
    writeln!(out, "  {}  {}  {}", clock.show_text(&event.time), event.kind, event.summary)?;
    writeln!(out, "  leaf hash {}", event.leaf_hash)?;
    writeln!(out, "  prove it alone: agentprov prove --run {} {}", event.run_id, event.fact.id)?;
    render::outline(out, &event.fact)
}
