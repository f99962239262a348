//! Facts in; decisions, risks and responses out.

use crate::event::{EventScope, PolicyEvent};
use crate::gate::Denied;
use crate::processes::Processes;
use crate::respond::{Job, Responder};
use crate::rules::spec::RuleSpec;
use crate::rules::{Judgement, RuleSet};
use crate::taint::{NoPipes, PipeView, Taint};
use agentprov_capture::Notice;
use agentprov_ingest::{Derived, Emit, Judge};
use agentprov_model::special::Severity as SecretLevel;
use agentprov_model::{
    CallResult, Decision, EventId, EventTime, Fact, OsBytes, ProcessId, ResponseAction, ResponseKind, ResponseState,
    ResponseTarget, RiskKind, RiskSignal, RuleMode, RulesApplied, Verdict, What, errno,
};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::sync::Arc;

/// Judges the facts of one attempt, in the order in which they are appended.
pub struct RuleJudge {
    rules: Arc<RuleSet>,
    mode: RuleMode,
    scope: EventScope,
    processes: Processes,
    taint: Taint,
    /// (rule, process, object) of the risks that were raised.
    raised: HashSet<[u8; 16]>,
    responder: Option<Responder>,
    denied: Denied,
    /// What the user was not told yet.
    notices: Vec<Notice>,
}

impl RuleJudge {
    /// A judge that records and does nothing else: what can't be seen in facts (pipes) and done (responses) is added
    /// with [`RuleJudge::with_pipes`] and [`RuleJudge::with_responder`].
    pub fn new(rules: Arc<RuleSet>, mode: RuleMode) -> Self {
        Self {
            rules,
            mode,
            scope: EventScope::default(),
            processes: Processes::default(),
            taint: Taint::new(Box::new(NoPipes)),
            raised: HashSet::new(),
            responder: None,
            denied: Denied::default(),
            notices: Vec::new(),
        }
    }

    /// Lets taints cross pipes.
    #[must_use]
    pub fn with_pipes(mut self, view: Box<dyn PipeView>) -> Self {
        self.taint = Taint::new(view);
        self
    }

    /// Knows what a gate denied before it happened.
    #[must_use]
    pub fn with_denied(mut self, denied: Denied) -> Self {
        self.denied = denied;
        self
    }

    /// Names the run, for rules that ask for it.
    #[must_use]
    pub fn in_run(mut self, run: &str) -> Self {
        self.scope.run = Some(run.into());
        self
    }

    /// Lets responses happen. Without one every response but `audit` and `taint` is `unsupported`.
    #[must_use]
    pub fn with_responder(mut self, responder: Responder) -> Self {
        self.responder = Some(responder);
        self
    }

    fn event(&mut self, fact: &Fact) -> Option<PolicyEvent> {
        let mut event = PolicyEvent::of(fact, self.processes.user(fact.process))?;
        self.taint.look_at_pipes(fact.process, fact.at, &self.processes);
        event.ancestors = self.processes.ancestors(fact.process);
        event.scope = self.scope.clone();
        event.tainted = self.taint.holds(fact.process, fact.at);
        Some(event)
    }

    fn applied(&self) -> What {
        What::RulesApplied(RulesApplied {
            ruleset: self.rules.digest().to_owned(),
            rules: self.rules.rules().count() as u64,
            mode: self.mode,
        })
    }

    fn learn_scope(&mut self, fact: &Fact) {
        if let What::AttemptStarted(started) = &fact.what {
            self.scope.session = Some(started.session_id.clone().into());
            self.scope.attempt = Some(started.attempt_id.clone().into());
            self.scope.tool_call = Some(started.tool_call_id.clone().into());
        }
    }

    /// A secret that was read taints its reader, whatever the rules say.
    fn taint_reader(&mut self, fact: &Fact, event: &PolicyEvent, secret: Option<SecretLevel>) {
        let holds = secret >= Some(SecretLevel::Medium);
        if let Some(process) = fact.process.filter(|_| holds && event.reads && !event.failed) {
            self.taint.mark(process, fact.at, &self.processes);
        }
    }

    fn first_time(&mut self, rule: &RuleSpec, process: Option<ProcessId>, object: &OsBytes) -> bool {
        let mut hasher = Sha256::new();
        hasher.update((rule.id.len() as u64).to_be_bytes());
        hasher.update(&rule.id);
        hasher.update(process.map_or([0; 8], |process| *process.as_bytes()));
        hasher.update(object.as_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&hasher.finalize()[..16]);
        self.raised.insert(key)
    }

