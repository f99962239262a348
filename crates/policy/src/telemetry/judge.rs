//! Reported events in; decisions and risks out.

use crate::event::PolicyEvent;
use crate::judge::{Asked, about_fact, audit, decision, risk};
use crate::respond::Responder;
use crate::rules::RuleSet;
use agentprov_ingest::{Emit, Judge};
use agentprov_model::special::Severity;
use agentprov_model::{
    EventTime, Fact, OsBytes, ResponseKind, ResponseState, ResponseTarget, RuleMode, RulesApplied, TelemetryEvent,
    Verdict, What,
};
use sha2::{Digest, Sha256};
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Risks and readers of secrets that are remembered: a stranger's rows must not fill the memory. Beyond that a risk is
/// raised for every event, never for none.
const MAX_REMEMBERED: usize = 1 << 18;

/// Name of a doer, or of a doer with a rule and an object.
type Key = [u8; 16];

/// Judges telemetry as it is taken in. What is reported has happened already, on a host that may be another one: it acts
/// only where it was given a [`Responder`], and on processes only where boot and start time are those of a process here.
///
/// Without one, what it emits depends on the rows alone, in their order, so that the same input gives the same facts.
pub struct TelemetryJudge {
    rules: Arc<RuleSet>,
    mode: RuleMode,
    /// There in mode enforce.
    responder: Option<Responder>,
    raised: HashSet<Key>,
    /// Who read a secret, and since when.
    tainted: HashMap<Key, EventTime>,
}

impl TelemetryJudge {
    /// A judge with these rules.
    pub fn new(rules: Arc<RuleSet>) -> Self {
        Self { rules, mode: RuleMode::Detect, responder: None, raised: HashSet::new(), tainted: HashMap::new() }
    }

    /// Lets rules in mode enforce act.
    #[must_use]
    pub fn with_responder(mut self, responder: Responder) -> Self {
        (self.mode, self.responder) = (RuleMode::Enforce, Some(responder));
        self
    }

    fn taint(&mut self, fact: &Fact, doer: Key) {
        let full = self.tainted.len() >= MAX_REMEMBERED && !self.tainted.contains_key(&doer);
        if !full {
            let since = self.tainted.entry(doer).or_insert(fact.at);
            *since = (*since).min(fact.at);
        }
    }

    fn respond(&mut self, asked: &Asked<'_>, told: &TelemetryEvent, doer: Key, emit: &mut Emit<'_>) {
        let Asked { fact, rule, linked, .. } = asked;
        if self.responder.is_none() || rule.mode != RuleMode::Enforce {
            let evidence = match rule.response.as_slice() {
                [] | [ResponseKind::Audit] => "on record".to_owned(),
                _ => format!("recorded; '{}' is not acted on in mode detect", rule.decision),
            };
            emit(about_fact(fact, What::ResponseAction(audit(fact.id, *linked, fact.at, evidence))));
            return;
        }
        for &kind in &rule.response {
            let at_once = self.at_once(kind, doer, fact.at);
            asked.respond(kind, target(fact, told, kind), at_once, self.responder.as_mut(), emit);
        }
    }

    /// What needs nobody else.
    fn at_once(&mut self, kind: ResponseKind, doer: Key, at: EventTime) -> Option<(ResponseState, String)> {
        match kind {
            ResponseKind::Audit => Some((ResponseState::Confirmed, "on record".into())),
            ResponseKind::Taint if self.tainted.len() >= MAX_REMEMBERED && !self.tainted.contains_key(&doer) => {
                Some((ResponseState::Failed, format!("{MAX_REMEMBERED} marks are kept already")))
            }
            ResponseKind::Taint => {
                let since = self.tainted.entry(doer).or_insert(at);
                *since = (*since).min(at);
                Some((ResponseState::Confirmed, "what is reported of the same doer from now on is marked".into()))
            }
            ResponseKind::Deny => {
                let evidence = "best_effort: the event was reported after it had happened, so it was not denied";
                Some((ResponseState::Unsupported, evidence.into()))
            }
            _ => None,
        }
    }

    fn first_time(&mut self, rule: &str, doer: Key, object: &OsBytes) -> bool {
        let key = key(&[b"risk", rule.as_bytes(), &doer, object.as_bytes()]);
        if self.raised.len() >= MAX_REMEMBERED {
            return !self.raised.contains(&key);
        }
        self.raised.insert(key)
    }
}

