//! The proxy for calls of models: a process of its own beside a recording.

use crate::context::{Context, absolute};
use crate::failure::{CommandResult, Failure, NOT_STARTED};
use agentprov_ingest::llm::LlmKeeper;
use agentprov_model::RunId;
use agentprov_model::llm::LlmVendor;
use agentprov_server::llm_proxy::{self, Prompts, Upstream, Way};
use agentprov_store::Location;
use clap::Args;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// How long a recording waits for the last calls to be written down.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pause between two looks whether they are.
const PAUSE: Duration = Duration::from_millis(2);

/// Forwards calls of models until standard input ends. Prints where to send clients, and then an empty line.
#[derive(Args, Debug)]
pub(crate) struct LlmProxy {
    /// The run that the calls belong to
    #[arg(long)]
    run: RunId,
    /// Keep requests and responses too
    #[arg(long)]
    keep_prompts: bool,
}

impl LlmProxy {
    pub(crate) fn run(&self, context: &Context) -> CommandResult {
        let dir = context.global.data_dir.as_ref().ok_or_else(|| Failure::usage("--data-dir is needed"))?;
        let keeper = LlmKeeper::open(&Location::chosen(absolute(dir)?), self.run.clone())
            .map_err(|error| Failure::new(format!("calls of models can't be kept: {error}")))?;
        let upstreams = LlmVendor::ALL.into_iter().map(upstream).collect::<Result<Vec<_>, _>>()?;
        let prompts = if self.keep_prompts { Prompts::Kept } else { Prompts::Named };
        llm_proxy::serve(keeper, upstreams, prompts, announce, wait_for_end).map_err(|error| {
            let failure = Failure::new(format!("calls of models can't be forwarded: {error}"));
            match error {
                llm_proxy::LlmProxyError::Roots(_) => {
                    failure.hint("install ca-certificates, or name a file of certificates in SSL_CERT_FILE")
                }
                _ => failure,
            }
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Where the vendor's clients would go without the proxy.
fn upstream(vendor: LlmVendor) -> Result<Upstream, Failure> {
    let set = std::env::var(vendor.variable()).ok().filter(|base| !base.trim().is_empty());
    let base = set.as_deref().unwrap_or(vendor.default_base());
    Upstream::new(vendor, base).map_err(|error| {
        Failure::new(format!("{} {error}", vendor.variable()))
            .hint("give it the address of a server, or record without --llm-proxy")
    })
}

fn announce(ways: &[Way]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for way in ways {
        writeln!(out, "{}={}", way.vendor.variable(), way.base)?;
    }
    writeln!(out)?;
    out.flush()
}

/// Returns when every process that holds the other end of standard input is gone.
fn wait_for_end() {
    // What can't be read any more has ended too.
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
}

/// A recording's proxy.
pub(crate) struct Running {
    child: Child,
    /// Variables for the command.
    pub(crate) env: Vec<(OsString, OsString)>,
}

impl Running {
    /// Starts it; calls are taken from then on.
    pub(crate) fn start(data_dir: &Path, run: &RunId, keep_prompts: bool) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::new(format!("the proxy for calls of models: {error}"));
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.arg("--data-dir").arg(data_dir).args(["llm-proxy", "--run", run.as_str()]);
        if keep_prompts {
            command.arg("--keep-prompts");
        }
        // In a group of its own: a signal of the terminal is for the command, which may still have a call to end.
        let mut child =
            command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed)?;
        let lines = child.stdout.take().map(BufReader::new);
        let mut env = Vec::new();
        for line in lines.into_iter().flat_map(|lines| lines.take(1 << 16).lines()) {
            let line = line.map_err(failed)?;
            if line.is_empty() {
                return Ok(Self { child, env });
            }
            env.extend(line.split_once('=').map(|(name, value)| (name.into(), value.into())));
        }
        let _ = child.wait();
        Err(Failure::new("the proxy for calls of models did not start").code(NOT_STARTED))
    }

    /// Lets it end, and waits until it has written what it saw. Where processes live on it goes on for them.
    pub(crate) fn finish(mut self) {
        drop(self.child.stdin.take());
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && begun.elapsed() < PATIENCE {
            std::thread::sleep(PAUSE);
        }
    }
}
