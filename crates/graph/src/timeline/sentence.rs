//! One line for people about a fact.

mod declared;
mod llm;
mod mcp;
mod telemetry;

pub use declared::tool_input;

use agentprov_model::{
    Access, AttemptNo, CallResult, Fact, FileChanged, FileOp, FileOpened, FileState, FileVersion, NetworkCall,
    NetworkOp, OsBytes, Outcome, OutputStream, PrivilegeCall, ProcessExited, ProcessOrigin, ProcessStarted,
    ReviewDecision, VersionCause, What, errno, signal,
};

/// What happened, in one line. Control characters of names are escaped, so that a file name can't write to a terminal.
pub fn sentence(fact: &Fact) -> String {
    match &fact.what {
        What::AttemptStarted(started) => command_line(&started.argv),
        What::AttemptEnded(ended) => {
            let seconds = ended.wall_ns as f64 / 1e9;
            format!("{} after {seconds:.3} s, {} processes", outcome(&ended.outcome), ended.processes)
        }
        What::AttemptInterrupted(interrupted) => {
            format!("the recorder (pid {}) was found dead; the attempt has no end", interrupted.recorder.pid)
        }
        What::Bound(bound) => format!("pid {} bound to the attempt", bound.root.pid),
        What::ScopeEnded(ended) => format!("scope of pid {} closed", ended.root_pid),
        What::ProcessStarted(started) => process_started(started),
        What::ProcessExec(exec) => format!("{}{}", command_line(&exec.argv), failure(exec.result)),
        What::ProcessExited(exited) => process_exited(exited),
        What::ProcessOutlived => "was alive when the recording ended".to_owned(),
        What::FileOpened(open) => file_opened(open),
        What::FileChanged(change) => file_changed(change),
        What::FileVersion(version) => file_version(version),
        What::Network(call) => network(call),
        What::Privilege(call) => privilege(call),
        What::Gap(gap) => format!("{}: {}", gap.kind.name(), visible_text(&gap.detail)),
        What::RulesApplied(applied) => {
            // Telemetry stands outside all attempts.
            let what = if fact.attempt == AttemptNo(0) { "telemetry" } else { "this attempt" };
            format!("{} rules judge {what}, mode {}", applied.rules, applied.mode)
        }
        What::Decision(decision) => {
            format!("{} by {}: {}", decision.verdict, visible_text(&decision.rule), visible_text(&decision.reason))
        }
        What::RiskSignal(risk) => format!("{} risk: {}", risk.severity, visible_text(&risk.reason)),
        What::ResponseAction(response) => {
            format!("{} {}: {}", response.action, response.state, visible_text(&response.evidence))
        }
        What::Output(output) => {
            let stream = match output.stream {
                OutputStream::Stdout => "stdout",
                OutputStream::Stderr => "stderr",
            };
            format!("{stream}: {} bytes, {} kept", output.total, output.content.size)
        }
        What::Telemetry(event) => telemetry::telemetry(event),
        What::ScopeBinding(binding) => format!("scope bound by {}", visible_text(&binding.source)),
        What::BindingEnded(end) => format!("binding {} closed: {}", end.binding, visible_text(&end.why)),
        What::Resolution(found) => {
            format!("{} events of {} belong to {}", found.leaves.len(), found.log, found.binding)
        }
        What::IngestBatch(batch) => {
            let rows = &batch.rows;
            format!("{}: {} read, {} ingested, {} failed", batch.id, rows.read, rows.ingested, rows.failed)
        }
        What::ReviewDecision(decision) => review(decision),
        What::Declared(declared) => declared::declared(declared),
        What::Mcp(said) => mcp::mcp(said),
        What::Llm(said) => llm::llm(said),
        What::RawLines(raw) => format!("{} raw rows, {} bytes", raw.lines, raw.content.size),
        What::Pruned(pruned) => {
            format!(
                "{} bodies of events before {} are gone, by {}",
                pruned.leaves.len(),
                pruned.cutoff.to_rfc3339(),
                pruned.by
            )
        }
    }
}

fn review(decision: &ReviewDecision) -> String {
    let reasons = if decision.reasons.is_empty() { "no rule fired".to_owned() } else { decision.reasons.join(", ") };
    let (outcome, head) = (decision.outcome.name(), &decision.head_commit);
    visible_text(&format!("{outcome} for {head} of {}: {reasons}", decision.repository))
}

/// Arguments as a shell would take them, on one line.
pub fn command_line(argv: &[OsBytes]) -> String {
    let words: Vec<String> = argv.iter().map(|word| shell_word(&word.lossy())).collect();
    words.join(" ")
}

/// A word that a shell reads back as the same text; control characters are escaped for people.
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:=@%+,~^".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", visible_text(text).replace('\'', "'\\''"))
}

/// Text without control characters.
pub fn visible_text(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    text.chars().fold(String::with_capacity(text.len() + 8), |mut out, c| {
        if c.is_control() {
            out.extend(c.escape_default())
        } else {
            out.push(c)
        }
        out
    })
}

/// The same of bytes.
pub fn visible(bytes: &OsBytes) -> String {
    visible_text(&bytes.lossy())
}

