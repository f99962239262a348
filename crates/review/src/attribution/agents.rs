//! Agents that are known by name: their programs, their accounts and the trailers that they write.

use crate::attribution::claim::Author;

/// What gives an agent away. Whole identities are compared, never parts of words.
struct Agent {
    name: &'static str,
    programs: &'static [&'static str],
    /// Addresses in `Co-authored-by` trailers and of authors.
    addresses: &'static [&'static str],
    /// Names of authors.
    accounts: &'static [&'static str],
    /// Trailers that only this agent writes.
    trailers: &'static [&'static str],
}

const AGENTS: &[Agent] = &[
    Agent {
        name: "claude-code",
        programs: &["claude"],
        addresses: &["noreply@anthropic.com"],
        accounts: &["claude[bot]"],
        trailers: &["claude-session"],
    },
    Agent {
        name: "cursor",
        programs: &["cursor-agent"],
        addresses: &["cursoragent@cursor.com"],
        accounts: &["cursor[bot]"],
        trailers: &[],
    },
    Agent {
        name: "github-copilot",
        programs: &["copilot"],
        addresses: &["223556219+copilot@users.noreply.github.com", "198982749+copilot@users.noreply.github.com"],
        accounts: &["copilot-swe-agent[bot]"],
        trailers: &["agent-logs-url"],
    },
    Agent {
        name: "codex",
        programs: &["codex"],
        addresses: &["noreply@openai.com"],
        accounts: &["chatgpt-codex-connector[bot]"],
        trailers: &[],
    },
    Agent {
        name: "gemini-cli",
        programs: &["gemini"],
        addresses: &["218195315+gemini-cli@users.noreply.github.com"],
        accounts: &["gemini-cli[bot]", "gemini-code-assist[bot]"],
        trailers: &[],
    },
    Agent { name: "aider", programs: &["aider"], addresses: &["aider@aider.chat"], accounts: &[], trailers: &[] },
    Agent {
        name: "devin",
        programs: &["devin"],
        addresses: &["158243242+devin-ai-integration[bot]@users.noreply.github.com"],
        accounts: &["devin-ai-integration[bot]"],
        trailers: &[],
    },
    Agent {
        name: "jules",
        programs: &["jules"],
        addresses: &["161369871+google-labs-jules[bot]@users.noreply.github.com"],
        accounts: &["google-labs-jules[bot]"],
        trailers: &[],
    },
];

/// Other spellings under which agents appear in records and trailers.
const SPELLINGS: &[(&str, &str)] = &[
    ("claude", "claude-code"),
    ("claude code", "claude-code"),
    ("claude_code", "claude-code"),
    ("copilot", "github-copilot"),
    ("github copilot", "github-copilot"),
    ("cursor-agent", "cursor"),
    ("gemini", "gemini-cli"),
    ("gemini cli", "gemini-cli"),
    ("openai codex", "codex"),
    ("codex-cli", "codex"),
];

/// One name for each agent that is known under several.
pub(crate) fn agent_name(given: &str) -> String {
    let lower = given.trim().to_ascii_lowercase();
    let known = SPELLINGS.iter().find(|(spelling, _)| *spelling == lower).map(|(_, name)| *name);
    let known = known.or_else(|| AGENTS.iter().map(|agent| agent.name).find(|name| *name == lower));
    known.map_or_else(|| given.trim().to_owned(), str::to_owned)
}

/// The agent that a recorded command is, or the command.
pub(crate) fn agent_of_program(program: &str) -> Author {
    let name = program.rsplit('/').next().unwrap_or(program);
    match AGENTS.iter().find(|agent| agent.programs.contains(&name)) {
        Some(agent) => Author::Agent(agent.name.to_owned()),
        None => Author::Command(name.to_owned()),
    }
}

/// The agent with this address.
pub(super) fn agent_of_address(address: &str) -> Option<&'static str> {
    let lower = address.trim().to_ascii_lowercase();
    AGENTS.iter().find(|agent| agent.addresses.contains(&lower.as_str())).map(|agent| agent.name)
}

/// The agent with this account.
pub(super) fn agent_of_account(account: &str) -> Option<&'static str> {
    let lower = account.trim().to_ascii_lowercase();
    AGENTS.iter().find(|agent| agent.accounts.contains(&lower.as_str())).map(|agent| agent.name)
}

/// The agent that alone writes this trailer; its key in lower case.
pub(super) fn agent_of_trailer(key: &str) -> Option<&'static str> {
    AGENTS.iter().find(|agent| agent.trailers.contains(&key)).map(|agent| agent.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_identities_are_compared() {
        assert_eq!(agent_of_address("NoReply@Anthropic.com"), Some("claude-code"));
        assert_eq!(agent_of_address("noreply@anthropic.com.example.org"), None);
        assert_eq!(agent_of_account("bardeen"), None);
        assert_eq!(agent_of_program("/usr/local/bin/claude"), Author::Agent("claude-code".into()));
        assert_eq!(agent_of_program("claudette"), Author::Command("claudette".into()));
        assert_eq!(agent_name("GitHub Copilot"), "github-copilot");
        assert_eq!(agent_name("MyBot"), "MyBot");
    }
}
