//! What judging a run came to, in a few numbers that every view shares.

use super::document::judging;
use crate::attempts::facts_of_type;
use crate::error::GraphError;
use agentprov_model::index::CountGroup;
use agentprov_model::{EventType, What};
use agentprov_store::{Reader, RunRow};
use std::collections::BTreeMap;

/// How a run stands with the rules.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// `judged`, `partly_judged` or `not_judged`. Zeros mean something only where rules looked.
    pub state: &'static str,
    /// Risk signals by severity.
    pub by_severity: BTreeMap<&'static str, u64>,
    /// Risk signals.
    pub risks: u64,
    /// Decisions.
    pub decisions: u64,
    /// Responses: the requests, not each of their steps.
    pub responses: u64,
}

impl Standing {
    /// Reads it from the run's facts.
    ///
    /// # Errors
    /// What the store says.
    pub fn of(reader: &Reader, run: &RunRow) -> Result<Self, GraphError> {
        let counts = reader.tallies(run.no, CountGroup::Type)?;
        let count = |kind: EventType| counts.get(kind.name()).copied().unwrap_or(0);
        let mut by_severity = BTreeMap::new();
        for (_, fact) in facts_of_type(reader, run, EventType::RiskSignal)? {
            if let What::RiskSignal(risk) = fact.what {
                *by_severity.entry(risk.severity.name()).or_default() += 1;
            }
        }
        let requests = facts_of_type(reader, run, EventType::ResponseAction)?
            .into_iter()
            .filter(|(_, fact)| matches!(&fact.what, What::ResponseAction(action) if action.request.is_none()));
        Ok(Self {
            state: judging(reader, std::slice::from_ref(run))?.state,
            by_severity,
            risks: count(EventType::RiskSignal),
            decisions: count(EventType::PolicyDecision),
            responses: requests.count() as u64,
        })
    }

    /// In one clause for people.
    pub fn clause(&self) -> String {
        let named: Vec<String> = ["critical", "high", "medium", "low", "info"]
            .into_iter()
            .filter_map(|severity| self.by_severity.get(severity).map(|count| format!("{count} {severity}")))
            .collect();
        match (self.state, named.is_empty()) {
            ("not_judged", true) => "not judged".to_owned(),
            ("judged", true) => "none found".to_owned(),
            (_, true) => "none found; partly not judged".to_owned(),
            ("judged", false) => named.join(", "),
            (_, false) => format!("{}; partly not judged", named.join(", ")),
        }
    }
}
