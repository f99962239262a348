//! The answer in lines for people: from the thing back to the run.

use super::neighbourhood::Neighbourhood;
use super::target::Found;
use super::{declared, model_calls};
use crate::processes::Process;
use crate::timeline::{command_line, outcome, sentence, visible};
use agentprov_model::{AttemptNo, EventTime, Fact, ProcessId, What};
use agentprov_store::Seq;

/// Versions of a file that are told one by one; earlier ones are only counted.
const TOLD_VERSIONS: usize = 20;

pub(super) fn tell(near: &Neighbourhood<'_>, found: &Found) -> Vec<String> {
    let mut lines = Vec::new();
    match found {
        Found::File(file) => {
            lines.push(format!("file {}", visible(file.display())));
            versions(near, &mut lines);
        }
        Found::Versions(versions_found) => {
            lines.push(format!("content that {} versions hold", versions_found.len()));
            versions(near, &mut lines);
        }
        Found::Attempt(attempt) | Found::ToolCall(attempt) => scope(near, *attempt, &mut lines),
        Found::DeclaredCall(name) => {
            if let Some((no, _)) = near.tool_calls.find(name) {
                declared::tell(near, no, &mut lines);
                model_calls::tell(near, &mut lines);
            }
        }
        Found::Process(process) => chain(near, *process, None, &mut lines),
        Found::Event(seq, fact) => {
            lines.push(format!("{} {}: {}", fact.event_type().name(), fact.id, sentence(fact)));
            cause(near, *seq, fact, &mut lines);
        }
        Found::Judged(judged) => {
            lines.extend(judged.tell());
            let (seq, fact) = judged.event.as_ref().unwrap_or(&judged.decision);
            cause(near, *seq, fact, &mut lines);
        }
    }
    if near.facts_left_out > 0 {
        lines.push(format!("{} facts are left out: ask for a narrower target", near.facts_left_out));
    }
    lines
}

fn versions(near: &Neighbourhood<'_>, lines: &mut Vec<String>) {
    let told: Vec<(&Seq, &Fact)> =
        near.facts.iter().filter(|(_, fact)| matches!(fact.what, What::FileVersion(_))).collect();
    let skipped = told.len().saturating_sub(TOLD_VERSIONS);
    for (seq, fact) in told.into_iter().rev().take(TOLD_VERSIONS) {
        lines.push(format!("<- {} at {} ({})", sentence(fact), fact.at, fact.id));
        cause(near, *seq, fact, lines);
    }
    if skipped > 0 {
        lines.push(format!("<- {skipped} earlier versions"));
    }
}

fn cause(near: &Neighbourhood<'_>, seq: Seq, fact: &Fact, lines: &mut Vec<String>) {
    // What an agent wrote itself is a call's by its path; what a process did is its call's, and stands with the process.
    let named = fact.process.iter().any(|process| near.tool_calls.of_process(process).is_some_and(|b| b.has_calls()));
    let own_hand = near.tool_calls.of_fact(seq).filter(|_| !named);
    lines.extend(own_hand.and_then(|binding| declared::cause(near, binding)));
    let writers: &[ProcessId] = match &fact.what {
        What::FileVersion(version) => &version.writers,
        _ => &[],
    };
    match (fact.process, writers) {
        (Some(process), _) => chain(near, process, Some(fact.at), lines),
        (None, []) => {
            lines.push("   <- which process did it was not seen".to_owned());
            scope(near, fact.attempt, lines);
        }
        (None, candidates) => {
            lines.push(format!("   <- one of {} processes that had it open for writing:", candidates.len()));
            for candidate in candidates {
                chain(near, *candidate, Some(fact.at), lines);
            }
        }
    }
}

/// A process with its ancestors, then its scope.
fn chain(near: &Neighbourhood<'_>, id: ProcessId, at: Option<EventTime>, lines: &mut Vec<String>) {
    let lineage = near.processes.lineage(&id);
    if lineage.is_empty() {
        lines.push(format!("   <- process {id}, whose start was not seen"));
    }
    for process in &lineage {
        lines.push(format!("   <- process {} (pid {}): {}", process.id, process.started.pid, command(process, at)));
    }
    lines.extend(near.tool_calls.of_process(&id).and_then(|binding| declared::cause(near, binding)));
    if let Some(process) = lineage.first() {
        scope(near, process.attempt, lines);
    }
}

/// What the process ran when it did the deed; of ancestors what they ran then.
fn command(process: &Process, at: Option<EventTime>) -> String {
    let argv = at.and_then(|at| process.argv_at(at)).or_else(|| process.argv());
    argv.map_or_else(|| "no program of its own".to_owned(), command_line)
}

fn scope(near: &Neighbourhood<'_>, attempt: AttemptNo, lines: &mut Vec<String>) {
    let run = near.scopes.run();
    let Some(scope) = near.scopes.of(attempt) else {
        lines.push(format!("   <- run {run}"));
        return;
    };
    let started = &scope.attempt.started;
    let end = scope.attempt.ended().map_or_else(|| scope.status().1.to_owned(), |ended| outcome(&ended.outcome));
    lines.push(format!("   <- tool call {}: {}", started.tool_call_id, command_line(&started.argv)));
    lines.push(format!("   <- attempt {} ({end})", started.attempt_id));
    lines.push(format!("   <- run {run}"));
}
