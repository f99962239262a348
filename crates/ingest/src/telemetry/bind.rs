//! Making a binding, and resolving what stood unattributed before it came.

use super::prepare::engine_fact;
use crate::correlate::{BindingIndex, Provided, load_bindings};
use agentprov_model::index::container_prefix;
use agentprov_model::{
    Basis, EventId, EventTime, IndexKey, KeyKind, LeafSet, Method, Resolution, ResolutionState, RunId, ScopeBinding,
    What,
};
use agentprov_store::{Durability, Prepared, Reader, RunNo, Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};

/// Why a binding can't be made.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// It names no runtime identity.
    #[error("a binding needs a process, container, cgroup or pid; name one")]
    NoIdentity,
    /// It ends before it begins.
    #[error("the binding ends at {ended}, before it begins at {started}")]
    Backwards {
        /// Begin of the window.
        started: EventTime,
        /// End of the window.
        ended: EventTime,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A binding that was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BoundScope {
    /// The binding as it counts: a claim's confidence is capped.
    pub binding: ScopeBinding,
    /// Earlier events that found their scope by it.
    pub resolved: u64,
}

/// Appends a binding to its run, then one resolution fact per log and method for earlier events that it resolves.
///
/// # Errors
/// [`BindError`].
pub fn bind(store: &Store, binding: ScopeBinding, now: EventTime) -> Result<BoundScope, BindError> {
    check(&binding)?;
    let mut capped = BindingIndex::default();
    capped.insert(binding.clone());
    let binding = capped.get(&binding.id).cloned().unwrap_or(binding);
    let mut writer = store.writer()?;
    let id = EventId::derive(binding.started, &[b"binding", binding.id.as_str().as_bytes()]);
    let what = What::ScopeBinding(Box::new(binding.clone()));
    let fact = Prepared::new(&engine_fact(id, binding.started, now, Basis::Asserted, what));
    writer.transaction(Durability::Power, |batch| {
        let run = batch.open_run(&binding.run)?;
        batch.append(run, &fact)
    })?;
    let resolutions = resolutions(&store.reader()?, &binding)?;
    let resolved = resolutions.iter().map(|resolution| resolution.leaves.len()).sum();
    let facts: Vec<Prepared> =
        resolutions.into_iter().map(|resolution| resolution_fact(resolution, &binding, now)).collect();
    if !facts.is_empty() {
        writer.transaction(Durability::Power, |batch| {
            let run = batch.open_run(&binding.run)?;
            for fact in &facts {
                batch.append(run, fact)?;
            }
            Ok(())
        })?;
    }
    Ok(BoundScope { binding, resolved })
}

fn check(binding: &ScopeBinding) -> Result<(), BindError> {
    let has_identity = binding.scope.process.is_some()
        || binding.container.is_some()
        || binding.cgroup.is_some()
        || binding.pid.is_some()
        || binding.root_pid.is_some();
    if !has_identity {
        return Err(BindError::NoIdentity);
    }
    match binding.ended {
        Some(ended) if ended < binding.started => Err(BindError::Backwards { started: binding.started, ended }),
        _ => Ok(()),
    }
}

fn resolution_fact(resolution: Resolution, binding: &ScopeBinding, now: EventTime) -> Prepared {
    let leaves: Vec<u8> = resolution.leaves.iter().flat_map(u64::to_be_bytes).collect();
    let parts: [&[u8]; 5] = [
        b"resolution",
        resolution.binding.as_str().as_bytes(),
        resolution.log.as_str().as_bytes(),
        resolution.method.name(false).as_bytes(),
        &leaves,
    ];
    let id = EventId::derive(binding.started, &parts);
    Prepared::new(&engine_fact(id, binding.started, now, Basis::Derived, What::Resolution(resolution)))
}

/// What the binding resolves, by log and method. Only events that carry one of its identities are looked at.
fn resolutions(reader: &Reader, binding: &ScopeBinding) -> Result<Vec<Resolution>, StoreError> {
    let index = load_bindings(reader)?;
    let mut candidates: BTreeMap<i64, BTreeSet<u64>> = BTreeMap::new();
    let mut look_up = |kind, value: &str| -> Result<(), StoreError> {
        for (run, seqs) in reader.postings_everywhere(IndexKey { kind, value: value.as_bytes() })? {
            candidates.entry(run.0).or_default().extend(seqs);
        }
        Ok(())
    };
    if let Some(container) = &binding.container {
        look_up(KeyKind::Container, container_prefix(container))?;
    }
    if let Some(cgroup) = &binding.cgroup {
        look_up(KeyKind::Cgroup, cgroup)?;
    }
    for pid in binding.pid.into_iter().chain(binding.root_pid) {
        look_up(KeyKind::Pid, &pid.to_string())?;
    }
    let mut found: BTreeMap<(RunId, Method), (Vec<u64>, agentprov_model::Confidence)> = BTreeMap::new();
    for (run, seqs) in candidates {
        let Some(row) = reader.run_by_no(RunNo(run))?.filter(|row| row.removed.is_none()) else { continue };
        for seq in seqs {
            let fact = reader.fact(row.no, seq)?;
            let What::Telemetry(event) = &fact.what else { continue };
            if event.correlation.state == ResolutionState::Bound {
                continue;
            }
            let run = event.correlation.run_named.then(|| row.id.clone());
            let provided = Provided { run, scope: event.scope.clone(), asserted: false };
            let correlation = index.resolve(&event.identity, fact.at, &provided).correlation;
            if correlation.binding.as_ref() == Some(&binding.id) {
                let entry = found.entry((row.id.clone(), correlation.method)).or_default();
                entry.0.push(seq);
                entry.1 = correlation.confidence;
            }
        }
    }
    let resolutions = found.into_iter().map(|((log, method), (leaves, confidence))| Resolution {
        binding: binding.id.clone(),
        log,
        leaves: LeafSet::of(leaves),
        method,
        confidence,
    });
    Ok(resolutions.collect())
}
