//! Programs that may not outlast a test: one that hangs fails its test, and does not stop all others.

use std::fs::read_link;
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Far above what any call takes, also on a machine that does other things.
const LIMIT: Duration = Duration::from_secs(180);

/// A program's output, which must come in time.
pub(crate) trait InTime {
    /// As [`Command::output`]; fails the test where the program can't be started, or where it or whoever holds its
    /// output does not end.
    fn output_in_time(&mut self) -> Output;
}

impl InTime for Command {
    #[track_caller]
    fn output_in_time(&mut self) -> Output {
        let what = format!("{self:?}");
        let child = self.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let (output, hung) = output_within(child.expect("the program runs"), LIMIT);
        assert!(hung.is_empty(), "{what} did not end within {LIMIT:?}; killed:\n{}", hung.join("\n"));
        output
    }
}

/// What the program printed, and who had to be killed because they held its output after the limit.
fn output_within(child: Child, limit: Duration) -> (Output, Vec<String>) {
    let pipes: Vec<PathBuf> = [child.stdout.as_ref().map(AsFd::as_fd), child.stderr.as_ref().map(AsFd::as_fd)]
        .into_iter()
        .flatten()
        .filter_map(|pipe| read_link(format!("/proc/self/fd/{}", pipe.as_raw_fd())).ok())
        .collect();
    let pid = child.id();
    let (ended, end) = mpsc::channel::<()>();
    let watch = std::thread::spawn(move || match end.recv_timeout(limit) {
        Err(mpsc::RecvTimeoutError::Timeout) => kill_holders(pid, &pipes),
        _ => Vec::new(),
    });
    let output = child.wait_with_output().expect("it is waited for");
    drop(ended);
    (output, watch.join().expect("the watch ends"))
}

fn kill_holders(child: u32, pipes: &[PathBuf]) -> Vec<String> {
    let own = std::process::id();
    let mut killed = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let mut open = std::fs::read_dir(entry.path().join("fd")).into_iter().flatten().flatten();
        let mut holds = || open.any(|fd| read_link(fd.path()).is_ok_and(|link| pipes.contains(&link)));
        // One that has ended, and is not waited for yet, has no command line.
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if pid != own && !line.is_empty() && (pid == child || holds()) {
            let wchan = std::fs::read_to_string(entry.path().join("wchan")).unwrap_or_default();
            killed.push(format!("{pid} in {wchan}: {}", String::from_utf8_lossy(&line).replace('\0', " ")));
            let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
        }
    }
    killed
}

#[test]
fn a_program_whose_child_keeps_the_output_is_not_waited_for() {
    let mut command = Command::new("sh");
    command.args(["-c", "sleep 51.5 & echo said"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (output, hung) = output_within(command.spawn().expect("it runs"), Duration::from_millis(300));
    assert_eq!(output.stdout, b"said\n");
    let [sleeper] = &hung[..] else { panic!("one process held the output: {hung:?}") };
    assert!(sleeper.contains("sleep 51.5"), "{sleeper}");
}
