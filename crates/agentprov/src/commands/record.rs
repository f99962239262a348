//! `agentprov record`.

use crate::commands::record_batch::RecordBatch;
use crate::commands::record_rules::Rules;
use crate::commands::record_summary;
use crate::commands::{launch, llm_proxy};
use crate::context::{self, Context, absolute, current_dir};
use crate::failure::{CommandResult, Failure, NOT_STARTED};
use crate::render;
use agentprov_capture::{Backend, Command, KeepOutput, Limits, Notice, Options, Orphans, StdoutTo};
use agentprov_ingest::contents::Budgets;
use agentprov_ingest::{RecordRequest, Recorded};
use agentprov_model::{Mechanism, Outcome, RunId};
use clap::{Args, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Runs a command and records its processes, files and connections. The command keeps its input, output, terminal
/// and signals; `record` exits with the command's own status (128 + signal).
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Record {
    #[command(subcommand)]
    many: Option<Many>,
    /// Name of the run; an existing run gets a further attempt [default: a new name]
    #[arg(long, value_name = "RUN")]
    run: Option<RunId>,
    /// Name of the recording inside the run
    #[arg(long, default_value = "record")]
    name: String,
    /// Directory to run the command in [default: the current one]
    #[arg(long, value_name = "DIR")]
    workdir: Option<PathBuf>,
    /// How to observe
    #[arg(long, value_enum, default_value_t = BackendName::Auto)]
    backend: BackendName,
    /// Do not record opens for reading
    #[arg(long)]
    no_reads: bool,
    /// Keep no contents, only which files were written
    #[arg(long)]
    no_contents: bool,
    /// Keep a copy of what the command prints, up to so many bytes of each stream; 1048576 where no number is given
    #[arg(long, value_name = "BYTES", num_args = 0..=1, require_equals = true, default_missing_value = "1048576")]
    keep_output: Option<u64>,
    /// What becomes of processes that outlive the command
    #[arg(long, value_enum, default_value_t = OrphanPolicy::Observe)]
    orphans: OrphanPolicy,
    /// How long to go on recording processes that outlive the command, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 250)]
    post_root_grace_ms: u64,
    /// Longest pause between two looks of the procfs back-end, in milliseconds [default: 25]
    #[arg(long, value_name = "MS")]
    sample_interval_ms: Option<u64>,
    /// Keep only the hash of files larger than this
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().max_file_bytes)]
    max_file_bytes: u64,
    /// Bytes of contents that this recording may add to the store
    #[arg(long, value_name = "BYTES", default_value_t = Budgets::default().run_bytes)]
    run_budget: u64,
    /// Bytes of contents that the store may hold
    #[arg(long, value_name = "BYTES", default_value_t = Budgets::default().store_bytes)]
    store_budget: u64,
    /// Exit with 0 when the recording was made, whatever the command's status
    #[arg(long, env = "AGENTPROV_EXIT_ZERO", value_parser = clap::builder::FalseyValueParser::new())]
    exit_zero: bool,
    /// Print the manifest as a document; the command's standard output then goes to standard error
    #[arg(long)]
    json: bool,
    /// Write the manifest to a file and leave both streams to the command
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    json_file: Option<PathBuf>,
    /// Do not mark the shell commands of Claude Code (leaves CLAUDE_CODE_SHELL_PREFIX alone)
    #[arg(long)]
    no_launch_wrapper: bool,
    /// Lead the command's calls of models through a proxy on the loopback interface, and record them
    #[arg(long)]
    llm_proxy: bool,
    /// Keep what passes the proxy too, redacted, up to 32 KiB of each request and response
    #[arg(long, requires = "llm_proxy")]
    keep_prompts: bool,
    /// Print no summary
    #[arg(long, short)]
    quiet: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
    #[command(flatten)]
    rules: Rules,
}

/// What a shell exits with where a program was not found.
const NOT_FOUND: i32 = 127;

