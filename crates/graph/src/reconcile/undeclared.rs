//! Effects that no call declares, and what agents start for themselves.

use crate::processes::{Process, ProcessTable};
use crate::timeline::{command_line, visible, visible_text};
use crate::tool_calls::scaffolding::RULES;
use crate::tool_calls::{Binding, BindingState, Contained, Deed, Effect, ToolCalls};
use agentprov_model::{EventTime, ProcessId};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// An effect that no call declares. For a process everything below it is meant too.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct UndeclaredRow {
    /// `process`, `file`, `connection` or `container`.
    pub kind: &'static str,
    /// `unattributed`; `ambiguous` where it is one of several of which one was declared.
    pub state: BindingState,
    /// The command, path or address.
    pub what: String,
    /// When.
    #[serde(skip)]
    pub at: EventTime,
    /// The same for people.
    pub time: String,
    /// Who did it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub process_ids: Vec<String>,
    /// The agent below which it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_process: Option<String>,
    /// Calls that it may belong to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
    /// Files and addresses that the process and those below it wrote and reached.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<String>,
    /// Facts.
    pub evidence: Vec<String>,
    /// Why no call is named.
    pub why: String,
}

/// What a row of the table accounts for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ScaffoldingRow {
    /// Name of the row.
    pub rule: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// Processes.
    pub processes: Vec<String>,
    /// Files and addresses.
    pub effects: Vec<String>,
}

/// Both sides of the comparison.
pub(super) struct Sides<'s> {
    processes: &'s ProcessTable,
    tool_calls: &'s ToolCalls,
    /// Tops of undeclared subtrees by the processes in them.
    tops: HashMap<ProcessId, ProcessId>,
    /// Places of effects by top.
    effects_below: HashMap<ProcessId, Vec<usize>>,
}

impl<'s> Sides<'s> {
    pub(super) fn new(processes: &'s ProcessTable, tool_calls: &'s ToolCalls) -> Self {
        let mut tops: HashMap<ProcessId, ProcessId> = HashMap::new();
        // In order of start: parents come first.
        for process in processes.iter() {
            let above = process.started.parent.and_then(|parent| tops.get(&parent).copied());
            let binding = tool_calls.of_process(&process.id);
            let own = binding.filter(|binding| binding.state == BindingState::Unattributed || binding.surplus);
            if let Some(top) = above.or_else(|| own.map(|_| process.id)) {
                tops.insert(process.id, top);
            }
        }
        let mut effects_below: HashMap<ProcessId, Vec<usize>> = HashMap::new();
        for (place, effect) in tool_calls.effects.iter().enumerate() {
            for top in effect.processes.iter().filter_map(|id| tops.get(id)) {
                effects_below.entry(*top).or_default().push(place);
            }
        }
        Self { processes, tool_calls, tops, effects_below }
    }

    /// In order of time.
    pub(super) fn undeclared(&self) -> Vec<UndeclaredRow> {
        let mut rows: Vec<UndeclaredRow> = self.processes.iter().filter_map(|process| self.process(process)).collect();
        rows.extend(self.tool_calls.effects.iter().filter_map(|effect| self.own_hand(effect)));
        rows.extend(self.tool_calls.containers.iter().filter_map(|contained| self.container(contained)));
        rows.sort_by_key(|row| row.at);
        rows
    }

    fn state(&self, process: &ProcessId) -> Option<BindingState> {
        self.tool_calls.of_process(process).map(|binding| binding.state)
    }

    /// The top of a subtree that no call declares, or one too many of equal commands.
    fn process(&self, process: &Process) -> Option<UndeclaredRow> {
        let binding = self.tool_calls.of_process(&process.id)?;
        let parent = process.started.parent;
        if self.tops.get(&process.id) != Some(&process.id) {
            return None;
        }
        let below = self.effects_below.get(&process.id).into_iter().flatten();
        let mut effects: Vec<String> = below.map(|place| deed(&self.tool_calls.effects[*place])).collect();
        effects.dedup();
        let what =
            process.execs.first().map_or_else(|| "(ran no program)".to_owned(), |exec| command_line(&exec.exec.argv));
        Some(UndeclaredRow {
            effects,
            process_ids: vec![process.id.to_string()],
            agent_process: parent.map(|parent| parent.to_string()),
            ..self.row("process", what, process.started_at, binding)
        })
    }

    /// What the agent's own process did without a call that names it.
    fn own_hand(&self, effect: &Effect) -> Option<UndeclaredRow> {
        let binding = effect.binding.as_ref().filter(|binding| binding.state == BindingState::Unattributed)?;
        let by_agent = effect.processes.iter().find(|id| self.state(id) != Some(BindingState::Unattributed))?;
        let kind = match effect.deed {
            Deed::File { .. } => "file",
            Deed::Connection { .. } => "connection",
        };
        Some(UndeclaredRow {
            process_ids: effect.processes.iter().map(ToString::to_string).collect(),
            agent_process: Some(by_agent.to_string()),
            ..self.row(kind, deed(effect), effect.at, binding)
        })
    }

    /// A container that came up while the agent worked, and whose it is nobody says.
    fn container(&self, contained: &Contained) -> Option<UndeclaredRow> {
        let unattributed = contained.binding.state == BindingState::Unattributed;
        let what = format!("container {}, {} events", contained.container, contained.events.len());
        let row = self.row("container", what, contained.first_at, &contained.binding);
        unattributed.then(|| UndeclaredRow { effects: contained.deeds.clone(), ..row })
    }

    fn row(&self, kind: &'static str, what: String, at: EventTime, binding: &Binding) -> UndeclaredRow {
        UndeclaredRow {
            kind,
            state: binding.state,
            what,
            at,
            time: at.to_rfc3339(),
            process_ids: Vec::new(),
            agent_process: None,
            candidates: binding.calls.iter().map(|no| self.tool_calls.calls[*no].name()).collect(),
            effects: Vec::new(),
            evidence: binding.evidence.iter().map(ToString::to_string).collect(),
            why: binding.why.clone(),
        }
    }

    /// By the rows of the table; rows that nothing fell under are left out.
    pub(super) fn scaffolding(&self) -> Vec<ScaffoldingRow> {
        let mut processes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut effects: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for process in self.processes.iter() {
            if let Some(rule) = self.tool_calls.of_process(&process.id).and_then(|binding| binding.rule) {
                processes.entry(rule).or_default().push(process.id.to_string());
            }
        }
        for effect in &self.tool_calls.effects {
            if let Some(rule) = effect.binding.as_ref().and_then(|binding| binding.rule) {
                effects.entry(rule).or_default().push(deed(effect));
            }
        }
        let row = |rule: &crate::tool_calls::scaffolding::Rule| {
            let (processes, effects) = (processes.remove(rule.id), effects.remove(rule.id));
            (processes.is_some() || effects.is_some()).then(|| ScaffoldingRow {
                rule: rule.id,
                about: rule.about,
                processes: processes.unwrap_or_default(),
                effects: effects.unwrap_or_default(),
            })
        };
        RULES.iter().filter_map(row).collect()
    }
}

/// What was done, in a few words.
pub(super) fn deed(effect: &Effect) -> String {
    match &effect.deed {
        Deed::File { path, workspace_path, removed, .. } => {
            let verb = if *removed { "removed" } else { "wrote" };
            format!("{verb} {}", visible(workspace_path.as_ref().unwrap_or(path)))
        }
        Deed::Connection { address } => format!("connected to {}", visible_text(&address.to_string())),
    }
}
