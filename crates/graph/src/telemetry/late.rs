//! Events that found their scope by a binding that came after them.

use super::bindings::known_bindings;
use crate::attempts::facts_of_type;
use crate::error::GraphError;
use agentprov_model::{Confidence, EventType, Fact, Method, ResolutionState, RunId, ScopeBinding, What};
use agentprov_store::{Reader, RunRow, Seq};
use std::collections::HashMap;

/// What late bindings resolved, by the leaf of the event.
pub(super) struct Late {
    by_leaf: HashMap<(RunId, Seq), Resolved>,
}

struct Resolved {
    binding: ScopeBinding,
    method: Method,
    confidence: Confidence,
}

impl Late {
    pub(super) fn load(reader: &Reader) -> Result<Self, GraphError> {
        let mut by_leaf = HashMap::new();
        let bindings = known_bindings(reader)?;
        for run in reader.runs()?.into_iter().filter(|run| run.removed.is_none()) {
            for (_, fact) in facts_of_type(reader, &run, EventType::ScopeResolved)? {
                let What::Resolution(resolution) = fact.what else { continue };
                let Some(binding) = bindings.get(resolution.binding.as_str()) else { continue };
                for leaf in resolution.leaves.iter() {
                    let (method, confidence) = (resolution.method, resolution.confidence);
                    // The first that resolved it stands: a second one would have made it ambiguous, and says nothing.
                    by_leaf.entry((resolution.log.clone(), leaf)).or_insert_with(|| Resolved {
                        binding: binding.clone(),
                        method,
                        confidence,
                    });
                }
            }
        }
        Ok(Self { by_leaf })
    }

    /// Gives an event the context that it came to later, where its own fact knows none.
    pub(super) fn apply(&self, log: &RunId, seq: Seq, fact: &mut Fact) {
        if self.by_leaf.is_empty() {
            return;
        }
        let What::Telemetry(event) = &mut fact.what else { return };
        let Some(late) = self.by_leaf.get(&(log.clone(), seq)) else { return };
        if event.correlation.state == ResolutionState::Bound {
            return;
        }
        event.scope = late.binding.scope.clone();
        event.correlation.state = ResolutionState::Bound;
        event.correlation.method = late.method;
        event.correlation.confidence = late.confidence;
        event.correlation.binding = Some(late.binding.id.clone());
        event.correlation.binding_source = Some(late.binding.source.clone());
        event.correlation.candidates.clear();
    }

    /// Events in other logs that belong to this run, in order of event time, with their context.
    pub(super) fn elsewhere(&self, reader: &Reader, run: &RunRow) -> Result<Vec<Fact>, GraphError> {
        let mut found = Vec::new();
        for ((log, seq), late) in &self.by_leaf {
            if late.binding.run != run.id || *log == run.id {
                continue;
            }
            let Some(row) = reader.run(log)?.filter(|row| row.removed.is_none()) else { continue };
            let mut fact = reader.fact(row.no, *seq)?;
            self.apply(log, *seq, &mut fact);
            found.push((fact.at, log.clone(), *seq, fact));
        }
        found.sort_by(|a, b| (a.0, &a.1, a.2).cmp(&(b.0, &b.1, b.2)));
        Ok(found.into_iter().map(|(.., fact)| fact).collect())
    }
}
