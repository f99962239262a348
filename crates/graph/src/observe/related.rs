//! What rules made of an event or a process.

use super::EvidenceRef;
use crate::attempts::facts_of_type;
use crate::error::GraphError;
use agentprov_model::{EventId, EventType, Fact, ProcessId, What};
use agentprov_store::{Reader, RunRow};
use std::collections::BTreeSet;

/// What a judgement is looked up by.
#[derive(Clone, Copy)]
pub(super) enum Subject {
    /// What was judged, or one of the judgement's own facts.
    Event(EventId),
    /// Who did it.
    Process(ProcessId),
}

impl Subject {
    /// A decision that is about it.
    fn has_decision(self, fact: &Fact) -> bool {
        match (self, &fact.what) {
            (Self::Event(id), What::Decision(decision)) => decision.event == id || fact.id == id,
            (Self::Process(process), What::Decision(_)) => fact.process == Some(process),
            _ => false,
        }
    }

    /// A risk or response that is about it, whatever the decision behind it.
    fn is_named_by(self, fact: &Fact) -> bool {
        match self {
            Self::Event(id) => fact.id == id || matches!(&fact.what, What::RiskSignal(risk) if risk.event == id),
            Self::Process(process) => fact.process == Some(process),
        }
    }
}

/// Facts of the judgements about something, each kind in the order of the log.
#[derive(Default)]
pub(super) struct Related {
    pub(super) risks: Vec<EvidenceRef>,
    pub(super) policies: Vec<EvidenceRef>,
    pub(super) responses: Vec<EvidenceRef>,
}

impl Related {
    pub(super) fn to(reader: &Reader, run: &RunRow, subject: Subject) -> Result<Self, GraphError> {
        let facts = |kind| facts_of_type(reader, run, kind);
        let (decisions, risks) = (facts(EventType::PolicyDecision)?, facts(EventType::RiskSignal)?);
        let responses = facts(EventType::ResponseAction)?;
        // A risk or response leads to its decision, and that to all that followed from it.
        let led_to = |(_, fact): &(u64, Fact)| subject.is_named_by(fact).then(|| decision_of(fact)).flatten();
        let mut made: BTreeSet<EventId> = risks.iter().chain(&responses).filter_map(led_to).collect();
        made.extend(
            decisions.iter().map(|(_, fact)| fact).filter(|fact| subject.has_decision(fact)).map(|fact| fact.id),
        );
        let is_own = |fact: &Fact| matches!(subject, Subject::Event(id) if fact.id == id);
        let follows = |fact: &Fact| decision_of(fact).is_some_and(|decision| made.contains(&decision));
        let told = |facts: &[(u64, Fact)], wanted: &dyn Fn(&Fact) -> bool| {
            facts
                .iter()
                .map(|(_, fact)| fact)
                .filter(|fact| wanted(fact) && !is_own(fact))
                .map(EvidenceRef::to)
                .collect()
        };
        Ok(Self {
            policies: told(&decisions, &|fact| made.contains(&fact.id)),
            risks: told(&risks, &follows),
            responses: told(&responses, &follows),
        })
    }
}

/// The decision that a risk signal or response follows from.
pub(crate) fn decision_of(fact: &Fact) -> Option<EventId> {
    match &fact.what {
        What::RiskSignal(risk) => Some(risk.decision),
        What::ResponseAction(action) => Some(action.decision),
        _ => None,
    }
}