/// More than one recording.
#[derive(Debug, Subcommand)]
enum Many {
    /// Record one command for each line of a file
    Batch(RecordBatch),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum BackendName {
    /// The best that this host allows
    Auto,
    /// seccomp filter and ptrace: exact, needs no privilege
    Ptrace,
    /// Samples of /proc: misses short processes
    Procfs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OrphanPolicy {
    /// They are reported and live on
    #[value(alias = "observe_only")]
    Observe,
    /// They are ended and reported
    Terminate,
}

impl Record {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        if let Some(Many::Batch(batch)) = &self.many {
            return batch.run(context);
        }
        let before_start = |failure: Failure| failure.code(NOT_STARTED);
        if let Some(path) = &self.json_file {
            check_writable(path).map_err(before_start)?;
        }
        let store = context.store_or_new().map_err(before_start)?;
        if let Some(foreign) = store.location().foreign_database() {
            note(&format!("{} belongs to the Go tool and is left untouched", foreign.display()));
        }
        let mut request = self.request().map_err(before_start)?;
        if context.global.data_dir.is_some() {
            // Hooks of the agent find the store by its folder, unless another one was named.
            request.command.env.push(("AGENTPROV_DATA_DIR".into(), store.dir().into()));
        }
        request.command.env.extend(self.launch_wrapper(store.dir()));
        let proxy = self.llm_proxy.then(|| llm_proxy::Running::start(store.dir(), &request.run, self.keep_prompts));
        let proxy = proxy.transpose().map_err(before_start)?;
        request.command.env.extend(proxy.iter().flat_map(|proxy| proxy.env.iter().cloned()));
        let judge = self.rules.judge(&store, &request).map_err(before_start)?;
        let recorded = match &judge {
            Some(judging) => {
                let gate = judging.gate.clone();
                agentprov_ingest::record_judged(&store, &request, &*judging.make, gate, &mut notice)?
            }
            None => agentprov_ingest::record(&store, &request, &mut notice)?,
        };
        if let Some(proxy) = proxy {
            proxy.finish();
            context::take_hooks(&store);
        }
        if self.sample_interval_ms.is_some() && recorded.finished.mechanism != Mechanism::Procfs {
            note("--sample-interval-ms has no meaning here: the ptrace back-end sees every event and samples nothing");
        }
        // The command has run: that its manifest can't be printed must not hide how it ended.
        let report = self.report(context, &store, &recorded);
        let reported = report.map_or_else(|failure| failure.code(NOT_STARTED).report(), |()| ExitCode::SUCCESS);
        if let Outcome::NotStarted { reason, .. } = &recorded.finished.outcome {
            self.say_not_started(&reason.lossy(), recorded.finished.outcome.shell_status());
        }
        if let Some(fault) = &recorded.finished.fault {
            let failure = Failure::new(format!("the recording is incomplete: {}", fault.message));
            match &fault.hint {
                Some(hint) => failure.hint(hint).report(),
                None => failure.report(),
            };
        }
        let code = self.exit_code(&recorded);
        Ok(if code == ExitCode::SUCCESS { reported } else { code })
    }

    /// Why the command could not be run, and what to do about it.
    fn say_not_started(&self, reason: &str, shell_status: i32) {
        let program = self.command[0].to_string_lossy();
        let named = reason.starts_with(program.as_ref());
        let failure = Failure::new(if named { reason.to_owned() } else { format!("{program}: {reason}") });
        let failure = match shell_status {
            _ if program.contains(char::is_whitespace) && self.command.len() == 1 => {
                failure.hint(format!("for a line of shell: agentprov record -- sh -c '{program}'"))
            }
            NOT_FOUND if program.contains('/') => failure.hint("check its name, and the interpreter in its first line"),
            NOT_FOUND => failure.hint("check its name, and that a folder of PATH has it"),
            _ => failure.hint("name a program that you may execute (chmod +x), or its interpreter before it"),
        };
        failure.report();
    }

    /// The variable that makes Claude Code run shell commands through the launch wrapper, which marks where each begins.
    /// A wrapper of the user's own stays.
    fn launch_wrapper(&self, data_dir: &Path) -> Option<(OsString, OsString)> {
        if self.no_launch_wrapper || std::env::var_os(launch::PREFIX_VARIABLE).is_some() {
            return None;
        }
        match launch::link(data_dir) {
            Ok(link) => link.map(|link| (launch::PREFIX_VARIABLE.into(), link.into())),
            Err(error) => {
                note(&format!("shell commands of agents are not marked: {}: {error}", data_dir.display()));
                None
            }
        }
    }

    fn exit_code(&self, recorded: &Recorded) -> ExitCode {
        let status = recorded.finished.outcome.shell_status();
        match &recorded.finished.fault {
            _ if self.exit_zero && recorded.finished.fault.is_none() => ExitCode::SUCCESS,
            // A command that passed must not hide that its recording failed.
            Some(_) if status == 0 => ExitCode::from(NOT_STARTED),
            _ => ExitCode::from(u8::try_from(status & 0xff).unwrap_or(u8::MAX)),
        }
    }

    fn request(&self) -> Result<RecordRequest, Failure> {
        let workdir = match &self.workdir {
            Some(dir) => absolute(dir)?,
            None => current_dir()?,
        };
        let workdir = workdir.canonicalize().map_err(|error| {
            Failure::new(format!("--workdir {}: {error}", workdir.display())).hint("name a folder that exists")
        })?;
        let stdout = if self.json { StdoutTo::Stderr } else { StdoutTo::Inherit };
        let options = Options {
            backend: match self.backend {
                BackendName::Auto => Backend::Auto,
                BackendName::Ptrace => Backend::Ptrace,
                BackendName::Procfs => Backend::Procfs,
            },
            reads: !self.no_reads,
            grace: Duration::from_millis(self.post_root_grace_ms),
            orphans: match self.orphans {
                OrphanPolicy::Observe => Orphans::Observe,
                OrphanPolicy::Terminate => Orphans::Terminate,
            },
            workspace: workspace_of(&workdir),
            own_files: Vec::new(),
            limits: Limits { max_file_bytes: self.max_file_bytes, ..Limits::default() },
            contents: !self.no_contents,
            sample_interval: Duration::from_millis(self.sample_interval_ms.unwrap_or(25).max(1)),
        };
        let command = Command {
            argv: self.command.clone(),
            workdir,
            env: Vec::new(),
            stdout,
            keep_output: self.keep_output.map(|max_bytes| KeepOutput { max_bytes }),
        };
        let mut request = RecordRequest::new(self.run.clone(), command, options)?;
        request.name.clone_from(&self.name);
        request.budgets = Budgets { run_bytes: self.run_budget, store_bytes: self.store_budget };
        Ok(request)
    }

    fn report(&self, context: &Context, store: &agentprov_store::Store, recorded: &Recorded) -> Result<(), Failure> {
        if self.quiet && !self.json && self.json_file.is_none() {
            return Ok(());
        }
        let manifest = record_summary::manifest(store, recorded)?;
        if self.json {
            return render::json(&manifest);
        }
        if let Some(path) = &self.json_file {
            let mut text = serde_json::to_vec_pretty(&manifest)?;
            text.push(b'\n');
            std::fs::write(path, text).map_err(|error| unwritable(path, &error))?;
        }
        if self.quiet { Ok(()) } else { record_summary::print(context, store, &manifest, recorded) }
    }
}

/// Refuses a manifest's place before the command runs. Nothing new is left there: the command would see it.
fn check_writable(path: &Path) -> Result<(), Failure> {
    let checked = match std::fs::metadata(path) {
        Ok(there) if there.is_file() => std::fs::OpenOptions::new().append(true).open(path).map(drop),
        Ok(there) if there.is_dir() => Err(std::io::ErrorKind::IsADirectory.into()),
        // Opening a pipe or a device has effects of its own.
        Ok(_) => Ok(()),
        Err(_) => std::fs::File::create_new(path).and_then(|_| std::fs::remove_file(path)),
    };
    checked.map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("--json-file {}: {error}", path.display())).hint("name a file that can be written")
}

/// Top of the git work tree around the folder, else the folder itself.
fn workspace_of(workdir: &Path) -> PathBuf {
    workdir.ancestors().find(|dir| dir.join(".git").exists()).unwrap_or(workdir).to_owned()
}

fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "{}", render::styled(render::UNSURE, format!("note: {text}")));
}

fn notice(notice: Notice) {
    let way_out = notice.way_out.map(|way_out| format!("; {way_out}")).unwrap_or_default();
    note(&format!("{}{way_out}", notice.text));
}
