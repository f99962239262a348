//! Tool calls that an agent declared: what came of them, and what names them as a cause.

use super::edge::{EdgeKind, Side, Sighting, file_node};
use super::neighbourhood::{MOST_FACTS, Neighbourhood};
use super::target::event_node;
use crate::error::GraphError;
use crate::timeline::{command_line, tool_input, visible, visible_text};
use crate::tool_calls::{Binding, BindingState, Call, CallNo, Deed};

impl Neighbourhood<'_> {
    /// The session above a call; its processes, files and connections below it.
    pub(super) fn declared_call(&mut self, no: CallNo) -> Result<(), GraphError> {
        let (tool_calls, processes) = (self.tool_calls, self.processes);
        let Some(call) = tool_calls.calls.get(no) else { return Ok(()) };
        let name = call.name();
        for told in call.started.iter().chain(&call.ended) {
            let Some(seq) = told.seq else { continue };
            self.facts.insert(seq, self.reader.fact(self.run.no, seq)?);
        }
        if let Some(session) = &call.session {
            let at = call.window.from;
            let (from, to) = (name.clone(), session.to_string());
            self.see(
                Side::Upstream,
                Sighting { kind: EdgeKind::ToolCallSession, from, to, at, event: None, access: None },
            );
        }
        for (process, _) in tool_calls.processes_of(no, processes) {
            self.actors.insert(process.id);
            let (kind, from, to) = (EdgeKind::RuntimeToolCallProcess, name.clone(), process.id.to_string());
            let (at, event) = (process.started_at, Some(process.started_event));
            self.see(Side::Downstream, Sighting { kind, from, to, at, event, access: None });
        }
        for effect in tool_calls.effects_of(no) {
            if self.facts.len() >= MOST_FACTS {
                self.frontier_hit = true;
                self.facts_left_out += 1;
                continue;
            }
            let fact = self.reader.fact(self.run.no, effect.seq)?;
            self.facts.insert(effect.seq, fact);
            let (kind, to, access) = match &effect.deed {
                Deed::File { path, workspace_path, removed, .. } => {
                    let access = if *removed { "remove" } else { "write" };
                    (EdgeKind::RuntimeToolCallFile, file_node(workspace_path.as_ref(), path), Some(access))
                }
                Deed::Connection { .. } => (EdgeKind::RuntimeToolCallEvent, event_node(&effect.event), None),
            };
            let (from, at, event) = (name.clone(), effect.at, Some(effect.event));
            self.see(Side::Downstream, Sighting { kind, from, to, at, event, access });
        }
        Ok(())
    }
}

/// A call from what was declared to what came of it.
pub(super) fn tell(near: &Neighbourhood<'_>, no: CallNo, lines: &mut Vec<String>) {
    let Some(call) = near.tool_calls.calls.get(no) else { return };
    lines.push(headline(call));
    let session =
        call.session.as_ref().map_or_else(|| "a session that is not named".to_owned(), |id| format!("session {id}"));
    lines.push(format!("   <- declared by {} in {session}", call.agent));
    let end = match (call.window.to, call.status) {
        (Some(to), Some(status)) => format!("{} at {to}", status.name()),
        (Some(to), None) => format!("its end was not told; closed by {} at {to}", call.window.closed_by.name()),
        (None, _) => "its end was not told".to_owned(),
    };
    lines.push(format!("   from {}, {end}", call.window.from));
    let mut found = false;
    for (process, binding) in near.tool_calls.processes_of(no, near.processes) {
        found = true;
        let command = process.argv().map_or_else(|| "no program of its own".to_owned(), command_line);
        let (id, pid) = (process.id, process.started.pid);
        lines.push(format!("-> process {id} (pid {pid}): {command} [{}]", ground(near, binding, no)));
    }
    for effect in near.tool_calls.effects_of(no) {
        found = true;
        let deed = match &effect.deed {
            Deed::File { path, workspace_path, removed, .. } => {
                let verb = if *removed { "removed" } else { "wrote" };
                format!("{verb} {}", visible(workspace_path.as_ref().unwrap_or(path)))
            }
            Deed::Connection { address } => format!("reached for {}", visible_text(&address.to_string())),
        };
        let ground = effect.binding.as_ref().map(|binding| ground(near, binding, no)).unwrap_or_default();
        lines.push(format!("-> {deed} ({}) [{ground}]", effect.event));
    }
    if !found {
        lines.push("-> nothing that was observed".to_owned());
    }
}

/// The call as a cause of something.
pub(super) fn cause(near: &Neighbourhood<'_>, binding: &Binding) -> Option<String> {
    let first = *binding.calls.first()?;
    let call = near.tool_calls.calls.get(first)?;
    Some(format!("   <- {} [{}]", headline(call), ground(near, binding, first)))
}

fn headline(call: &Call) -> String {
    let input = tool_input(&call.input).map(|input| format!(" {input}")).unwrap_or_default();
    format!("tool call {}: {}{input}", call.name(), visible_text(&call.tool))
}

/// On what it stands: the rung, how sure it is, and what else it may be.
fn ground(near: &Neighbourhood<'_>, binding: &Binding, no: CallNo) -> String {
    let rung = binding.rung.map_or("", |rung| rung.name());
    let others: Vec<String> = binding
        .calls
        .iter()
        .filter(|other| **other != no)
        .filter_map(|other| near.tool_calls.calls.get(*other).map(Call::name))
        .collect();
    match (binding.state, others.is_empty()) {
        (BindingState::Ambiguous, true) => format!("{rung}, ambiguous: or nobody's"),
        (BindingState::Ambiguous, false) => format!("{rung}, ambiguous: or of {}", others.join(", ")),
        _ => format!("{rung}, confidence {}", f64::from(binding.confidence) / 1000.0),
    }
}
