//! Rules asked before a connection is made or a file is opened.

use crate::event::PolicyEvent;
use crate::rules::spec::{Class, MatchSpec, RuleSpec};
use crate::rules::{self, RuleFile, RuleSet};
use agentprov_capture::{Gate, Opens, Ruling};
use agentprov_model::{
    Access, AttemptNo, Basis, CallResult, EventId, EventTime, Fact, FileOpened, NetworkCall, NetworkOp, OsBytes,
    ProcessId, RuleMode, SocketAddress, Vantage, Verdict, What,
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

impl RuleGate {
    fn ask(&self, process: Option<ProcessId>, what: What) -> Ruling {
        let Some(event) = PolicyEvent::of(&about_to_happen(process, what), None) else { return Ruling::Allow };
        if self.rules.judge(&event, RuleMode::Enforce).verdict < Verdict::Deny {
            return Ruling::Allow;
        }
        if let Some(process) = process {
            self.denied.note(process, event.object());
        }
        Ruling::Deny
    }
}

impl Gate for RuleGate {
    fn connect(&self, process: Option<ProcessId>, address: &SocketAddress) -> Ruling {
        let call = NetworkCall { op: NetworkOp::Connect, address: address.clone(), result: CallResult::Unknown };
        self.ask(process, What::Network(call))
    }

    fn opens(&self) -> Opens {
        let denies = |rule: &&RuleSpec| rule.mode == RuleMode::Enforce && rule.decision >= Verdict::Deny;
        let wanted = self.rules.rules().filter(denies).map(|rule| opens_of(&rule.when));
        wanted.max().unwrap_or(Opens::None)
    }

    fn open(&self, process: Option<ProcessId>, open: &FileOpened) -> Ruling {
        self.ask(process, What::FileOpened(open.clone()))
    }
}

/// The opens for which the conditions may hold; more than those does no harm.
fn opens_of(when: &MatchSpec) -> Opens {
    let of_others = !when.argv.is_empty()
        || !when.argv_class.is_empty()
        || !when.cidr.is_empty()
        || !when.port.is_empty()
        || !when.host.is_empty()
        || !when.dst_ip.is_empty()
        || when.private_cidr == Some(true)
        || when.path_contains.is_empty() && !when.args_contains.is_empty()
        || !when.class.is_empty() && !when.class.contains(&Class::Secret);
    let empty_text = |source: &String| regex::Regex::new(source).is_ok_and(|regex| regex.is_match(""));
    if of_others || !when.args_regex.is_empty() && !when.args_regex.iter().any(empty_text) {
        return Opens::None;
    }
    let types = &when.event_type;
    let wanted = |access| {
        let kind = about_to_happen(None, What::FileOpened(opened(access))).event_type();
        types.is_empty() || types.iter().any(|name| name == kind.name())
    };
    let accesses = &when.access;
    let reads = wanted(Access::Read) && (accesses.is_empty() || accesses.contains(&rules::spec::Access::Read));
    let writes = wanted(Access::Write) && (accesses.is_empty() || accesses.contains(&rules::spec::Access::Write));
    let own = match (reads, writes) {
        (true, _) => Opens::All,
        (false, true) => Opens::Changing,
        (false, false) => Opens::None,
    };
    match when.any.as_slice() {
        [] => own,
        any => own.min(any.iter().map(opens_of).max().unwrap_or(Opens::None)),
    }
}

fn opened(access: Access) -> FileOpened {
    FileOpened {
        path: OsBytes::default(),
        given: None,
        access,
        create: false,
        truncate: false,
        result: CallResult::Unknown,
    }
}

/// The fact that the call would become.
fn about_to_happen(process: Option<ProcessId>, what: What) -> Fact {
    let at = EventTime::default();
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
        what,
    }
}
