//! Rules asked before a connection is made.

use crate::event::PolicyEvent;
use crate::rules::spec::MatchSpec;
use crate::rules::{RuleFile, RuleSet};
use agentprov_capture::{Gate, Ruling};
use agentprov_model::{
    AttemptNo, Basis, CallResult, EventId, EventTime, Fact, NetworkCall, NetworkOp, OsBytes, ProcessId, RuleMode,
    SocketAddress, Vantage, Verdict, What,
};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// What the gate denied, so that the judge can say `confirmed` of exactly that.
#[derive(Clone, Debug, Default)]
pub struct Denied(Arc<Mutex<HashSet<(ProcessId, OsBytes)>>>);

impl Denied {
    fn note(&self, process: ProcessId, object: OsBytes) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((process, object));
    }

    pub(crate) fn holds(&self, process: ProcessId, object: &OsBytes) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&(process, object.clone()))
    }
}

/// Denies what rules deny, or do worse to.
///
/// Rules that ask for what is not known at that moment (ancestors, users, scopes, taints) are left to the judge, who
/// comes after the call: for those a deny is best effort.
pub struct RuleGate {
    rules: RuleSet,
    denied: Denied,
}

impl RuleGate {
    /// A gate over these rules; what it denies is noted in `denied`.
    ///
    /// # Errors
    /// When a pattern is too large, which loading the rules rules out.
    pub fn new(rules: &RuleSet, denied: Denied) -> Result<Self, regex::Error> {
        let asked = rules.rules().filter(|rule| known_beforehand(&rule.when)).cloned().collect();
        let rules = RuleSet::new(RuleFile { rules: asked, classes: rules.classes().clone() })?;
        Ok(Self { rules, denied })
    }
}

fn known_beforehand(when: &MatchSpec) -> bool {
    let own = when.ancestor.is_empty() && when.user.is_empty() && when.scope.is_none() && when.tainted.is_none();
    own && when.outcome.is_none() && when.any.iter().chain(&when.except).all(known_beforehand)
}

impl Gate for RuleGate {
    fn connect(&self, process: Option<ProcessId>, address: &SocketAddress) -> Ruling {
        let Some(event) = PolicyEvent::of(&about_to_connect(process, address), None) else { return Ruling::Allow };
        if self.rules.judge(&event, RuleMode::Enforce).verdict < Verdict::Deny {
            return Ruling::Allow;
        }
        if let Some(process) = process {
            self.denied.note(process, event.object());
        }
        Ruling::Deny
    }
}

/// The fact that the connect would become.
fn about_to_connect(process: Option<ProcessId>, address: &SocketAddress) -> Fact {
    let at = EventTime::default();
    let call = NetworkCall { op: NetworkOp::Connect, address: address.clone(), result: CallResult::Unknown };
    Fact {
        id: EventId::derive(at, &[]),
        at,
        recorded: at,
        attempt: AttemptNo(0),
        vantage: Vantage::Ptrace,
        basis: Basis::Observed,
        process,
        tid: None,
        redacted: Vec::new(),
        what: What::Network(call),
    }
}
