//! Other programs, within bounds of time, memory and output.

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How often a running program is looked at.
const POLL: Duration = Duration::from_millis(5);
/// How long the rest of its output is waited for when it has ended: a child that it left behind may hold the pipe.
const DRAIN: Duration = Duration::from_secs(1);
/// Bytes of the error stream that are kept.
const MAX_STDERR: u64 = 64 << 10;

/// What a program may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// How long it may run.
    pub timeout: Duration,
    /// Address space of each of its processes, in bytes.
    pub memory: u64,
    /// What it may write to its output, in bytes.
    pub output: u64,
}

/// A program and how it is started. Of the environment it gets what is named here and nothing else.
#[derive(Clone, Debug)]
pub(super) struct Invocation<'i> {
    pub(super) argv: &'i [OsString],
    pub(super) folder: &'i Path,
    pub(super) environment: &'i [(&'i str, OsString)],
    pub(super) input: Vec<u8>,
}

/// What a program that ended has said.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

impl Output {
    /// How it ended and the last line that it complained with.
    pub(super) fn complaint(&self) -> String {
        let stderr = String::from_utf8_lossy(&self.stderr);
        let last = stderr.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
        let last: String = last.chars().take(300).collect();
        if last.is_empty() { self.status.to_string() } else { format!("{}: {last}", self.status) }
    }
}

/// Why there is no output.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    #[error("can't start {program}: {error}")]
    Start { program: String, error: std::io::Error },
    #[error("not done within {} s", .0.as_secs())]
    TimedOut(Duration),
    #[error("wrote more than {0} bytes")]
    TooMuchOutput(u64),
    #[error("kept its output open after it had ended")]
    OutputHeld,
    #[error("can't wait for it: {0}")]
    Wait(std::io::Error),
}

/// Runs a program to its end, or ends it with all that it started in its process group.
pub(super) fn run(invocation: Invocation<'_>, limits: Limits) -> Result<Output, RunError> {
    let mut child = start(&invocation, limits)?;
    let stdin = child.stdin.take();
    let input = invocation.input;
    // A program need not read its input; a write that fails says no more than that.
    std::thread::spawn(move || stdin.map(|mut pipe| pipe.write_all(&input)));
    let stdout = collect(child.stdout.take(), limits.output.saturating_add(1));
    let stderr = collect(child.stderr.take(), MAX_STDERR);
    let waited = wait_for_end(&child, limits, &stdout);
    // Before the child is reaped: until then nobody else can have the id of its group.
    end_group(&child);
    let status = child.wait().map_err(RunError::Wait)?;
    let stdout = match waited? {
        Some(bytes) => bytes,
        None => stdout.recv_timeout(DRAIN).map_err(|_| RunError::OutputHeld)?,
    };
    if stdout.len() as u64 > limits.output {
        return Err(RunError::TooMuchOutput(limits.output));
    }
    Ok(Output { status, stdout, stderr: stderr.recv_timeout(DRAIN).unwrap_or_default() })
}

/// A shell sets the limit for itself and becomes the program, so that no instruction of it runs without.
fn start(invocation: &Invocation<'_>, limits: Limits) -> Result<Child, RunError> {
    let program = invocation.argv.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    Command::new("/bin/sh")
        .args(["-c", "ulimit -v \"$1\" && shift && exec \"$@\"", "sh"])
        .arg((limits.memory / 1024).to_string())
        .args(invocation.argv)
        .current_dir(invocation.folder)
        .env_clear()
        .envs(invocation.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| RunError::Start { program, error })
}

/// Reads a pipe to its end or to a limit, beside everything else.
fn collect(pipe: Option<impl Read + Send + 'static>, limit: u64) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            let mut pipe = pipe.take(limit);
            // What was read before an error is all there is.
            let _ = pipe.read_to_end(&mut bytes);
        }
        sender.send(bytes)
    });
    receiver
}

