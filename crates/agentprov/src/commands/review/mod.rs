//! `agentprov review`.
//!
//! Exit codes: 0 the outcome is below `--fail-on`, 1 it is not, 2 wrong usage or settings, 3 no outcome could be
//! reached. A change that can't be read is never an allow.

pub(crate) mod capabilities;
mod decided;
mod engines;
mod evidence;
mod setup;
mod text;
mod waive;

pub(crate) use decided::decide_again;
pub(crate) use evidence::keys_of;
pub(crate) use text::describe;

use self::engines::Engines;
use crate::commands::attribution::imported;
use crate::context::{Context, current_dir};
use crate::failure::{CommandResult, Failure};
use crate::render;
use agentprov_review::analyse;
use agentprov_review::attribution::{AgentTrace, AttributionError, Sources, attribute};
use agentprov_review::change::{Change, ChangeError, Repository, Selection, from_diff, from_git};
use agentprov_review::governance::Outcome;
use agentprov_review::report::{VersionControl, sarif, workflow_commands};
use agentprov_store::Reader;
use clap::{Args, Subcommand, ValueEnum};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Exit code where no outcome could be reached.
const UNDECIDED: u8 = 3;

/// Says who wrote each line of a change, what is wrong with it, and whether it may be merged.
///
/// The change is that of a branch since it left its upstream, unless a range, --staged, --worktree or --diff says
/// otherwise. The policy is the .agentprov-review.yaml of the change's base, so that a change is not judged by rules of its own.
///
/// Exit codes: 0 the outcome is below --fail-on, 1 it is not, 2 wrong usage or settings, 3 no outcome could be reached.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Review {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    how: How,
}

/// What is reviewed.
#[derive(Args, Debug)]
struct What {
    /// Commits: BASE..HEAD, or BASE for BASE..HEAD [default: since the merge base with the upstream branch]
    #[arg(value_name = "BASE..HEAD", group = "selection")]
    range: Option<String>,
    /// What is in the index
    #[arg(long, group = "selection")]
    staged: bool,
    /// What is in the work tree, files that git does not track included
    #[arg(long, group = "selection")]
    worktree: bool,
    /// One commit, against its parent
    #[arg(long, value_name = "REV", group = "selection")]
    commit: Option<String>,
    /// Which parent of the commit, counted from 1
    #[arg(long, value_name = "N", requires = "commit", default_value_t = 1)]
    parent: u32,
    /// A unified diff in a file, or - for standard input
    #[arg(long, value_name = "FILE", group = "selection")]
    diff: Option<PathBuf>,
}

/// How it is reviewed and shown.
#[derive(Args, Debug)]
struct How {
    /// Print the whole review as a document; the same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// How to print the review
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// From which outcome on to exit with 1
    #[arg(long, value_enum, default_value_t = FailOn::Block)]
    fail_on: FailOn,
    /// The policy to use instead of the one in the repository
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    engines: Engines,
    /// Write the decision, signed with the key of the store (in-toto statement in a DSSE envelope), to this file;
    /// `agentprov verify --statement FILE` decides anew
    #[arg(long, value_name = "FILE", conflicts_with = "diff")]
    sign: Option<PathBuf>,
    /// Agent Trace records to take claims from
    #[arg(long, value_name = "FILE")]
    agent_trace: Vec<PathBuf>,
    /// Evidence from another clone (attribution export), or a folder of it. What does not hold is refused with exit code 3
    #[arg(long, value_name = "FILE|DIR")]
    evidence: Vec<PathBuf>,
    /// A file with public keys to believe evidence of, such as the store.pub of the other store; without one, evidence is
    /// no more than a claim
    #[arg(long, value_name = "KEYFILE", requires = "evidence")]
    trust: Vec<PathBuf>,

