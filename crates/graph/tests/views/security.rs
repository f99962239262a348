//! Risks, responses, decisions and deviations as documents.

use crate::fixture::Fixture;
use agentprov_graph::security::{policy_decisions, security_deviations, security_responses, security_risks};
use agentprov_model::*;

fn decide(fixture: &mut Fixture, process: ProcessId, event: EventId) -> (EventId, EventId) {
    let decision = fixture.say(
        Some(process),
        What::Decision(Decision {
            event,
            ruleset: "aa".into(),
            verdict: Verdict::Kill,
            intended: Verdict::Kill,
            mode: RuleMode::Enforce,
            rule: "secret_path_access".into(),
            reason: "secret path access".into(),
            severity: Severity::High,
            object: "/ws/.env".into(),
            controls: vec!["ASI03".into()],
            matched: Vec::new(),
        }),
    );
    let risk = fixture.say(
        Some(process),
        What::RiskSignal(RiskSignal {
            event,
            decision,
            kind: RiskKind::PolicyViolation,
            rule: "secret_path_access".into(),
            object: "/ws/.env".into(),
            severity: Severity::High,
            reason: "secret path access".into(),
            recommended: Verdict::Kill,
        }),
    );
    (decision, risk)
}

fn respond(
    fixture: &mut Fixture,
    process: ProcessId,
    (decision, risk): (EventId, EventId),
    request: Option<EventId>,
    state: ResponseState,
) -> EventId {
    let reached = fixture.now();
    fixture.say(
        Some(process),
        What::ResponseAction(ResponseAction {
            risk,
            decision,
            request,
            action: ResponseKind::Kill,
            target: ResponseTarget::UnknownProcess,
            state,
            reached,
            evidence: format!("{state} it is"),
        }),
    )
}

#[test]
fn a_chain_is_shown_as_the_contract_has_it() {
    let mut fixture = Fixture::default();
    let root = fixture.begin(&["cat", ".env"]);
    fixture.say(None, What::RulesApplied(RulesApplied { ruleset: "aa".into(), rules: 21, mode: RuleMode::Enforce }));
    let event = fixture.open(root, "/ws/.env", Access::Read, CallResult::Ok(3));
    let chain = decide(&mut fixture, root, event);
    let request = respond(&mut fixture, root, chain, None, ResponseState::Requested);
    respond(&mut fixture, root, chain, Some(request), ResponseState::Attempted);
    let pending = security_responses(&fixture.reader(), None).expect("a document");
    assert_eq!(pending.body.responses[0].response.status, "running");
    let end = respond(&mut fixture, root, chain, Some(request), ResponseState::Confirmed);

    let reader = fixture.reader();
    let run = fixture.row();
    let risks = serde_json::to_value(security_risks(&reader, Some(&run)).expect("a document")).expect("JSON");
    assert_eq!(risks["schema_version"], "agentprovenance.security_risks/v1");
    assert_eq!(risks["count"], 1);
    let risk = &risks["risks"][0]["risk"];
    assert_eq!((risk["signal_type"].as_str(), risk["severity"].as_str()), (Some("policy_violation"), Some("high")));
    assert_eq!(risk["recommended_action"], "kill");
    assert_eq!(risk["event_id"], event.to_string());
    assert_eq!(risks["judging"]["state"], "judged");

    let responses = serde_json::to_value(security_responses(&reader, Some(&run)).expect("a document")).expect("JSON");
    assert_eq!(responses["count"], 1, "three steps are one response");
    let response = &responses["responses"][0]["response"];
    assert_eq!(response["id"], request.to_string());
    assert_eq!((response["status"].as_str(), response["state"].as_str()), (Some("succeeded"), Some("confirmed")));
    assert_eq!(response["result_ref"], format!("event/{end}"));
    assert_eq!(response["steps"].as_array().map(Vec::len), Some(3));
    assert_eq!(response["risk_signal_id"], risk["id"]);
    assert_eq!(response["policy_decision_id"], risk["policy_decision_id"]);

    let decisions = policy_decisions(&reader, Some(&run)).expect("a document");
    assert_eq!(decisions.body.decisions[0].id, chain.0.to_string());
    let again = security_risks(&reader, Some(&run)).expect("a document");
    assert_eq!(risks, serde_json::to_value(again).expect("JSON"));
    let everywhere = security_risks(&reader, None).expect("a document");
    assert_eq!((everywhere.run_id, everywhere.body.count), (None, 1));
}

#[test]
fn nothing_found_is_told_from_not_looked() {
    let mut fixture = Fixture::quiet();
    let run = fixture.row();
    let risks = security_risks(&fixture.reader(), Some(&run)).expect("a document");
    assert_eq!((risks.body.count, risks.judging.state), (0, "not_judged"));
    let deviations = security_deviations(&fixture.reader(), Some(&run)).expect("a document");
    assert_eq!(deviations.body.baseline.state, "no baseline learned");
}