/// Waits for the end without reaping the child; output that comes before it is handed back.
fn wait_for_end(child: &Child, limits: Limits, stdout: &Receiver<Vec<u8>>) -> Result<Option<Vec<u8>>, RunError> {
    let start = Instant::now();
    let mut early = None;
    while !has_ended(child)? {
        if early.is_none() {
            early = stdout.try_recv().ok();
        }
        if early.as_ref().is_some_and(|bytes| bytes.len() as u64 > limits.output) {
            return Err(RunError::TooMuchOutput(limits.output));
        }
        if start.elapsed() >= limits.timeout {
            return Err(RunError::TimedOut(limits.timeout));
        }
        std::thread::sleep(POLL);
    }
    Ok(early)
}

fn has_ended(child: &Child) -> Result<bool, RunError> {
    let Some(pid) = pid(child) else { return Ok(true) };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let status = rustix::process::waitid(WaitId::Pid(pid), options);
    status.map(|status| status.is_some()).map_err(|error| RunError::Wait(error.into()))
}

/// Ends what is left of the group that the child was started to lead.
fn end_group(child: &Child) {
    if let Some(group) = pid(child) {
        // An empty group is what was wanted.
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
}

fn pid(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

/// Finds a program the way a shell does.
pub(super) fn find_program(name: &str, path: &std::ffi::OsStr) -> Option<std::path::PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    std::env::split_paths(path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(name)).find(|file| {
        std::fs::metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { timeout: Duration::from_secs(20), memory: 2 << 30, output: 1000 };

    fn shell(script: &str, input: &str, limits: Limits) -> Result<Output, RunError> {
        let argv = ["/bin/sh", "-c", script].map(OsString::from);
        let environment = [("PATH", OsString::from("/usr/bin:/bin"))];
        let (folder, input) = (Path::new("/"), input.as_bytes().to_vec());
        run(Invocation { argv: &argv, folder, environment: &environment, input }, limits)
    }

    #[test]
    fn input_goes_in_and_output_comes_out() {
        let output = shell("cat; echo why >&2; exit 3", "hello", LIMITS).unwrap();
        assert_eq!((output.stdout.as_slice(), output.status.code()), (b"hello".as_slice(), Some(3)));
        assert_eq!(output.complaint(), "exit status: 3: why");
    }

    #[test]
    fn the_environment_is_what_is_named() {
        let output = shell("env", "", LIMITS).unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.contains("CARGO"), "{text}");
    }

    #[test]
    fn time_output_and_memory_are_bounded() {
        let start = Instant::now();
        let slow = shell("sleep 60 & sleep 60", "", Limits { timeout: Duration::from_millis(200), ..LIMITS });
        assert!(matches!(slow, Err(RunError::TimedOut(_))), "{slow:?}");
        let loud = shell("while :; do echo xxxxxxxxxxxxxxxx; done", "", LIMITS);
        assert!(matches!(loud, Err(RunError::TooMuchOutput(1000))), "{loud:?}");
        let greedy = shell(
            "x=$(head -c 400000000 /dev/zero | tr '\\0' a); echo done",
            "",
            Limits { memory: 64 << 20, ..LIMITS },
        );
        let done = greedy.is_ok_and(|output| output.status.success() && output.stdout == b"done\n");
        assert!(!done, "the memory limit was not kept");
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_large_input_that_nobody_reads_does_no_harm() {
        let output = shell("echo ok", &"x".repeat(1 << 20), LIMITS).unwrap();
        assert_eq!(output.stdout, b"ok\n");
    }

    #[test]
    fn a_program_that_is_not_there_ends_with_127() {
        let argv = [OsString::from("/nonexistent/detector")];
        let invocation = Invocation { argv: &argv, folder: Path::new("/"), environment: &[], input: Vec::new() };
        assert_eq!(run(invocation, LIMITS).unwrap().status.code(), Some(127));
    }
}
