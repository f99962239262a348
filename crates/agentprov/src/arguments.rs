//! The command tree. Each command's own arguments stand in its file.

use crate::commands;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Flight recorder and notary for coding agents.
#[derive(Debug, Parser)]
#[command(name = "agentprov", version, propagate_version = true, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that every command takes, before or after its name.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// The store to use [default: the nearest .agentprov upward from here, as git finds .git]
    #[arg(long, global = true, value_name = "DIR", env = "AGENTPROV_DATA_DIR", help_heading = "Global options")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Daemon to ask instead of the local store: by runs, show, timeline, telemetry list, windows and correlations, graph verify,
    /// explain, diff and blame, security and observe summary, with --json. Other commands work on the local store only, and say
    /// so. AGENTPROV_DAEMON_TOKEN has its token
    #[arg(long, global = true, value_name = "URL", env = "AGENTPROV_DAEMON_URL", help_heading = "Global options")]
    pub(crate) daemon_url: Option<String>,
    /// Signing key to use instead of the store's own: a file with a 32-byte seed in hex, mode 0600
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub(crate) key: Option<PathBuf>,
    /// Show times in UTC, also on a terminal
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) utc: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a command and record what its processes do
    Record(commands::record::Record),
    /// List recorded runs, newest first
    Runs(commands::runs::Runs),
    /// Show what happened in a run, or any other id
    Show(commands::show::Show),
    /// Everything that happened, in order of time
    Timeline(commands::timeline::Timeline),
    /// Ask the causality graph
    #[command(subcommand)]
    Graph(commands::graph::Graph),
    /// Ask about counts, coverage and scopes
    #[command(subcommand)]
    Observe(commands::observe::Observe),
    /// What sensors saw: take it in, tie it to runs, look at it
    #[command(subcommand)]
    Telemetry(commands::telemetry::Telemetry),
    /// Risks, what was done about them, and deviations
    #[command(subcommand)]
    Security(commands::security::Security),
    /// Try rules, check rule files, list decisions
    #[command(subcommand)]
    Policy(commands::policy::Policy),
    /// List the ways in which evidence comes in
    #[command(subcommand)]
    Adapter(commands::adapter::Adapter),
    /// Summaries of evidence for other programs
    #[command(subcommand)]
    Evidence(commands::evidence::Evidence),
    /// Say which process wrote each line of a file
    Blame(commands::blame::Blame),
    /// Compare what agents declared with what was observed
    Reconcile(commands::reconcile::Reconcile),
    /// Take one message of an agent's hook on standard input
    Hook(commands::hook::Hook),
    /// Review a change: who wrote each line, what is wrong with it, whether it may be merged
    Review(commands::review::Review),
    /// The engines that look at changes
    #[command(subcommand)]
    Detectors(commands::review::capabilities::Detectors),
    /// Evidence of who wrote the lines of a change, for other clones
    #[command(subcommand)]
    Attribution(commands::attribution::Attribution),
    /// Check that the evidence is what was signed
    Verify(commands::verify::Verify),
    /// Write a proof that one fact is in a run's log
    Prove(commands::prove::Prove),
    /// Take in what other programs wrote down
    #[command(subcommand)]
    Import(commands::import::Import),
    /// Record what passes between agents and MCP servers
    #[command(subcommand)]
    Mcp(commands::mcp::Mcp),
    /// Run a line in a shell, in place of this process
    #[command(hide = true)]
    Launch(commands::launch::Launch),
    /// Forward calls of models for a recording
    #[command(hide = true)]
    LlmProxy(commands::llm_proxy::LlmProxy),
    /// Put hooks into an agent's settings, or take them out
    Setup(commands::setup::Setup),
    /// Say what this host can capture, and what the signature is worth here
    Doctor(commands::doctor::Doctor),
    /// Record a scripted agent and explain it, from recording to a refused forgery
    Demo(commands::demo::Demo),
    /// What runs cost on disk
    Du(commands::du::Du),
    /// Remove a run's evidence; a tombstone stays in the ledger
    Rm(commands::rm::Rm),
    /// Remove runs that are older than a time, and left-over files
    Gc(commands::gc::Gc),
    /// Recompute every leaf, root, index and blob, and compare
    Fsck(commands::fsck::Fsck),
    /// Make the store (recording does so by itself)
    Init(commands::init::Init),
    /// Serve the review API
    #[command(subcommand)]
    Daemon(commands::daemon::Daemon),
    /// Print a completion script for a shell
    Completions(commands::completions::Completions),
    /// Write man pages to a folder
    Man(commands::man::Man),
    /// Write generated files of the project
    #[command(hide = true, subcommand)]
    Generate(commands::generate::Generate),
}

/// A run, named by position or by `--run`.
#[derive(Args, Clone, Debug)]
pub(crate) struct RunName {
    /// The run [default: the latest]
    #[arg(value_name = "RUN", conflicts_with = "run")]
    position: Option<String>,
    /// The run, by flag
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
}

impl RunName {
    /// The name, where one was given.
    pub(crate) fn name(&self) -> Option<&str> {
        self.run.as_deref().or(self.position.as_deref())
    }
}
