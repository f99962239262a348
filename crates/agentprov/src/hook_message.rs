//! One message of an agent's hook, from standard input into the spool. Shared by the program and by the one that does
//! nothing else.

use agentprov_ingest::hooks::{self, CarryError};
use agentprov_model::declared::{Agent, HOOK_ARGUMENT, TraceParent};
use std::path::{Path, PathBuf};

/// Variable with the W3C trace context of whoever started the hook.
const TRACEPARENT: &str = "TRACEPARENT";

/// The agent, where the line is `hook AGENT` and nothing else.
pub(crate) fn agent_of_line() -> Option<Agent> {
    let words: Vec<_> = std::env::args_os().skip(1).take(3).collect();
    let [command, agent] = words.as_slice() else { return None };
    Agent::from_name(agent.to_str()?).filter(|_| command == HOOK_ARGUMENT)
}

/// The store that the environment names.
pub(crate) fn data_dir_of_environment() -> Option<PathBuf> {
    std::env::var_os("AGENTPROV_DATA_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from)
}

/// Takes the message, and says nothing: whatever happens here, the agent goes on.
///
/// # Errors
/// Why it was not kept; a fault of ours counts as kept, since there is nobody who could do better.
pub(crate) fn take(agent: Agent, data_dir: Option<&Path>, faults: Faults) -> Result<(), CarryError> {
    let at = hooks::wall_clock();
    if faults == Faults::Silent {
        std::panic::set_hook(Box::new(|_| {}));
    }
    let carried = std::panic::catch_unwind(|| {
        let trace = std::env::var(TRACEPARENT).ok().and_then(|text| text.parse::<TraceParent>().ok());
        hooks::carry(agent, data_dir, std::io::stdin().lock(), trace, at)
    });
    carried.unwrap_or(Ok(()))
}

/// Whether faults of the program may be printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Faults {
    /// Never: agents show what their hooks print.
    Silent,
    /// On standard error.
    #[allow(dead_code, reason = "the program that takes hooks and nothing else is always silent")]
    Told,
}
