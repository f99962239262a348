//! `agentprov hook`.

use crate::failure::{CommandResult, Failure};
use crate::hook_message::{self, Faults};
use agentprov_model::declared::Agent;
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use std::path::Path;
use std::process::ExitCode;

/// Takes one message of an agent's hook from standard input. Prints nothing, ends with 0 whatever happens, and never
/// opens the database: the message waits in a spool until the recorder or the next command takes it.
#[derive(Args, Debug)]
pub(crate) struct Hook {
    /// Whose hook it is
    agent: AgentName,
    /// Say on standard error why a message was not kept
    #[arg(long)]
    complain: bool,
}

#[derive(Clone, Copy, Debug)]
struct AgentName(Agent);

impl ValueEnum for AgentName {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [AgentName; 5] = [
            AgentName(Agent::Claude),
            AgentName(Agent::Codex),
            AgentName(Agent::Gemini),
            AgentName(Agent::Cursor),
            AgentName(Agent::Copilot),
        ];
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()))
    }
}

/// `agentprov hook AGENT` and nothing else on the line.
pub(crate) fn short_way() -> Option<ExitCode> {
    let agent = hook_message::agent_of_line()?;
    let data_dir = hook_message::data_dir_of_environment();
    let _kept_or_not = hook_message::take(agent, data_dir.as_deref(), Faults::Silent);
    Some(ExitCode::SUCCESS)
}

impl Hook {
    pub(crate) fn run(&self, data_dir: Option<&Path>) -> CommandResult {
        let faults = if self.complain { Faults::Told } else { Faults::Silent };
        if let (Err(error), true) = (hook_message::take(self.agent.0, data_dir, faults), self.complain) {
            Failure::new(error.to_string()).report();
        }
        Ok(ExitCode::SUCCESS)
    }
}