    /// A file with public keys to believe waivers of, beside the key of the store and the waiver_keys of the policy
    #[arg(long = "waiver-key", value_name = "KEYFILE")]
    waiver_keys: Vec<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// The whole review
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations of a GitHub workflow
    Github,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum FailOn {
    /// On warn and block
    Warn,
    /// On block
    Block,
}

impl FailOn {
    const fn outcome(self) -> Outcome {
        match self {
            Self::Warn => Outcome::Warn,
            Self::Block => Outcome::Block,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Answer for a finding until a day: it is right, and the risk is taken
    Waive(waive::Waive),
    /// Say that a finding is wrong
    Suppress(waive::Waive),
    /// Take back what was decided on a finding
    Reopen(waive::Waive),
}

impl Review {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        use agentprov_review::governance::WaiverAction;
        match self.action {
            Some(Action::Waive(command)) => command.run(context, WaiverAction::Waive),
            Some(Action::Suppress(command)) => command.run(context, WaiverAction::Suppress),
            Some(Action::Reopen(command)) => command.run(context, WaiverAction::Reopen),
            None => review(context, &self.what, &self.how),
        }
    }
}

fn review(context: &Context, what: &What, how: &How) -> CommandResult {
    let started = setup::now();
    let here = current_dir()?;
    let repository = match Repository::find(&here) {
        Ok(repository) => Some(repository),
        Err(ChangeError::NoRepository(_)) if what.diff.is_some() => None,
        Err(error) => return Err(unreadable(&error)),
    };
    let change = read_change(repository.as_ref(), what)?;
    let reader = reader(context)?;
    let mut traces = read_traces(&how.agent_trace)?;
    traces.extend(imported(context)?);
    let handed = evidence::read(&how.evidence, &how.trust)?;
    let sources = Sources {
        repository: repository.as_ref(),
        reader: reader.as_ref(),
        traces: &traces,
        evidence: &handed.evidence,
        line_claims: &handed.line_claims,
    };
    let attribution = attribute(&change, &sources).map_err(|error| undecided(&error))?;
    let policy =
        setup::policy(context, repository.as_ref(), &change, (how.config.as_deref(), &how.waiver_keys), started)?;
    let detectors = how.engines.registry(&policy, how.config.is_some(), &here)?;
    let review = analyse(&change, &attribution, &detectors, &policy);
    let noted = match &repository {
        Some(repository) => {
            decided::keep(context, how.sign.as_deref(), repository, (&change, &review, &policy), &detectors)?
        }
        None => None,
    };
    match if how.json { Format::Json } else { how.format } {
        Format::Json => render::json(&review)?,
        Format::Sarif => {
            let of = |repository| VersionControl::of(repository, &change.origin);
            let version_control =
                repository.as_ref().map(of).transpose().map_err(|error| unreadable(&error))?.flatten();
            render::json(&sarif(&review, &change, version_control.as_ref(), (started, setup::now())))?
        }
        Format::Github => anstream::stdout().lock().write_all(workflow_commands(&review).as_bytes())?,
        Format::Text => text::print(&review, &change, reader.is_some(), noted)?,
    }
    let failed = review.outcome >= how.fail_on.outcome();
    Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn read_change(repository: Option<&Repository>, what: &What) -> Result<Change, Failure> {
    let change = match (repository, &what.diff) {
        (_, Some(file)) => from_diff(&read_file(file)?),
        (Some(repository), None) => from_git(repository, &what.selection()),
        (None, None) => return Err(Failure::usage("there is no repository here")),
    };
    change.map_err(|error| unreadable(&error))
}

impl What {
    fn selection(&self) -> Selection {
        match (&self.range, &self.commit) {
            (Some(range), _) => Selection::Range(range.clone()),
            (_, Some(commit)) => Selection::Parent { commit: commit.clone(), parent: self.parent },
            _ if self.staged => Selection::Staged,
            _ if self.worktree => Selection::Worktree,
            _ => Selection::Upstream,
        }
    }
}

pub(crate) fn read_file(file: &std::path::Path) -> Result<Vec<u8>, Failure> {
    if file.as_os_str() == "-" {
        let mut text = Vec::new();
        std::io::stdin().lock().read_to_end(&mut text)?;
        return Ok(text);
    }
    std::fs::read(file).map_err(|error| Failure::usage(format!("{}: {error}", file.display())))
}

fn read_traces(files: &[PathBuf]) -> Result<Vec<AgentTrace>, Failure> {
    let mut traces = Vec::new();
    for file in files {
        let records = AgentTrace::parse(&read_file(file)?);
        traces.extend(records.map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?);
    }
    Ok(traces)
}

/// Recordings, where there are any: a review works without.
pub(crate) fn reader(context: &Context) -> Result<Option<Reader>, Failure> {
    if !context.location()?.exists() {
        return Ok(None);
    }
    let reader = context.store()?.reader();
    reader.map(Some).map_err(|error| Failure::from(error).code(UNDECIDED))
}

/// A change that can't be read has no outcome.
pub(crate) fn unreadable(error: &ChangeError) -> Failure {
    let failure = Failure::new(error.to_string()).code(UNDECIDED);
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The same for attribution.
pub(crate) fn undecided(error: &AttributionError) -> Failure {
    match error {
        AttributionError::Git(error) => unreadable(error),
        AttributionError::Evidence { .. } => Failure::new(error.to_string())
            .code(UNDECIDED)
            .hint("leave it out, or export it for this change: agentprov attribution export BASE..HEAD --sign"),
        AttributionError::Recordings(_) => {
            Failure::new(error.to_string()).code(UNDECIDED).hint("see what is wrong with the store: agentprov fsck")
        }
    }
}
