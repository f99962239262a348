//! `agentprov attribution`.

use crate::commands::review::{read_file, reader, undecided, unreadable};
use crate::context::{Context, current_dir};
use crate::failure::{CommandResult, Failure};
use crate::render;
use agentprov_review::attribution::records::{agent_trace, all_commit_lines, commit_lines, git_ai_notes};
use agentprov_review::attribution::{AgentTrace, Sources, attribute, export, export_line_claims};
use agentprov_review::change::{Change, Repository, Selection, from_git};
use clap::{Args, Subcommand, ValueEnum};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Who wrote the lines of a change, for others.
#[derive(Debug, Subcommand)]
pub(crate) enum Attribution {
    /// Write what another clone needs to attribute a change without the store
    Export(Export),
    /// Keep records of other tools, so that reviews and blames know what they say
    Import(Import),
}

/// Writes the facts with which the recorded lines of a change came, the proofs that they are in the logs of their runs,
/// and nothing else of the store. `agentprov review --evidence FILE` takes the file.
#[derive(Args, Debug)]
pub(crate) struct Export {
    /// Commits: BASE..HEAD, or BASE for BASE..HEAD
    #[arg(value_name = "BASE..HEAD")]
    range: String,
    /// File to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Sign it with the key of the store (DSSE), so that which line came with which fact is shown too
    #[arg(long)]
    sign: bool,
    /// What to write
    #[arg(long, value_enum, default_value_t = Form::Evidence)]
    format: Form,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Form {
    /// Facts and proofs, for `review --evidence`
    Evidence,
    /// Signed claims, one for each line that has an owner, for `review --evidence`: each is bound to repository, commit,
    /// path, line and content, and can be handed on without the others. They show who says so, not that it was recorded
    LineClaims,
    /// Agent Trace records, one a line: who wrote the lines of each commit, without proof
    AgentTrace,
    /// git-ai authorship notes, as a stream for `git fast-import`; the repository gets them only by that
    GitAiNotes,
}

/// Keeps Agent Trace records beside the store. Reviews and blames then show what they say, as asserted: anybody may write
/// such records. git-ai notes need no import, they are read from refs/notes/ai.
#[derive(Args, Debug)]
pub(crate) struct Import {
    /// Files with records, - for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

impl Attribution {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        match self {
            Self::Export(command) => command.run(context),
            Self::Import(command) => command.run(context),
        }
    }
}

impl Export {
    fn run(self, context: &Context) -> CommandResult {
        if self.sign && matches!(self.format, Form::AgentTrace | Form::GitAiNotes) {
            return Err(Failure::usage("--sign is for evidence and line claims; the other formats know no signature")
                .hint("leave out --sign, or --format"));
        }
        let repository = Repository::find(&current_dir()?).map_err(|error| unreadable(&error))?;
        let selection = Selection::Range(self.range.clone());
        let change = from_git(&repository, &selection).map_err(|error| unreadable(&error))?;
        let text = match self.format {
            Form::Evidence => self.evidence(context, &repository, &change)?,
            Form::LineClaims => line_claims(context, &repository, &change)?,
            form => {
                let (reader, traces) = (reader(context)?, imported(context)?);
                let reader = reader.as_ref();
                let sources = Sources { repository: Some(&repository), reader, traces: &traces, ..Sources::default() };
                let commits = commit_lines(&change, &sources).map_err(|error| undecided(&error))?;
                let notes = || repository.commit("refs/notes/ai").is_ok();
                if form == Form::AgentTrace { agent_trace(&commits) } else { git_ai_notes(&commits, notes()) }
            }
        };
        if text.is_empty() {
            let note = "note: no line of the change is owned by one agent or person, so nothing was exported";
            writeln!(anstream::stderr(), "{}", render::styled(render::UNSURE, note))?;
        }
        match &self.output {
            None => anstream::stdout().lock().write_all(text.as_bytes())?,
            Some(file) => std::fs::write(file, text)
                .map_err(|error| Failure::new(format!("can't write {}: {error}", file.display())))?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn evidence(&self, context: &Context, repository: &Repository, change: &Change) -> Result<String, Failure> {
        let reader = reader(context)?.ok_or_else(|| {
            Failure::new("there are no recordings here, hence no evidence")
                .hint("record what agents do with agentprov record, or name the store with --data-dir")
        })?;
        let sources = Sources { repository: Some(repository), reader: Some(&reader), ..Sources::default() };
        let attribution = attribute(change, &sources).map_err(|error| undecided(&error))?;
        let signer = if self.sign { Some(reader.store().signer()?) } else { None };
        export(change, &attribution, &reader, signer.as_ref()).map_err(|error| Failure::new(error.to_string()))
    }
}

fn line_claims(context: &Context, repository: &Repository, change: &Change) -> Result<String, Failure> {
    let (reader, traces) = (reader(context)?, imported(context)?);
    let reader = reader.as_ref();
    let sources = Sources { repository: Some(repository), reader, traces: &traces, ..Sources::default() };
    let commits = all_commit_lines(change, &sources).map_err(|error| undecided(&error))?;
    let here = repository.identity("HEAD").map_err(|error| unreadable(&error))?.ok_or_else(|| {
        Failure::new("which repository this is can't be told: its history was cut off")
            .hint("fetch the whole history: git fetch --unshallow")
    })?;
    let text = export_line_claims(&commits, &here, &context.store_or_new()?.signer()?);
    let text = text.map_err(|error| Failure::new(error.to_string()))?;
    if text.is_empty() {
        return Err(Failure::new("no line of the change has an owner, hence there is nothing to claim")
            .hint("record what agents do with agentprov record, or name the store with --data-dir"));
    }
    Ok(text)
}

/// Folder of imported records, beside the store.
const IMPORTED: &str = "attribution";

impl Import {
    fn run(self, context: &Context) -> CommandResult {
        let folder = context.store_or_new()?.dir().join(IMPORTED);
        for file in &self.files {
            let bytes = read_file(file)?;
            let records =
                AgentTrace::parse(&bytes).map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
            // The name is the content: the same file is kept once.
            let path = folder.join(format!("{}.json", data_encoding::HEXLOWER.encode(&Sha256::digest(&bytes))));
            let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, &bytes));
            written.map_err(|error| Failure::new(format!("can't keep {}: {error}", path.display())))?;
            let count = render::count(records.len() as u64, "record");
            writeln!(anstream::stdout(), "{}: {count} kept, as {}", file.display(), path.display())?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Records that were imported here.
pub(crate) fn imported(context: &Context) -> Result<Vec<AgentTrace>, Failure> {
    let folder = context.location()?.dir.join(IMPORTED);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort_unstable();
    let mut traces = Vec::new();
    for file in files {
        let records = AgentTrace::parse(&read_file(&file)?);
        traces.extend(records.map_err(|error| {
            Failure::usage(format!("{}: {error}", file.display())).hint("remove that file, or import it anew")
        })?);
    }
    Ok(traces)
}
