//! Codex: messages in the form of Claude Code, with turns of its own.

use super::claude;
use super::events::{Common, SNAKE, begin, turn_ended};
use super::fields::Fields;
use agentprov_model::declared::{Agent, Declared};

const COMMON: Common = Common { turn: "turn_id", ..SNAKE };

pub(super) fn declare(fields: &mut Fields<'_>) -> Declared {
    let mut declared = begin(Agent::Codex, &COMMON, fields);
    declared.deed = match declared.event.as_str() {
        "Interrupt" => turn_ended("last_assistant_message", true, fields),
        _ => claude::deed(&declared, fields),
    };
    declared
}
