//! Hooks of agents: from a message on standard input to facts of a run.
//!
//! A hook must not make its agent wait. So the hook itself never opens the database: it understands the message,
//! takes secrets out, and writes one record into the [`spool`]. Whoever writes to or reads the store next [`drain()`]s the
//! spool into the run that the hook's process belongs to.

pub mod anchor;
pub mod carry;
mod claude;
mod codex;
mod copilot;
mod cursor;
pub mod drain;
mod events;
mod fields;
mod gemini;
mod patch;
pub mod shapes;
pub mod spool;
mod tools;

pub use carry::{CarryError, carry};
pub(crate) use drain::own_run;
pub use drain::{DrainError, Drained, drain, drain_into};
pub use spool::{Spool, SpoolError};

use agentprov_model::EventTime;
use agentprov_model::declared::{Agent, CommandKey, Declared, Deed};
use fields::Fields;
use serde_json::{Map, Value};
use std::time::{SystemTime, UNIX_EPOCH};

/// Now, for hooks and drains: a hook has no recorder's clock at hand.
pub fn wall_clock() -> EventTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    EventTime::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// Understands one message of an agent. There is no failure: what can't be read is declared as unreadable.
///
/// The result is not redacted yet: see [`crate::Redactor::redact`].
pub fn declare(agent: Agent, message: &[u8], key: &CommandKey) -> Declared {
    let mut fields = match Fields::parse(message, key) {
        Ok(fields) => fields,
        Err(why) => return unreadable(agent, why, message, key),
    };
    let mut declared = match agent {
        Agent::Claude => claude::declare(&mut fields),
        Agent::Codex => codex::declare(&mut fields),
        Agent::Gemini => gemini::declare(&mut fields),
        Agent::Cursor => cursor::declare(&mut fields),
        Agent::Copilot => copilot::declare(&mut fields),
        Agent::Other => claude::declare_for(agent, &mut fields),
    };
    declared.other = fields.rest();
    declared
}

/// Understands what another vantage tells of any agent, put into the form of Claude Code's messages.
pub(crate) fn declare_told(agent: Agent, told: Map<String, Value>, key: &CommandKey) -> Declared {
    let mut fields = Fields::of(told, key);
    let mut declared = claude::declare_for(agent, &mut fields);
    declared.other = fields.rest();
    declared
}

fn unreadable(agent: Agent, why: String, message: &[u8], key: &CommandKey) -> Declared {
    Declared {
        agent,
        session: None,
        turn: None,
        subagent: None,
        event: String::new(),
        cwd: None,
        model: None,
        deed: Deed::Unreadable { why, message: key.text(message) },
        other: Default::default(),
        anchor: None,
        trace: None,
    }
}
