//! `agentprov mcp`.

use crate::context::{Context, absolute, current_dir};
use crate::failure::{CommandResult, Failure};
use crate::render::{UNSURE, styled};
use agentprov_ingest::hooks::wall_clock;
use agentprov_ingest::mcp::{Contents, Keeper, Kept, relay};
use agentprov_model::{OsBytes, SessionId};
use agentprov_store::Location;
use clap::{Args, Subcommand};
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// Record what passes between agents and MCP servers.
#[derive(Debug, Subcommand)]
pub(crate) enum Mcp {
    /// Run an MCP server on stdio and record what passes
    Wrap(Wrap),
    /// Run a server that ends with the process that started it
    #[command(hide = true)]
    Serve(Serve),
}

/// Runs a server that speaks MCP on standard input and output. Put it before the server's command where the agent is
/// told about the server. Bytes pass unchanged; requests and answers are recorded, parameters and results by hash and
/// length only. Descriptions of tools are pinned, and a change is recorded.
#[derive(Args, Debug)]
pub(crate) struct Wrap {
    /// Name of the server [default: the last part of its program's path]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Keep parameters and results too, redacted, up to 64 KiB each
    #[arg(long)]
    keep_content: bool,
    /// The server and its arguments
    #[arg(last = true, required = true, value_name = "SERVER")]
    server: Vec<OsString>,
}

/// The step between relay and server.
#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// The relay
    parent: i32,
    #[arg(last = true, required = true)]
    server: Vec<OsString>,
}

impl Mcp {
    pub(crate) fn run(&self, context: &Context) -> CommandResult {
        match self {
            Self::Wrap(wrap) => wrap.run(context),
            Self::Serve(serve) => serve.run(),
        }
    }
}

impl Wrap {
    fn run(&self, context: &Context) -> CommandResult {
        let kept = match self.begin(context) {
            Ok(kept) => kept,
            Err(failure) => {
                // A server that is not recorded is better than none.
                let warning = format!("warning: this MCP server is not recorded: {failure}");
                let _ = writeln!(anstream::stderr(), "{}", styled(UNSURE, warning));
                return Err(exec(&self.server));
            }
        };
        let program = std::env::current_exe().map_err(|error| Failure::new(format!("this program's path: {error}")))?;
        let server = Command::new(program)
            .args(["mcp", "serve", &std::process::id().to_string(), "--"])
            .args(&self.server)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| Failure::new(format!("the server can't be started: {error}")))?;
        let (agent_in, agent_out) = streams()?;
        let ended = relay(server, agent_in, agent_out, kept)
            .map_err(|error| Failure::new(format!("the server can't be waited for: {error}")))?;
        let code = ended.status.code().unwrap_or_else(|| 128 + ended.status.signal().unwrap_or_default());
        Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
    }

    fn begin(&self, context: &Context) -> Result<Kept, Failure> {
        let location = match &context.global.data_dir {
            Some(dir) => Location::chosen(absolute(dir)?),
            None => Location::find_or_own(&current_dir()?)
                .ok_or_else(|| Failure::new("there is no store here and no home for the user's own"))?,
        };
        let command: Vec<OsBytes> = self.server.iter().map(|word| OsBytes::from(word.as_bytes())).collect();
        let session = std::env::var("CLAUDE_CODE_SESSION_ID").ok().and_then(|id| SessionId::new(id).ok());
        let contents = if self.keep_content { Contents::Kept } else { Contents::Named };
        Keeper::begin(&location, self.server_name(), &command, session, contents, wall_clock())
            .map_err(|error| Failure::new(error.to_string()))
    }

    fn server_name(&self) -> String {
        let program =
            || Path::new(&self.server[0]).file_name().unwrap_or(&self.server[0]).to_string_lossy().into_owned();
        self.name.clone().unwrap_or_else(program)
    }
}

/// Both streams without a buffer of their own.
fn streams() -> Result<(File, File), Failure> {
    let raw = |fd: io::Result<std::os::fd::OwnedFd>| {
        fd.map(File::from).map_err(|error| Failure::new(format!("standard input and output are needed: {error}")))
    };
    Ok((raw(io::stdin().as_fd().try_clone_to_owned())?, raw(io::stdout().as_fd().try_clone_to_owned())?))
}

impl Serve {
    /// The signal at the parent's death outlives the exec, so a server never stays behind its relay.
    fn run(&self) -> CommandResult {
        set_parent_process_death_signal(Some(Signal::TERM))
            .map_err(|error| Failure::new(format!("the server can't be tied to its relay: {error}")))?;
        if getppid().map(Pid::as_raw_pid) != Some(self.parent) {
            return Err(Failure::new("the relay is gone"));
        }
        Err(exec(&self.server))
    }
}

/// Becomes the server.
fn exec(server: &[OsString]) -> Failure {
    let error = Command::new(&server[0]).args(&server[1..]).exec();
    let code = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
    Failure::new(format!("{}: {error}", server[0].to_string_lossy()))
        .hint("name the server's program as the agent's settings did")
        .code(code)
}