    /// Hands out how far responses have come since the last fact.
    fn collect(&mut self, emit: &mut Emit<'_>) {
        for step in self.responder.iter_mut().flat_map(Responder::steps) {
            self.notices.extend(notice_of(&step));
            emit(step);
        }
    }

    fn respond(
        &mut self,
        fact: &Fact,
        rule: &RuleSpec,
        object: &OsBytes,
        linked: (EventId, EventId),
        emit: &mut Emit<'_>,
    ) {
        let acts = self.mode == RuleMode::Enforce && rule.mode == RuleMode::Enforce;
        if !acts {
            let evidence = format!("recorded; '{}' is not acted on in mode detect", rule.decision);
            let step = audit(fact.id, linked, fact.at, evidence);
            emit(about(fact, step));
            return;
        }
        for &kind in &rule.response {
            let target = self.target(fact, kind);
            let at_once = self.at_once(fact, kind, object);
            let asked = Asked { fact, rule, object, linked };
            asked.respond(kind, target, at_once, self.responder.as_mut(), emit);
        }
    }

    /// What needs nobody else.
    fn at_once(&mut self, fact: &Fact, kind: ResponseKind, object: &OsBytes) -> Option<(ResponseState, String)> {
        match kind {
            ResponseKind::Audit => Some((ResponseState::Confirmed, "on record".into())),
            ResponseKind::Taint => Some(match fact.process {
                Some(process) => {
                    self.taint.mark(process, fact.at, &self.processes);
                    (ResponseState::Confirmed, "the process and what it makes from now on are marked".into())
                }
                None => (ResponseState::Failed, "the process is not known".into()),
            }),
            ResponseKind::Deny if self.was_denied(fact, object) => {
                Some((ResponseState::Confirmed, "the call failed with EPERM before it was made".into()))
            }
            ResponseKind::Deny => {
                let evidence = "best_effort: the call was judged after it had happened, so it was not denied";
                Some((ResponseState::Unsupported, evidence.into()))
            }
            _ => None,
        }
    }

    fn was_denied(&self, fact: &Fact, object: &OsBytes) -> bool {
        let result = match &fact.what {
            What::Network(call) => call.result,
            What::FileOpened(open) => open.result,
            _ => return false,
        };
        let refused = result == CallResult::Errno(errno::EPERM);
        refused && fact.process.is_some_and(|process| self.denied.holds(process, object))
    }

    fn target(&self, fact: &Fact, kind: ResponseKind) -> ResponseTarget {
        match kind {
            ResponseKind::Kill | ResponseKind::Quarantine | ResponseKind::Taint => {
                let key = fact.process.and_then(|process| self.processes.key(process));
                key.map_or(ResponseTarget::UnknownProcess, ResponseTarget::Process)
            }
            ResponseKind::Notify => ResponseTarget::Receiver("webhook".into()),
            ResponseKind::Export => ResponseTarget::Receiver("export".into()),
            ResponseKind::Audit | ResponseKind::Deny => ResponseTarget::Event(fact.id),
        }
    }
}

impl Judge for RuleJudge {
    fn judge(&mut self, fact: &Fact, emit: &mut Emit<'_>) {
        self.collect(emit);
        self.learn_scope(fact);
        if matches!(fact.what, What::AttemptStarted(_)) {
            emit(about_fact(fact, self.applied()));
        }
        let Some(event) = self.event(fact) else {
            self.processes.learn(fact);
            self.taint.spread(fact, &self.processes);
            return;
        };
        let rules = Arc::clone(&self.rules);
        let judgement = rules.judge(&event, self.mode);
        self.processes.learn(fact);
        self.taint_reader(fact, &event, judgement.secret);
        self.taint.spread(fact, &self.processes);
        if judgement.intended == Verdict::Allow {
            return;
        }
        let object = event.object();
        let Some(decision) = decision(fact, &judgement, &rules, self.mode, object.clone()) else { return };
        let decision = emit(about_fact(fact, What::Decision(decision)));
        for rule in judgement.matched.iter().filter(|rule| rule.decision > Verdict::Allow) {
            if !self.first_time(rule, fact.process, &object) {
                continue;
            }
            let risk = emit(about_fact(fact, What::RiskSignal(risk(fact, rule, decision, object.clone()))));
            self.respond(fact, rule, &object, (risk, decision), emit);
        }
    }

