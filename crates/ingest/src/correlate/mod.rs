//! Tying events to scopes by the bindings that are known.
//!
//! Tiers are asked in order and the first with a binding decides. Inside a tier the strongest authority decides, never
//! recency: where two scopes of one authority fit, the event is ambiguous and both are named.

mod index;
mod load;

pub use index::BindingIndex;
use index::Candidates;
pub use load::load_bindings;

use agentprov_model::telemetry::{Authority, Candidate};
use agentprov_model::{
    Confidence, Correlation, EventTime, Method, ResolutionState, RunId, RuntimeIdentity, ScopeBinding, ScopeIds,
};

/// Open bindings count for this long where only a pid says so: pids are used again.
pub const PID_WINDOW_NS: i64 = 24 * 3600 * 1_000_000_000;

/// Context that whoever ingests names for all rows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Provided {
    /// Run.
    pub run: Option<RunId>,
    /// The scope inside it.
    pub scope: ScopeIds,
    /// An agent or SDK says so about itself.
    pub asserted: bool,
}

/// Where an event belongs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolved {
    /// The run whose log it goes to; absent where none is known.
    pub run: Option<RunId>,
    /// Its context.
    pub scope: ScopeIds,
    /// How that was found.
    pub correlation: Correlation,
}

impl BindingIndex {
    /// Resolves an event that happened at `at`.
    pub fn resolve(&self, identity: &RuntimeIdentity, at: EventTime, provided: &Provided) -> Resolved {
        let run_named = provided.run.is_some();
        let given = &provided.scope;
        if run_named && given.session.is_some() && given.tool_call.is_some() && given.process.is_some() {
            return by_provided_context(provided);
        }
        let tiers = [Method::ProcessId, Method::ProcessKey, Method::Cgroup, Method::Container, Method::Pid];
        for method in tiers {
            let mut found = self.candidates(method, identity, at, given);
            found.retain(|binding| fits_provided(binding, provided));
            if !found.is_empty() {
                return decide(method, found, provided);
            }
        }
        Resolved { run: provided.run.clone(), scope: given.clone(), correlation: Correlation::unresolved(run_named) }
    }
}

fn by_provided_context(provided: &Provided) -> Resolved {
    let confidence = if provided.asserted { Confidence::ASSERTED } else { Confidence::FULL };
    Resolved {
        run: provided.run.clone(),
        scope: provided.scope.clone(),
        correlation: Correlation {
            state: ResolutionState::Bound,
            method: Method::ProvidedContext,
            confidence,
            ..Correlation::unresolved(true)
        },
    }
}

/// A binding that contradicts what the caller named is no candidate.
fn fits_provided(binding: &ScopeBinding, provided: &Provided) -> bool {
    fn agrees<T: PartialEq>(given: &Option<T>, bound: &Option<T>) -> bool {
        match (given, bound) {
            (Some(given), Some(bound)) => given == bound,
            _ => true,
        }
    }
    let (given, bound) = (&provided.scope, &binding.scope);
    provided.run.as_ref().is_none_or(|run| *run == binding.run)
        && agrees(&given.rollout, &bound.rollout)
        && agrees(&given.session, &bound.session)
        && agrees(&given.attempt, &bound.attempt)
        && agrees(&given.tool_call, &bound.tool_call)
        && agrees(&given.process, &bound.process)
        && agrees(&given.snapshot, &bound.snapshot)
}

fn decide(method: Method, mut found: Candidates<'_>, provided: &Provided) -> Resolved {
    let strongest = found.iter().map(|binding| binding.authority).max().unwrap_or(Authority::Asserted);
    found.retain(|binding| binding.authority == strongest);
    found.sort_by(|a, b| (b.started, &b.id).cmp(&(a.started, &a.id)));
    let run_named = provided.run.is_some();
    let newest = found.first().copied();
    let one_scope = found.windows(2).all(|pair| pair[0].run == pair[1].run && pair[0].scope == pair[1].scope);
    if let (Some(binding), true) = (newest, one_scope) {
        let mut scope = provided.scope.clone();
        scope.fill_from(&binding.scope);
        let mut confidence = method.confidence().min(binding.confidence);
        if binding.authority == Authority::Asserted || provided.asserted {
            confidence = confidence.min(Confidence::ASSERTED);
        }
        return Resolved {
            run: Some(binding.run.clone()),
            scope,
            correlation: Correlation {
                state: ResolutionState::Bound,
                method,
                run_named,
                confidence,
                binding: Some(binding.id.clone()),
                binding_source: Some(binding.source.clone()),
                candidates: Vec::new(),
            },
        };
    }
    // What all candidates agree on is known all the same: the run.
    let one_run = found.windows(2).all(|pair| pair[0].run == pair[1].run);
    let run = newest.filter(|_| one_run).map(|binding| binding.run.clone()).or_else(|| provided.run.clone());
    let candidates =
        found.iter().map(|binding| Candidate { binding: binding.id.clone(), run: binding.run.clone() }).collect();
    Resolved {
        run,
        scope: provided.scope.clone(),
        correlation: Correlation {
            state: ResolutionState::Ambiguous,
            method,
            candidates,
            ..Correlation::unresolved(run_named)
        },
    }
}

#[cfg(test)]
mod tests;
