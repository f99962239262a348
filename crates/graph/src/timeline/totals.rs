//! Counts over a run: from the tallies kept at append, or, for an earlier size of a log that grew, from the postings.

use super::TimelineSummary;
use crate::error::GraphError;
use agentprov_model::index::{CountGroup, IndexKey, KeyKind};
use agentprov_model::{EventType, Lane};
use agentprov_store::{Reader, RunRow, Seq};
use std::collections::BTreeMap;

/// How many facts of each kind a run has below a size.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Totals {
    /// All.
    pub facts: u64,
    /// By event type; types without facts are left out.
    pub by_type: BTreeMap<EventType, u64>,
    /// Runtime facts whose process is not known: versions that nobody, or more than one process, may have written.
    pub without_process: u64,
}

const fn lane_of(kind: EventType) -> Lane {
    match kind {
        EventType::ToolCallStart | EventType::ToolCallEnd => Lane::AgentContext,
        kind if kind.is_declared() => Lane::AgentContext,
        EventType::ProcessStart | EventType::ProcessEnd => Lane::RuntimeProcess,
        EventType::CoverageGap | EventType::Output | EventType::Interrupted => Lane::Evidence,
        EventType::PolicyRules | EventType::PolicyDecision | EventType::RiskSignal | EventType::ResponseAction => {
            Lane::RiskPolicy
        }
        _ => Lane::RuntimeTelemetry,
    }
}

/// Who reports every runtime fact of this type.
pub(super) const fn source_of(kind: EventType) -> &'static str {
    match kind {
        EventType::ProcessObserved | EventType::AbnormalProcessTree => "record_process_sample",
        EventType::FileWrite => "record_file_diff",
        _ => "record",
    }
}

impl Totals {
    /// Lane of every fact of this type.
    pub const fn lane_of(kind: EventType) -> Lane {
        lane_of(kind)
    }

    /// Counts the facts below `size`.
    ///
    /// # Errors
    /// What the store says.
    pub fn load(reader: &Reader, run: &RunRow, size: u64) -> Result<Self, GraphError> {
        if size == run.size {
            let without_process = reader.tallies(run.no, CountGroup::WithoutProcess)?.into_values().sum();
            return Ok(Self { facts: size, by_type: tallied(reader, run)?, without_process });
        }
        let without_process = versions_without_process(reader, run, size)?;
        Ok(Self { facts: size, by_type: recounted(reader, run, size)?, without_process })
    }

    /// Facts by lane.
    pub fn by_lane(&self) -> BTreeMap<Lane, u64> {
        let mut lanes = BTreeMap::new();
        for (&kind, count) in &self.by_type {
            *lanes.entry(lane_of(kind)).or_default() += count;
        }
        lanes
    }

    /// Facts that the kernel or a sensor saw.
    pub fn runtime(&self) -> u64 {
        self.by_lane().get(&Lane::RuntimeTelemetry).copied().unwrap_or(0)
    }

    /// Facts of one type.
    pub fn of(&self, kind: EventType) -> u64 {
        self.by_type.get(&kind).copied().unwrap_or(0)
    }

    /// Runtime facts by type.
    pub fn runtime_by_type(&self) -> BTreeMap<&'static str, u64> {
        self.runtime_types().map(|(kind, count)| (kind.name(), count)).collect()
    }

    /// Runtime facts by who reported them.
    pub fn runtime_by_source(&self) -> BTreeMap<&'static str, u64> {
        let mut sources = BTreeMap::new();
        for (kind, count) in self.runtime_types() {
            *sources.entry(source_of(kind)).or_default() += count;
        }
        sources
    }

    fn runtime_types(&self) -> impl Iterator<Item = (EventType, u64)> {
        let runtime = |kind: &EventType| lane_of(*kind) == Lane::RuntimeTelemetry;
        self.by_type.iter().filter(move |(kind, _)| runtime(kind)).map(|(kind, count)| (*kind, *count))
    }

    /// As the contract prints them.
    pub fn summary(&self) -> TimelineSummary {
        let lanes = self.by_lane();
        let runtime_events = self.runtime();
        TimelineSummary {
            total_events: self.facts,
            lane_counts: lanes.into_iter().map(|(lane, count)| (lane.name().to_owned(), count)).collect(),
            runtime_events,
            fully_correlated: runtime_events.saturating_sub(self.without_process),
            partially_correlated: self.without_process,
            correlation_gaps: 0,
        }
    }
}

fn tallied(reader: &Reader, run: &RunRow) -> Result<BTreeMap<EventType, u64>, GraphError> {
    let tallies = reader.tallies(run.no, CountGroup::Type)?;
    Ok(tallies.into_iter().filter_map(|(name, count)| Some((EventType::from_name(&name)?, count))).collect())
}

fn recounted(reader: &Reader, run: &RunRow, size: u64) -> Result<BTreeMap<EventType, u64>, GraphError> {
    let mut counts = BTreeMap::new();
    for &kind in EventType::ALL {
        let count = below(reader, run, kind, size)?.len() as u64;
        if count > 0 {
            counts.insert(kind, count);
        }
    }
    Ok(counts)
}

fn below(reader: &Reader, run: &RunRow, kind: EventType, size: u64) -> Result<Vec<Seq>, GraphError> {
    let mut seqs = reader.postings(run.no, IndexKey { kind: KeyKind::Type, value: kind.name().as_bytes() })?;
    seqs.truncate(seqs.partition_point(|&seq| seq < size));
    Ok(seqs)
}

fn versions_without_process(reader: &Reader, run: &RunRow, size: u64) -> Result<u64, GraphError> {
    let mut count = 0;
    for seq in below(reader, run, EventType::FileWrite, size)? {
        let body = reader.body(run.no, seq)?.unwrap_or_default();
        count += u64::from(!names_process(&body));
    }
    Ok(count)
}

/// Bytes of a stored fact within which its process stands, if it has one: the fields before it are short.
const FIELDS_BEFORE_WHAT: usize = 256;

/// Whether a stored fact names its process. Fields stand in declaration order, which is part of the format: the
/// key comes before `what`, or not at all.
fn names_process(body: &[u8]) -> bool {
    let beginning = &body[..body.len().min(FIELDS_BEFORE_WHAT)];
    let find = |key: &[u8]| beginning.windows(key.len()).position(|window| window == key);
    match (find(br#""process":"#), find(br#""what":"#)) {
        (Some(process), Some(what)) => process < what,
        (process, _) => process.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use agentprov_model::{AttemptNo, Basis, EventId, EventTime, Fact, Vantage, What};

    #[test]
    fn a_process_is_seen_without_parsing() {
        let at = EventTime::from_nanos(1);
        let mut fact = Fact {
            id: EventId::derive(at, &[]),
            at,
            recorded: at,
            attempt: AttemptNo(1),
            vantage: Vantage::Ptrace,
            basis: Basis::Observed,
            process: None,
            tid: None,
            redacted: Vec::new(),
            what: What::ProcessOutlived,
        };
        assert!(!names_process(&fact.to_body()));
        fact.process = "proc-0000000000000001".parse().ok();
        assert!(names_process(&fact.to_body()));
    }
}
