//! agentprov-hook: `agentprov hook AGENT` without the rest of agentprov.
//!
//! An agent waits for its hooks. Most of what a small program takes is its start, and nearly half of the start of `agentprov`
//! is for tables of grammars that no hook needs: `setup` puts this program into settings where it lies beside `agentprov`.

mod hook_message;

use hook_message::Faults;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

const USAGE: &[u8] = b"agentprov-hook: nothing was taken
hint: call it as: agentprov-hook hook AGENT, with the agent's message on standard input
";

fn main() -> ExitCode {
    let Some(agent) = hook_message::agent_of_line() else {
        if std::io::stderr().is_terminal() {
            // There is nobody else to tell.
            let _ = std::io::stderr().write_all(USAGE);
        }
        // Agents take some statuses of their hooks as an order.
        return ExitCode::SUCCESS;
    };
    let data_dir = hook_message::data_dir_of_environment();
    let _kept_or_not = hook_message::take(agent, data_dir.as_deref(), Faults::Silent);
    ExitCode::SUCCESS
}
