//! Retention of reported events: bodies of old ones that nothing refers to go, and the log says so.

use super::prepare::engine_fact;
use agentprov_model::{
    Basis, ContentId, EventId, EventTime, EventType, Fact, IndexKey, KeyKind, LeafSet, Pruned, ResponseTarget, RunId,
    What,
};
use agentprov_store::retention::Taken;
use agentprov_store::{Durability, Prepared, Reader, RunRow, Seq, Store, StoreError, Writer};
use std::collections::{BTreeMap, HashSet};

/// What is to go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PruneRequest {
    /// Events before this instant.
    pub cutoff: EventTime,
    /// At most so many, the oldest first.
    pub most: u64,
    /// Who asks.
    pub by: String,
    /// Only say what would go.
    pub dry_run: bool,
}

/// What went.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PruneReport {
    /// Events before the cutoff.
    pub scanned: u64,
    /// Of those, the ones that something refers to.
    pub protected: u64,
    /// Ids of those whose bodies are gone, oldest first.
    pub deleted: Vec<EventId>,
    /// Bytes of bodies and raw rows that were freed.
    pub freed: u64,
}

impl PruneReport {
    fn add(&mut self, other: Self) {
        self.scanned += other.scanned;
        self.protected += other.protected;
        self.deleted.extend(other.deleted);
        self.freed += other.freed;
    }
}

/// Prunes these runs, one after the other.
///
/// # Errors
/// What the store says; runs before the failure are pruned.
pub fn prune(store: &Store, runs: &[RunId], request: &PruneRequest, now: EventTime) -> Result<PruneReport, StoreError> {
    let mut report = PruneReport::default();
    let mut writer = store.writer()?;
    for run in runs {
        let most = request.most.saturating_sub(report.deleted.len() as u64);
        report.add(prune_run(&mut writer, run, &PruneRequest { most, ..request.clone() }, now)?);
    }
    Ok(report)
}

fn prune_run(
    writer: &mut Writer,
    id: &RunId,
    request: &PruneRequest,
    now: EventTime,
) -> Result<PruneReport, StoreError> {
    let store = writer.store().clone();
    // Chosen under the write lock: nobody can refer to an event between the choice and its end.
    let (mut report, taken) = writer.transaction(Durability::Power, |batch| {
        let reader = store.reader()?;
        let Some(run) = reader.run(id)?.filter(|run| run.removed.is_none()) else {
            return Ok((PruneReport::default(), Taken::default()));
        };
        let survey = Survey::of(&reader, &run, request.cutoff)?;
        let choice = survey.choose(request.most);
        let mut report = PruneReport {
            scanned: survey.old.len() as u64,
            protected: choice.protected,
            deleted: choice.ids,
            freed: 0,
        };
        if request.dry_run || choice.leaves.is_empty() {
            return Ok((report, Taken::default()));
        }
        let taken = batch.prune(run.no, &choice.leaves, &choice.contents)?;
        report.freed = taken.body_bytes;
        let what = What::Pruned(Pruned {
            cutoff: request.cutoff,
            by: request.by.clone(),
            leaves: choice.leaves,
            contents: choice.contents,
            windows: taken.windows.clone(),
        });
        let id = EventId::derive(now, &[b"pruned", &serde_json::to_vec(&what).unwrap_or_default()]);
        batch.append(run.no, &Prepared::new(&engine_fact(id, now, now, Basis::Observed, what)))?;
        Ok((report, taken))
    })?;
    report.freed += writer.drop_contents(&taken.orphans)?;
    Ok(report)
}

/// What a log holds, as far as retention asks.
#[derive(Default)]
struct Survey {
    /// Events before the cutoff.
    old: Vec<(EventTime, Seq, EventId)>,
    /// Events that facts of the log refer to.
    referred: HashSet<EventId>,
    /// The same by leaf: those that found their scope later.
    resolved: Vec<LeafSet>,
    /// Raw rows, and the leaves they belong to.
    raw: Vec<(ContentId, LeafSet)>,
    /// What is gone already.
    gone: LeafSet,
}

struct Choice {
    leaves: LeafSet,
    ids: Vec<EventId>,
    contents: Vec<ContentId>,
    protected: u64,
}

impl Survey {
    fn of(reader: &Reader, run: &RunRow, cutoff: EventTime) -> Result<Self, StoreError> {
        let mut survey = Self { gone: reader.pruned(run.no)?.leaves, ..Self::default() };
        reader.bodies::<StoreError>(run.no, 0, run.size, |seq, body| {
            let fact = Fact::from_body(body).map_err(|error| StoreError::Damaged(format!("fact {seq}: {error}")))?;
            survey.add(seq, fact, cutoff);
            Ok(true)
        })?;
        let key = IndexKey { kind: KeyKind::Type, value: EventType::ScopeResolved.name().as_bytes() };
        for (no, _) in reader.postings_everywhere(key)? {
            for (_, fact) in reader.facts_by_key(no, key)? {
                if let What::Resolution(found) = fact.what
                    && found.log == run.id
                {
                    survey.resolved.push(found.leaves);
                }
            }
        }
        Ok(survey)
    }

    fn add(&mut self, seq: Seq, fact: Fact, cutoff: EventTime) {
        match fact.what {
            What::Telemetry(_) if fact.at < cutoff => self.old.push((fact.at, seq, fact.id)),
            What::Decision(decision) => {
                self.referred.insert(decision.event);
            }
            What::RiskSignal(risk) => {
                self.referred.insert(risk.event);
            }
            What::ResponseAction(action) => {
                if let ResponseTarget::Event(event) = action.target {
                    self.referred.insert(event);
                }
            }
            What::RawLines(raw) => self.raw.push((raw.content.sha256, raw.leaves)),
            _ => {}
        }
    }

    fn choose(&self, most: u64) -> Choice {
        let mut old = self.old.clone();
        old.sort_unstable();
        let is_protected = |seq: Seq, id: &EventId| {
            self.referred.contains(id) || self.resolved.iter().any(|leaves| leaves.contains(seq))
        };
        let (kept, free): (Vec<_>, Vec<_>) = old.into_iter().partition(|(_, seq, id)| is_protected(*seq, id));
        let chosen = &free[..free.len().min(usize::try_from(most).unwrap_or(usize::MAX))];
        let leaves = LeafSet::of(chosen.iter().map(|(_, seq, _)| *seq).collect());
        Choice {
            contents: self.contents_without(&leaves),
            ids: chosen.iter().map(|(_, _, id)| *id).collect(),
            leaves,
            protected: kept.len() as u64,
        }
    }

    /// Contents all of whose rows belong to bodies that are gone after this, and that were still there before.
    fn contents_without(&self, leaves: &LeafSet) -> Vec<ContentId> {
        let mut of: BTreeMap<ContentId, (bool, bool)> = BTreeMap::new();
        for (content, rows) in &self.raw {
            let (all_gone, any_new) = of.entry(*content).or_insert((true, false));
            *all_gone &= rows.iter().all(|row| leaves.contains(row) || self.gone.contains(row));
            *any_new |= rows.iter().any(|row| leaves.contains(row));
        }
        of.into_iter().filter(|(_, (all_gone, any_new))| *all_gone && *any_new).map(|(content, _)| content).collect()
    }
}
