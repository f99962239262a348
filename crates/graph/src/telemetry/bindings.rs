//! `telemetry bindings`: which scopes are tied to which identities.

use crate::error::GraphError;
use agentprov_model::{EventType, IndexKey, KeyKind, ScopeBinding, What};
use agentprov_store::Reader;
use serde::Serialize;
use std::collections::BTreeMap;

/// What is wanted; empty fields want everything.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BindingFilter {
    /// Run.
    pub run: Option<String>,
    /// Session.
    pub session: Option<String>,
    /// Attempt.
    pub attempt: Option<String>,
    /// Tool call.
    pub tool_call: Option<String>,
    /// Process.
    pub process: Option<String>,
}

/// One binding.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct BindingRow {
    /// Id.
    pub id: String,
    /// Run.
    pub run_id: String,
    /// Session; empty where there is none, like the texts that follow.
    pub session_id: String,
    /// Attempt.
    pub attempt_id: String,
    /// Tool call.
    pub tool_call_id: String,
    /// Process.
    pub process_id: String,
    /// Container.
    pub container_id: String,
    /// Cgroup.
    pub cgroup_id: String,
    /// Pid of the first process; 0 where there is none.
    pub root_pid: u32,
    /// Pid; 0 where there is none.
    pub pid: u32,
    /// The window begins.
    pub started_at: String,
    /// The window ends; empty while it is open.
    pub ended_at: String,
    /// Who made it.
    pub binding_source: String,
    /// From 0 to 1.
    pub confidence: f64,
}

impl BindingRow {
    /// The row of a binding.
    pub fn of(binding: &ScopeBinding) -> Self {
        let scope = &binding.scope;
        Self {
            id: binding.id.to_string(),
            run_id: binding.run.to_string(),
            session_id: scope.session.as_ref().map(ToString::to_string).unwrap_or_default(),
            attempt_id: scope.attempt.as_ref().map(ToString::to_string).unwrap_or_default(),
            tool_call_id: scope.tool_call.as_ref().map(ToString::to_string).unwrap_or_default(),
            process_id: scope.process.as_ref().map(ToString::to_string).unwrap_or_default(),
            container_id: binding.container.clone().unwrap_or_default(),
            cgroup_id: binding.cgroup.clone().unwrap_or_default(),
            root_pid: binding.root_pid.unwrap_or(0),
            pid: binding.pid.unwrap_or(0),
            started_at: binding.started.to_rfc3339(),
            ended_at: binding.ended.map(|ended| ended.to_rfc3339()).unwrap_or_default(),
            binding_source: binding.source.to_string(),
            confidence: binding.confidence.fraction(),
        }
    }

    fn fits(&self, filter: &BindingFilter) -> bool {
        let fits = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
        fits(&filter.run, &self.run_id)
            && fits(&filter.session, &self.session_id)
            && fits(&filter.attempt, &self.attempt_id)
            && fits(&filter.tool_call, &self.tool_call_id)
            && fits(&filter.process, &self.process_id)
    }
}

/// Bindings that were made by hand or by a harness, oldest first.
///
/// # Errors
/// What the store says.
pub fn bindings(reader: &Reader, filter: &BindingFilter) -> Result<Vec<BindingRow>, GraphError> {
    let mut rows: Vec<BindingRow> = known_bindings(reader)?.values().map(BindingRow::of).collect();
    rows.retain(|row| row.fits(filter));
    rows.sort_by(|a, b| (&a.started_at, &a.id).cmp(&(&b.started_at, &b.id)));
    Ok(rows)
}

/// Every binding by id, with the end of its window where one came.
pub(super) fn known_bindings(reader: &Reader) -> Result<BTreeMap<String, ScopeBinding>, GraphError> {
    let mut known: BTreeMap<String, ScopeBinding> = BTreeMap::new();
    let by_type = |kind: EventType| IndexKey { kind: KeyKind::Type, value: kind.name().as_bytes() };
    for run in reader.runs()?.into_iter().filter(|run| run.removed.is_none()) {
        for (_, fact) in reader.facts_by_key(run.no, by_type(EventType::ScopeBound))? {
            if let What::ScopeBinding(binding) = fact.what {
                known.insert(binding.id.to_string(), *binding);
            }
        }
        for (_, fact) in reader.facts_by_key(run.no, by_type(EventType::ScopeUnbound))? {
            if let What::BindingEnded(end) = fact.what
                && let Some(binding) = known.get_mut(end.binding.as_str())
            {
                binding.ended = Some(end.ended);
            }
        }
    }
    Ok(known)
}
