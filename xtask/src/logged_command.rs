//! Runs a command with its whole output kept in a file.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::Result;
use crate::process_tree;

/// What a command that was started came to.
pub(crate) struct Finished {
    /// `None` when the time limit ended it.
    pub(crate) status: Option<ExitStatus>,
    /// Standard output and error, in the order in which they were written.
    pub(crate) output: String,
}

impl Finished {
    pub(crate) fn success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// How it ended, in words.
    pub(crate) fn ending(&self) -> String {
        match self.status {
            Some(status) => status.to_string(),
            None => "stopped at its time limit".to_owned(),
        }
    }
}

/// Runs `command`, appends its output to `log`, and returns this command's part of it.
pub(crate) fn run(command: &mut Command, log: &Path, limit: Option<Duration>) -> Result<Finished> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut file = open_log(log)?;
    writeln!(file, "$ {}", describe(command)).map_err(|error| at(log, &error))?;
    let start = file.metadata().map_err(|error| at(log, &error))?.len();
    let for_stderr = file.try_clone().map_err(|error| at(log, &error))?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(for_stderr)
        .spawn()
        .map_err(|error| format!("cannot start {program}: {error}"))?;
    // The command owns the log's handles too; a builder that lives on must not keep them open.
    command.stdout(Stdio::null()).stderr(Stdio::null());

    let deadline = limit.map(|limit| Instant::now() + limit);
    let status = loop {
        let ended = match deadline {
            None => Some(child.wait()),
            Some(_) => child.try_wait().transpose(),
        };
        match ended {
            Some(status) => break Some(status.map_err(|error| format!("{program}: {error}"))?),
            None if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
                let rest = process_tree::kill_below(child.id());
                // It may have ended in between, which is as good as being stopped.
                let _ = child.kill();
                let _ = child.wait();
                append(log, &format!("still running at the time limit:\n{rest}"))?;
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    Ok(Finished { status, output: read_from(log, start)? })
}

fn open_log(log: &Path) -> Result<File> {
    if let Some(parent) = log.parent() {
        std::fs::create_dir_all(parent).map_err(|error| at(parent, &error))?;
    }
    OpenOptions::new().create(true).append(true).open(log).map_err(|error| at(log, &error))
}

fn append(log: &Path, text: &str) -> Result<()> {
    open_log(log)?.write_all(text.as_bytes()).map_err(|error| at(log, &error))
}

fn read_from(log: &Path, start: u64) -> Result<String> {
    let bytes = std::fs::read(log).map_err(|error| at(log, &error))?;
    let start = usize::try_from(start).unwrap_or(bytes.len());
    Ok(String::from_utf8_lossy(bytes.get(start..).unwrap_or_default()).into_owned())
}

fn describe(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

fn at(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_streams_are_kept_in_order() {
        let scratch = Scratch::new("log").unwrap();
        let log = scratch.path().join("deep/step.log");
        let finished = run(&mut shell("echo one; echo two >&2; echo three"), &log, None).unwrap();
        assert!(finished.success());
        assert_eq!(finished.output, "one\ntwo\nthree\n");
    }

    #[test]
    fn a_second_command_returns_its_own_part_and_keeps_the_first() {
        let scratch = Scratch::new("log").unwrap();
        let log = scratch.path().join("step.log");
        run(&mut shell("echo first"), &log, None).unwrap();
        let second = run(&mut shell("echo second; exit 3"), &log, None).unwrap();
        assert!(!second.success());
        assert_eq!(second.output, "second\n");
        assert!(std::fs::read_to_string(&log).unwrap().contains("first"));
    }

    #[test]
    fn the_time_limit_ends_a_command() {
        let scratch = Scratch::new("log").unwrap();
        let log = scratch.path().join("step.log");
        let limit = Some(Duration::from_millis(100));
        let finished = run(&mut shell("sleep 20; :"), &log, limit).unwrap();
        assert!(!finished.success());
        assert_eq!(finished.ending(), "stopped at its time limit");
        assert!(finished.output.contains("still running at the time limit:\n"), "{}", finished.output);
    }
}