impl Judge for TelemetryJudge {
    fn applied(&self) -> Option<What> {
        Some(What::RulesApplied(RulesApplied {
            ruleset: self.rules.digest().to_owned(),
            rules: self.rules.rules().count() as u64,
            mode: self.mode,
        }))
    }

    fn acts(&self) -> bool {
        self.responder.is_some()
    }

    fn recall(&mut self, fact: &Fact) {
        let responder = self.responder.take();
        let mode = std::mem::replace(&mut self.mode, RuleMode::Detect);
        self.judge(fact, &mut |_| fact.id);
        (self.responder, self.mode) = (responder, mode);
    }

    fn judge(&mut self, fact: &Fact, emit: &mut Emit<'_>) {
        let What::Telemetry(told) = &fact.what else { return };
        let Some(mut event) = PolicyEvent::of_telemetry(fact, told) else { return };
        // Most events are of nobody who is asked about: naming who did it costs as much as half of the rules.
        let known = OnceCell::new();
        let doer = || *known.get_or_init(|| doer(told));
        event.tainted = !self.tainted.is_empty() && self.tainted.get(&doer()).is_some_and(|since| *since <= fact.at);
        let rules = Arc::clone(&self.rules);
        let judgement = rules.judge(&event, self.mode);
        if judgement.secret >= Some(Severity::Medium) && event.reads && !event.failed {
            self.taint(fact, doer());
        }
        if judgement.intended == Verdict::Allow {
            return;
        }
        let doer = doer();
        let object = event.object();
        let Some(decision) = decision(fact, &judgement, &rules, self.mode, object.clone()) else { return };
        let decision = emit(about_fact(fact, What::Decision(decision)));
        for rule in judgement.matched.iter().filter(|rule| rule.decision > Verdict::Allow) {
            if !self.first_time(&rule.id, doer, &object) {
                continue;
            }
            let risk = emit(about_fact(fact, What::RiskSignal(risk(fact, rule, decision, object.clone()))));
            self.respond(&Asked { fact, rule, object: &object, linked: (risk, decision) }, told, doer, emit);
        }
        self.idle(emit);
    }

    fn idle(&mut self, emit: &mut Emit<'_>) {
        for step in self.responder.iter_mut().flat_map(Responder::steps) {
            emit(step);
        }
    }

    fn finish(&mut self, emit: &mut Emit<'_>) {
        if let Some(responder) = self.responder.take() {
            responder.finish(&mut |step| {
                emit(step);
            });
        }
    }
}

/// Of the processes that others report, only exactly known ones are touched.
fn target(fact: &Fact, told: &TelemetryEvent, kind: ResponseKind) -> ResponseTarget {
    match kind {
        ResponseKind::Kill | ResponseKind::Quarantine | ResponseKind::Taint => {
            told.identity.process_key().map_or(ResponseTarget::UnknownProcess, ResponseTarget::Process)
        }
        ResponseKind::Notify => ResponseTarget::Receiver("webhook".into()),
        ResponseKind::Export => ResponseTarget::Receiver("export".into()),
        ResponseKind::Audit | ResponseKind::Deny => ResponseTarget::Event(fact.id),
    }
}

/// Names whoever did it, as far as the source told: process, container, host and scope.
fn doer(told: &TelemetryEvent) -> Key {
    let identity = &told.identity;
    let number = |value: Option<u64>| value.map(u64::to_be_bytes).unwrap_or_default();
    let word = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let scope = serde_json::to_vec(&(&told.scope, &told.correlation.binding)).unwrap_or_default();
    key(&[
        b"doer",
        word(told.host.as_deref()).as_bytes(),
        word(identity.boot.as_ref().map(|boot| boot.0.as_str())).as_bytes(),
        word(identity.container.as_deref()).as_bytes(),
        word(identity.cgroup.as_deref()).as_bytes(),
        &number(identity.tgid.or(identity.pid).map(u64::from)),
        &number(identity.start_ticks),
        &scope,
    ])
}

fn key(parts: &[&[u8]]) -> Key {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let mut key = [0; 16];
    key.copy_from_slice(&hasher.finalize()[..16]);
    key
}