/// Name of an errno, or its number.
pub fn errno_name(number: i32) -> String {
    errno::name(number).map_or_else(|| format!("errno {number}"), str::to_owned)
}

fn failure(result: CallResult) -> String {
    match result {
        CallResult::Ok(_) => String::new(),
        CallResult::Errno(number) => format!(" -> {}", errno_name(number)),
        CallResult::Unknown => " -> result not seen".to_owned(),
    }
}

/// How a command ended.
pub fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Exited(status) => format!("exit {status}"),
        Outcome::Signaled { signal: number, core } => {
            let name = signal::name(*number).map_or_else(|| format!("signal {number}"), str::to_owned);
            format!("ended by {name}{}", if *core { " (core dumped)" } else { "" })
        }
        Outcome::NotStarted { reason, .. } => format!("not started: {}", visible(reason)),
    }
}

fn process_started(started: &ProcessStarted) -> String {
    let pid = started.pid;
    match started.origin {
        ProcessOrigin::Root => format!("started as pid {pid}"),
        ProcessOrigin::Sampled => format!("pid {pid} found below pid {}", started.ppid),
        ProcessOrigin::Fork | ProcessOrigin::Vfork | ProcessOrigin::Clone => {
            format!("pid {pid} made by pid {}", started.ppid)
        }
    }
}

fn process_exited(exited: &ProcessExited) -> String {
    exited.outcome.as_ref().map_or_else(|| "ended; how was not seen".to_owned(), outcome)
}

fn file_opened(open: &FileOpened) -> String {
    let verb = match open.access {
        Access::Read => "read",
        Access::Write => "open for writing",
        Access::ReadWrite => "open for reading and writing",
        Access::Path => "look up",
    };
    format!("{verb} {}{}", visible(&open.path), failure(open.result))
}

fn file_changed(change: &FileChanged) -> String {
    let path = visible(&change.path);
    let second = change.path2.as_ref().map(visible).unwrap_or_default();
    let mode = change.mode.map(|mode| format!(" to {mode:o}")).unwrap_or_default();
    let deed = match change.op {
        FileOp::Rename => format!("rename {path} to {second}"),
        FileOp::Exchange => format!("exchange {path} and {second}"),
        FileOp::Link => format!("link {path} as {second}"),
        FileOp::Symlink => format!("symlink {path} to {second}"),
        FileOp::Unlink => format!("unlink {path}"),
        FileOp::Rmdir => format!("rmdir {path}"),
        FileOp::Mkdir => format!("mkdir {path}"),
        FileOp::Mknod => format!("mknod {path}"),
        FileOp::Chmod => format!("chmod {path}{mode}"),
        FileOp::Chown => format!("chown {path}"),
        FileOp::Truncate => format!("truncate {path}"),
    };
    format!("{deed}{}", failure(change.result))
}

fn file_version(version: &FileVersion) -> String {
    let path = visible(version.workspace_path.as_ref().unwrap_or(&version.path));
    match (&version.cause, &version.before, &version.after) {
        (VersionCause::RenamedFrom(from), ..) => format!("renamed {} to {path}", visible(from)),
        (VersionCause::RenamedTo(to), ..) => format!("renamed {path} to {}", visible(to)),
        (VersionCause::LinkedFrom(from), ..) => format!("linked {path} to {}", visible(from)),
        (VersionCause::ModeChanged, _, FileState::File { mode, .. }) => format!("mode of {path} changed to {mode:o}"),
        (_, _, FileState::Missing) => format!("removed {path}"),
        (_, FileState::Missing, FileState::File { content, .. }) => format!("created {path} ({} bytes)", content.size),
        (_, FileState::File { content: old, .. }, FileState::File { content: new, .. }) => {
            format!("wrote {path} ({} -> {} bytes)", old.size, new.size)
        }
        (_, _, FileState::File { content, .. }) => format!("wrote {path} ({} bytes)", content.size),
        (_, _, FileState::Symlink { target }) => format!("made {path} a link to {}", visible(target)),
        (_, _, FileState::Directory) => format!("made directory {path}"),
        (_, _, FileState::Special | FileState::Unread { .. } | FileState::Unknown { .. }) => {
            format!("wrote {path} (content not read)")
        }
    }
}

fn network(call: &NetworkCall) -> String {
    let verb = match call.op {
        NetworkOp::Connect => "connect",
        NetworkOp::Bind => "bind",
        NetworkOp::Send => "send to",
    };
    format!("{verb} {}{}", visible_text(&call.address.to_string()), failure(call.result))
}

fn privilege(call: &PrivilegeCall) -> String {
    let args: Vec<String> = call.args.iter().map(|(name, value)| format!("{name}={}", visible(value))).collect();
    format!("{}({}){}", call.call, args.join(", "), failure(call.result))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_cannot_write_to_the_terminal() {
        assert_eq!(visible_text("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(shell_word("it's"), "'it'\\''s'");
        assert_eq!(shell_word(""), "''");
        assert_eq!(shell_word("src/app.py"), "src/app.py");
    }
}