    fn applied(&self) -> Option<What> {
        Some(Self::applied(self))
    }

    fn idle(&mut self, emit: &mut Emit<'_>) {
        self.collect(emit);
    }

    fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn finish(&mut self, emit: &mut Emit<'_>) {
        if let Some(responder) = self.responder.take() {
            responder.finish(&mut |step| {
                emit(step);
            });
        }
    }
}

/// What a rule asks for about an event, with the ids of its risk and decision.
pub(crate) struct Asked<'a> {
    pub(crate) fact: &'a Fact,
    pub(crate) rule: &'a RuleSpec,
    pub(crate) object: &'a OsBytes,
    pub(crate) linked: (EventId, EventId),
}

impl Asked<'_> {
    /// Says that the response is asked for, and how it ended where that is known at once; else hands it over.
    pub(crate) fn respond(
        &self,
        kind: ResponseKind,
        target: ResponseTarget,
        at_once: Option<(ResponseState, String)>,
        responder: Option<&mut Responder>,
        emit: &mut Emit<'_>,
    ) {
        let request = ResponseAction {
            risk: self.linked.0,
            decision: self.linked.1,
            request: None,
            action: kind,
            target,
            state: ResponseState::Requested,
            reached: self.fact.at,
            evidence: format!("rule {} asks for it", self.rule.id),
        };
        let id = emit(about(self.fact, request.clone()));
        let request = ResponseAction { request: Some(id), ..request };
        if let Some((state, evidence)) = at_once {
            emit(about(self.fact, ResponseAction { state, evidence, ..request }));
            return;
        }
        let (process, rule, object) = (self.fact.process, self.rule.clone(), self.object.clone());
        let job = Job { process, rule, object, request };
        let refused = match responder {
            Some(responder) => responder.submit(job),
            None => {
                Some(job.step(ResponseState::Unsupported, job.request.reached, "responses are not run here".into()))
            }
        };
        refused.into_iter().for_each(|step| {
            emit(step);
        });
    }
}

/// A command that stands still waits for somebody, who must hear of it.
fn notice_of(step: &Derived) -> Option<Notice> {
    let What::ResponseAction(action) = &step.what else { return None };
    let told = action.action == ResponseKind::Quarantine && action.state == ResponseState::Confirmed;
    told.then(|| Notice {
        text: format!("the command is quarantined and waits: {}", action.evidence),
        way_out: Some("the recording ends when its processes have ended".to_owned()),
    })
}

pub(crate) fn decision(
    fact: &Fact,
    judgement: &Judgement<'_>,
    rules: &RuleSet,
    mode: RuleMode,
    object: OsBytes,
) -> Option<Decision> {
    let rule = judgement.rule?;
    Some(Decision {
        event: fact.id,
        ruleset: rules.digest().to_owned(),
        verdict: judgement.verdict,
        intended: judgement.intended,
        mode,
        rule: rule.id.clone(),
        reason: rule.reason.clone(),
        severity: judgement.severity,
        object,
        controls: rule.controls.clone(),
        matched: judgement.matched_rules(),
    })
}

pub(crate) fn risk(fact: &Fact, rule: &RuleSpec, decision: EventId, object: OsBytes) -> RiskSignal {
    RiskSignal {
        event: fact.id,
        decision,
        kind: RiskKind::PolicyViolation,
        rule: rule.id.clone(),
        object,
        severity: rule.severity,
        reason: rule.reason.clone(),
        recommended: rule.decision,
    }
}

pub(crate) fn audit(
    event: EventId,
    (risk, decision): (EventId, EventId),
    at: EventTime,
    evidence: String,
) -> ResponseAction {
    ResponseAction {
        risk,
        decision,
        request: None,
        action: ResponseKind::Audit,
        target: ResponseTarget::Event(event),
        state: ResponseState::Confirmed,
        reached: at,
        evidence,
    }
}

fn about(fact: &Fact, step: ResponseAction) -> Derived {
    about_fact(fact, What::ResponseAction(step))
}

pub(crate) fn about_fact(fact: &Fact, what: What) -> Derived {
    Derived { at: fact.at, process: fact.process, what }
}
