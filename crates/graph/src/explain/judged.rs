//! What rules made of an event: the decision, the risk that it signals, and what was done about it.

use super::edge::{EdgeKind, Side, Sighting};
use super::neighbourhood::Neighbourhood;
use super::target::event_node;
use crate::attempts::facts_of_type;
use crate::error::GraphError;
use crate::observe::{decision_of, find_event};
use crate::selection::nearest;
use crate::timeline::sentence;
use agentprov_model::{EventType, Fact, What};
use agentprov_store::{Reader, RunRow, Seq};

/// A decision with everything that hangs on it.
pub(super) struct Judged {
    /// The decision.
    pub(super) decision: (Seq, Fact),
    /// What was judged; none where its body is gone.
    pub(super) event: Option<(Seq, Fact)>,
    /// Risk signals that the decision raised.
    pub(super) risks: Vec<(Seq, Fact)>,
    /// Steps of the responses to these.
    pub(super) responses: Vec<(Seq, Fact)>,
}

impl Judged {
    /// Finds a decision by its id, or by the id of a risk signal or response that followed from it.
    ///
    /// # Errors
    /// [`GraphError::NotFound`] where the run knows no such decision, or what the store says.
    pub(super) fn look_up(reader: &Reader, run: &RunRow, id: &str) -> Result<Self, GraphError> {
        let name = ["policy_decision/", "risk_signal/", "response_action/"]
            .into_iter()
            .find_map(|prefix| id.strip_prefix(prefix))
            .unwrap_or(id);
        let decisions = facts_of_type(reader, run, EventType::PolicyDecision)?;
        let risks = facts_of_type(reader, run, EventType::RiskSignal)?;
        let responses = facts_of_type(reader, run, EventType::ResponseAction)?;
        let followed = |facts: &[(Seq, Fact)]| {
            facts.iter().find(|(_, fact)| fact.id.to_string() == name).and_then(|(_, fact)| decision_of(fact))
        };
        let followed = followed(&risks).or_else(|| followed(&responses));
        let wanted = |fact: &Fact| fact.id.to_string() == name || Some(fact.id) == followed;
        let Some(decision) = decisions.iter().find(|(_, fact)| wanted(fact)).cloned() else {
            let names: Vec<String> = decisions.iter().map(|(_, fact)| fact.id.to_string()).collect();
            let suggestion = nearest(name, names.iter().map(String::as_str));
            return Err(GraphError::not_in(run, "risk", id).but_near(suggestion));
        };
        let of_it = |facts: Vec<(Seq, Fact)>| {
            facts.into_iter().filter(|(_, fact)| decision_of(fact) == Some(decision.1.id)).collect()
        };
        let event = match &decision.1.what {
            What::Decision(made) => find_event(reader, run, &made.event.to_string()).ok(),
            _ => None,
        };
        Ok(Self { risks: of_it(risks), responses: of_it(responses), event, decision })
    }

    /// Draws the chain from what was judged to what was done.
    pub(super) fn explore(&self, near: &mut Neighbourhood<'_>) {
        match &self.event {
            Some((seq, event)) => near.causes_of_event(*seq, event),
            None => near.causes_of_tool_call(self.decision.1.attempt),
        }
        near.take_judgement(Side::Upstream, &self.decision);
        for fact in self.risks.iter().chain(&self.responses) {
            near.take_judgement(Side::Downstream, fact);
        }
    }

    /// In lines for people, the outcome first.
    pub(super) fn tell(&self) -> Vec<String> {
        let told = |(_, fact): &(Seq, Fact)| format!("{} {}: {}", fact.event_type().name(), fact.id, sentence(fact));
        let mut lines = vec![told(&self.decision)];
        lines.extend(self.risks.iter().chain(&self.responses).map(|fact| format!("-> {}", told(fact))));
        match &self.event {
            Some(event) => lines.push(format!("<- {}", told(event))),
            None => lines.push("<- what was judged is no longer stored".to_owned()),
        }
        lines
    }
}

/// The edge that a judgement's fact stands for, if it is one.
pub(super) fn judgement_edge(fact: &Fact) -> Option<Sighting> {
    let (kind, from, to) = match &fact.what {
        What::Decision(made) => {
            (EdgeKind::RuntimeEventPolicyDecision, event_node(&made.event), format!("policy_decision/{}", fact.id))
        }
        What::RiskSignal(risk) => (
            EdgeKind::PolicyDecisionRiskSignal,
            format!("policy_decision/{}", risk.decision),
            format!("risk_signal/{}", fact.id),
        ),
        What::ResponseAction(action) => {
            // The steps of a response are facts of one action: it has the id of the request.
            let id = action.request.unwrap_or(fact.id);
            (
                EdgeKind::RiskSignalResponseAction,
                format!("risk_signal/{}", action.risk),
                format!("response_action/{id}"),
            )
        }
        _ => return None,
    };
    Some(Sighting { kind, from, to, at: fact.at, event: Some(fact.id), access: None })
}
