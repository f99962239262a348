//! `agentprov hook`.

use crate::failure::{CommandResult, Failure};
use agentprov_ingest::hooks::{self, CarryError};
use agentprov_model::EventTime;
use agentprov_model::declared::{Agent, TraceParent};
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Variable with the W3C trace context of whoever started the hook.
const TRACEPARENT: &str = "TRACEPARENT";

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
    let words: Vec<_> = std::env::args_os().skip(1).take(3).collect();
    let [command, agent] = words.as_slice() else { return None };
    let agent = Agent::from_name(agent.to_str()?).filter(|_| command == "hook")?;
    let data_dir = std::env::var_os("AGENTPROV_DATA_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    Some(Hook { agent: AgentName(agent), complain: false }.answer(data_dir.as_deref()))
}

impl Hook {
    pub(crate) fn run(&self, data_dir: Option<&Path>) -> CommandResult {
        Ok(self.answer(data_dir))
    }

    fn answer(&self, data_dir: Option<&Path>) -> ExitCode {
        let at = hooks::wall_clock();
        if !self.complain {
            std::panic::set_hook(Box::new(|_| {}));
        }
        let carried = std::panic::catch_unwind(|| self.carry(data_dir, at));
        if let (Ok(Err(error)), true) = (carried, self.complain) {
            Failure::new(error.to_string()).report();
        }
        ExitCode::SUCCESS
    }

    fn carry(&self, data_dir: Option<&Path>, at: EventTime) -> Result<(), CarryError> {
        let trace = std::env::var(TRACEPARENT).ok().and_then(|text| text.parse::<TraceParent>().ok());
        hooks::carry(self.agent.0, data_dir, std::io::stdin().lock(), trace, at)
    }
}
