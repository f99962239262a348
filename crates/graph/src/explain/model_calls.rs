//! Calls of models: who made them, and what came of the tool calls that their responses asked for.

use super::edge::{EdgeKind, Side, Sighting};
use super::neighbourhood::Neighbourhood;
use super::target::event_node;
use crate::error::GraphError;
use crate::model_calls::{asked_for, model_call};
use crate::timeline::sentence;
use crate::tool_calls::{Binding, BindingState, CallNo};
use agentprov_model::{EventId, EventTime, Fact};
use agentprov_store::Seq;
use std::collections::BTreeSet;

impl Neighbourhood<'_> {
    /// The calls of models that asked for a declared tool call.
    pub(super) fn intents_of(&mut self, no: CallNo) -> Result<(), GraphError> {
        let tool_calls = self.tool_calls;
        let Some(call) = tool_calls.calls.get(no) else { return Ok(()) };
        for (seq, fact) in asked_for(self.reader, self.run, call.id.id.as_str())? {
            self.caller_to_model_call(Side::Upstream, &fact);
            self.intent_to_effects(&fact, no);
            self.facts.insert(seq, fact);
        }
        Ok(())
    }

    /// What came of a call of a model. Other facts lead to nothing here.
    pub(super) fn effects_of_model_call(&mut self, fact: &Fact) {
        let tool_calls = self.tool_calls;
        let Some(call) = model_call(fact) else { return };
        self.caller_to_model_call(Side::Upstream, fact);
        for asked in &call.reply.tool_calls {
            if let Some((no, _)) = tool_calls.find(asked.id.as_str()) {
                self.intent_to_effects(fact, no);
            }
        }
    }

    fn caller_to_model_call(&mut self, side: Side, fact: &Fact) {
        let Some(process) = fact.process else { return };
        let (from, to) = (process.to_string(), event_node(&fact.id));
        let (kind, at, event) = (EdgeKind::LlmCall, fact.at, Some(fact.id));
        self.see(side, Sighting { kind, from, to, at, event, access: None });
    }

    /// To programs, files and connections that are bound to the tool call alone, and that came after the response.
    fn intent_to_effects(&mut self, fact: &Fact, no: CallNo) {
        let (tool_calls, processes) = (self.tool_calls, self.processes);
        let mut caused: BTreeSet<(EventTime, EventId)> = BTreeSet::new();
        for (process, _) in tool_calls.processes_of(no, processes).filter(|(_, binding)| is_sure(binding)) {
            caused.extend(process.execs.iter().map(|exec| (exec.at, exec.event)));
        }
        let effects = tool_calls.effects_of(no).filter(|effect| effect.binding.as_ref().is_some_and(is_sure));
        caused.extend(effects.map(|effect| (effect.at, effect.event)));
        for (at, event) in caused.into_iter().filter(|(at, _)| *at >= fact.at) {
            let (from, to) = (event_node(&fact.id), event_node(&event));
            let (kind, event) = (EdgeKind::LlmIntentCaused, Some(fact.id));
            self.see(Side::Downstream, Sighting { kind, from, to, at, event, access: None });
        }
    }
}

fn is_sure(binding: &Binding) -> bool {
    binding.state == BindingState::Bound
}

/// The calls of models among the facts, as causes.
pub(super) fn tell(near: &Neighbourhood<'_>, lines: &mut Vec<String>) {
    let calls = near.facts.iter().filter(|(_, fact): &(&Seq, &Fact)| model_call(fact).is_some());
    lines.extend(calls.map(|(_, fact)| format!("   <- asked for by {} ({})", sentence(fact), fact.id)));
}
