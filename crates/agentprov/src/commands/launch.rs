//! The launch wrapper: `agentprov launch LINE`, or the program under the name `agentprov-launch`.
//!
//! Claude Code runs `$CLAUDE_CODE_SHELL_PREFIX LINE` in place of LINE, and takes the whole variable for one path where
//! it starts a server. So the variable names a link to this program that says by its name what is asked.

use crate::failure::{CommandResult, Failure};
use agentprov_model::declared::{LAUNCH_NAME, LAUNCH_WRAPPER};
use clap::Args;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Variable in which Claude Code looks for a wrapper.
pub(crate) const PREFIX_VARIABLE: &str = "CLAUDE_CODE_SHELL_PREFIX";

/// Runs a line in the shell of the user, in place of this process.
#[derive(Args, Debug)]
pub(crate) struct Launch {
    /// The line, and what it sees as its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "LINE")]
    line: Vec<OsString>,
}

impl Launch {
    pub(crate) fn run(&self) -> CommandResult {
        let shell = shell();
        let error = Command::new(&shell).arg("-c").args(&self.line).exec();
        // The statuses that shells have for a command that can't be found or run.
        let code = if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 };
        Err(Failure::new(format!("{}: {error}", shell.display())).hint("set SHELL to bash or zsh").code(code))
    }
}

/// Where the program was called by the wrapper's name: runs the line. Nothing else is looked at, so that no option or
/// variable of agentprov changes what a line does.
pub(crate) fn by_name() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    let name = arguments.next()?;
    let first = Path::new(&name).file_name()?;
    if first != OsStr::new(LAUNCH_NAME) {
        return None;
    }
    let line: Vec<OsString> = arguments.collect();
    if line.is_empty() {
        let usage = format!("{LAUNCH_NAME} needs a line to run");
        return Some(Failure::usage(usage).hint(format!("agentprov {LAUNCH_WRAPPER} LINE")).report());
    }
    Some(Launch { line }.run().unwrap_or_else(Failure::report))
}

/// The shell that the agent chose, which tells it in SHELL; it takes no others than bash and zsh.
fn shell() -> PathBuf {
    let chosen = std::env::var_os("SHELL").map(PathBuf::from);
    let fits = |shell: &PathBuf| matches!(shell.file_name().and_then(OsStr::to_str), Some("bash" | "zsh"));
    chosen.filter(fits).unwrap_or_else(|| {
        let bash = Path::new("/bin/bash");
        if bash.exists() { bash.to_owned() } else { PathBuf::from("/bin/sh") }
    })
}

/// Makes the link in the data dir and gives its path. None where the agent would misread the path: it splits it at the
/// last blank that a dash follows.
pub(crate) fn link(data_dir: &Path) -> std::io::Result<Option<PathBuf>> {
    let link = std::path::absolute(data_dir)?.join(LAUNCH_NAME);
    if link.as_os_str().as_encoded_bytes().windows(2).any(|two| two == b" -") {
        return Ok(None);
    }
    let program = std::env::current_exe()?;
    if std::fs::read_link(&link).is_ok_and(|target| target == program) {
        return Ok(Some(link));
    }
    // Replaced in one step: another recording may be using it.
    let draft = link.with_extension(std::process::id().to_string());
    let _ = std::fs::remove_file(&draft);
    std::os::unix::fs::symlink(program, &draft)?;
    std::fs::rename(&draft, &link)?;
    Ok(Some(link))
}
