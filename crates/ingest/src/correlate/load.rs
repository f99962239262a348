//! Bindings out of a store: those that were made by hand, and those of recordings.

use super::BindingIndex;
use agentprov_model::telemetry::Authority;
use agentprov_model::{
    AttemptNo, AttemptStarted, BindingId, Bound, Confidence, EventTime, EventType, Fact, IndexKey, KeyKind,
    LogicalProcessId, RunId, ScopeBinding, ScopeIds, What,
};
use agentprov_store::{Reader, StoreError};
use std::collections::BTreeMap;

/// Every binding that the store knows of runs that were not removed.
///
/// # Errors
/// What the store says.
pub fn load_bindings(reader: &Reader) -> Result<BindingIndex, StoreError> {
    let mut index = BindingIndex::default();
    let by_type = |kind: EventType| IndexKey { kind: KeyKind::Type, value: kind.name().as_bytes() };
    for run in reader.runs()?.into_iter().rev().filter(|run| run.removed.is_none()) {
        for (_, fact) in reader.facts_by_key(run.no, by_type(EventType::ScopeBound))? {
            if let What::ScopeBinding(binding) = fact.what {
                index.insert(*binding);
            }
        }
        for (_, fact) in reader.facts_by_key(run.no, by_type(EventType::ScopeUnbound))? {
            if let What::BindingEnded(end) = &fact.what {
                index.close(end);
            }
        }
        let mut recordings: BTreeMap<AttemptNo, Recording> = BTreeMap::new();
        let kinds = [EventType::ToolCallStart, EventType::ToolCallEnd, EventType::ProcessStart, EventType::ProcessEnd];
        for kind in kinds {
            for (_, fact) in reader.facts_by_key(run.no, by_type(kind))? {
                recordings.entry(fact.attempt).or_default().take(fact);
            }
        }
        for binding in recordings.into_values().filter_map(|recording| recording.binding(&run.id)) {
            index.insert(binding);
        }
    }
    Ok(index)
}

/// What binds one attempt of a recorded run.
#[derive(Default)]
struct Recording {
    started: Option<AttemptStarted>,
    bound: Option<(EventTime, Bound)>,
    ended: Option<EventTime>,
}

impl Recording {
    fn take(&mut self, fact: Fact) {
        match fact.what {
            What::AttemptStarted(started) => self.started = Some(started),
            What::Bound(bound) => self.bound = Some((fact.at, bound)),
            What::ScopeEnded(_) | What::AttemptEnded(_) => self.ended = self.ended.max(Some(fact.at)),
            _ => {}
        }
    }

    fn binding(self, run: &RunId) -> Option<ScopeBinding> {
        let attempt = self.started?;
        let (at, bound) = self.bound?;
        let process = bound.root.id();
        Some(ScopeBinding {
            id: BindingId::new(format!("bind-{}", &process.to_string()["proc-".len()..])).ok()?,
            run: run.clone(),
            scope: ScopeIds {
                session: Some(attempt.session_id),
                tool_call: Some(attempt.tool_call_id),
                process: LogicalProcessId::new(process.to_string()).ok(),
                attempt: Some(attempt.attempt_id.clone()),
                ..ScopeIds::default()
            },
            container: Some(format!("agentprov-record-{}", attempt.attempt_id)),
            cgroup: bound.cgroup_id.map(|inode| inode.to_string()),
            root_pid: Some(bound.root.pid),
            pid: Some(bound.root.pid),
            boot: Some(bound.root.boot),
            start_ticks: Some(bound.root.start_ticks),
            started: at,
            ended: self.ended,
            source: "zero_sdk_record".into(),
            authority: Authority::Launched,
            confidence: Confidence::FULL,
        })
    }
}
