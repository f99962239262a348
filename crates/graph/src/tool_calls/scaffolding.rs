//! What agents start for themselves: hooks, probes, looks at the repository. A table that everybody can read; what it
//! names is shown as such and never left out.

use agentprov_model::OsBytes;
use agentprov_model::declared::{HOOK_ARGUMENT, takes_hooks};

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name.
    pub id: &'static str,
    /// What it is about, for people.
    pub about: &'static str,
    matches: fn(&Command<'_>) -> bool,
}

/// A program with its arguments.
struct Command<'c> {
    /// Last part of the program's path.
    name: &'c str,
    arguments: Vec<&'c str>,
}

/// A hook of ours.
pub const HOOK: Rule = Rule { id: "hook", about: "a hook of agentprov, or the shell that starts it", matches: is_hook };

/// A server behind a relay of ours; what it does is looked at deed by deed.
pub const MCP_SERVER: Rule = Rule {
    id: "mcp_server",
    about: "an MCP server behind agentprov mcp wrap, which lives beside the calls",
    matches: |_| false,
};

/// A fork that ran nothing.
pub const NO_PROGRAM: Rule =
    Rule { id: "no_program", about: "a copy of the agent that ran no program and left no trace", matches: |_| false };

/// The agent's own connections.
pub const AGENT_CONNECTION: Rule = Rule {
    id: "agent_connection",
    about: "the agent's own process connects: to its model, among others",
    matches: |_| false,
};

/// The agent's own files.
pub const AGENT_FILE: Rule = Rule {
    id: "agent_file",
    about: "the agent's own process writes below a folder of its own: settings, sessions, caches",
    matches: |_| false,
};

/// Output that whoever started the recording had redirected.
pub const INHERITED_OUTPUT: Rule = Rule {
    id: "inherited_output",
    about: "the agent writes to a file that was open before the recording began, as redirected output is",
    matches: |_| false,
};

/// Every row, in the order in which they are tried.
pub const RULES: &[Rule] = &[
    HOOK,
    Rule { id: "version_probe", about: "a program is asked for its version only", matches: is_version_probe },
    Rule { id: "shell_snapshot", about: "the agent takes a picture of the user's shell", matches: is_snapshot },
    Rule { id: "git_look", about: "git is asked, and changes nothing", matches: is_git_look },
    Rule { id: "search_engine", about: "the agent's search engine", matches: is_search_engine },
    Rule { id: "process_list", about: "processes are listed", matches: is_process_list },
    Rule { id: "host_probe", about: "the host is asked what it is", matches: is_host_probe },
    MCP_SERVER,
    NO_PROGRAM,
    AGENT_CONNECTION,
    AGENT_FILE,
    INHERITED_OUTPUT,
];

/// Folders below the home of the user in which agents keep what is theirs.
const AGENT_FOLDERS: [&str; 7] =
    ["/.claude/", "/.codex/", "/.gemini/", "/.cursor/", "/.copilot/", "/.cache/", "/.config/"];
/// Begin of the names of files there; drafts and backups have an ending of their own.
const AGENT_FILES: [&str; 1] = [".claude.json"];

/// The row that a program with these arguments falls under.
pub(super) fn of_command(argv: &[OsBytes]) -> Option<Rule> {
    let words: Vec<&str> = argv.iter().map(|word| word.as_str()).collect::<Option<_>>()?;
    let (program, arguments) = words.split_first()?;
    let name = program.rsplit('/').next().unwrap_or(program);
    let command = Command { name, arguments: arguments.to_vec() };
    RULES.iter().find(|rule| (rule.matches)(&command)).copied()
}

/// True for a file that is the agent's own. `workspace` is where it works: nothing in there is.
pub(super) fn is_agent_file(path: &OsBytes, in_workspace: bool) -> bool {
    let Some(path) = path.as_str().filter(|_| !in_workspace) else { return false };
    let name = path.rsplit('/').next().unwrap_or(path);
    let has_name = |file: &&str| name.strip_prefix(*file).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    AGENT_FOLDERS.iter().any(|folder| path.contains(folder))
        || AGENT_FILES.iter().any(has_name)
        || is_claude_draft(path, name)
}

/// What Claude Code keeps in the temporary folder while a shell call runs: its output, and the folder that it ended in.
fn is_claude_draft(path: &str, name: &str) -> bool {
    let ended_in = name.strip_prefix("claude-").and_then(|rest| rest.strip_suffix("-cwd"));
    let is_mark = ended_in.is_some_and(|mark| !mark.is_empty() && mark.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let of_user = |part: &str| {
        let user = part.strip_prefix("claude-").unwrap_or_default();
        !user.is_empty() && user.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_output = name.ends_with(".output") && path.contains("/tasks/") && path.split('/').any(of_user);
    is_mark || is_output
}

fn is_shell(name: &str) -> bool {
    matches!(name.trim_start_matches('-'), "sh" | "bash" | "dash" | "zsh" | "ksh" | "ash" | "fish")
}

fn is_hook(command: &Command<'_>) -> bool {
    takes_hooks(command.name) && command.arguments.first() == Some(&HOOK_ARGUMENT)
}

fn is_version_probe(command: &Command<'_>) -> bool {
    let probe = |argument: &&str| matches!(*argument, "--version" | "-v" | "-V" | "version" | "-version");
    command.arguments.len() == 1 && command.arguments.iter().all(probe)
}

fn is_snapshot(command: &Command<'_>) -> bool {
    let text = command.arguments.last().copied().unwrap_or_default();
    let of_claude = || text.contains("shell-snapshots/") && text.contains("SNAPSHOT_FILE");
    let of_codex = || text.contains("echo '# Snapshot file'") && text.contains("__codex_snapshot_command");
    is_shell(command.name)
        && command.arguments.iter().any(|argument| matches!(*argument, "-c" | "-lc"))
        && (text.trim() == "env" || of_claude() || of_codex() || reads_snapshot(text))
}

/// Codex tries a snapshot before it uses it.
fn reads_snapshot(text: &str) -> bool {
    let path = text.strip_prefix("set -e; . \"").and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
    path.contains("/.codex/shell_snapshots/") && !path.contains(['"', '$', '`', '\n'])
}

fn is_git_look(command: &Command<'_>) -> bool {
    const LOOKS: [&str; 16] = [
        "blame",
        "cat-file",
        "check-ignore",
        "describe",
        "diff",
        "for-each-ref",
        "log",
        "ls-files",
        "ls-tree",
        "merge-base",
        "rev-list",
        "rev-parse",
        "show",
        "show-ref",
        "status",
        "symbolic-ref",
    ];
    if command.name != "git" {
        return false;
    }
    // Options before the subcommand: `-C DIR` and `-c NAME=VALUE` take a word, the others begin with two dashes.
    let mut words = command.arguments.iter().copied();
    while let Some(word) = words.next() {
        match word {
            "-C" | "-c" => {
                words.next();
            }
            option if option.starts_with('-') => {}
            "config" => {
                return command.arguments.iter().any(|word| matches!(*word, "--get" | "--list" | "-l" | "--get-all"))
                    || command.arguments.len() == 2;
            }
            "remote" => return matches!(words.next(), None | Some("-v" | "get-url" | "show")),
            "branch" => return matches!(words.next(), None | Some("--show-current" | "-a" | "--list")),
            "worktree" => return words.next() == Some("list"),
            subcommand => return LOOKS.contains(&subcommand),
        }
    }
    true
}

fn is_search_engine(command: &Command<'_>) -> bool {
    matches!(command.name, "rg" | "ugrep" | "bfs")
}

fn is_process_list(command: &Command<'_>) -> bool {
    match command.arguments.as_slice() {
        // One pipe of `ps` and `grep`, and nothing that could do more.
        ["-c", line] if is_shell(command.name) => {
            let mut parts = unquoted_parts(line).into_iter().map(str::trim_start);
            parts.next().is_some_and(|part| part.starts_with("ps ")) && parts.all(|part| part.starts_with("grep "))
        }
        _ => matches!(command.name, "ps" | "pgrep"),
    }
}

/// The parts of a pipe; nothing for a line that a shell would do more with than run a pipe.
fn unquoted_parts(line: &str) -> Vec<&str> {
    let (mut parts, mut from, mut quoted) = (Vec::new(), 0, false);
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'$' | b'`' | b'\\' => return Vec::new(),
            b'|' if !quoted => {
                parts.push(&line[from..at]);
                from = at + 1;
            }
            b'&' | b';' | b'<' | b'>' | b'(' | b'\n' if !quoted => return Vec::new(),
            _ => {}
        }
    }
    parts.push(&line[from..]);
    parts
}

fn is_host_probe(command: &Command<'_>) -> bool {
    // A probe that is a script runs as its shell.
    let script = command.arguments.first().filter(|path| is_shell(command.name) && path.starts_with('/'));
    matches!(
        script.and_then(|path| path.rsplit('/').next()).unwrap_or(command.name),
        "uname"
            | "which"
            | "whoami"
            | "hostname"
            | "id"
            | "tty"
            | "stty"
            | "locale"
            | "getconf"
            | "lsb_release"
            | "arch"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(argv: &[&str]) -> Option<&'static str> {
        let argv: Vec<OsBytes> = argv.iter().map(|word| OsBytes::from(*word)).collect();
        of_command(&argv).map(|rule| rule.id)
    }

    #[test]
    fn looks_are_scaffolding_and_deeds_are_not() {
        for (argv, id) in [
            (&["/usr/bin/agentprov", "hook", "claude"][..], "hook"),
            (&["/usr/bin/agentprov-hook", "hook", "claude"], "hook"),
            (&["zsh", "--version"], "version_probe"),
            (&["/bin/bash", "-c", "env"], "shell_snapshot"),
            (&["git", "-C", "/w", "status", "--porcelain"], "git_look"),
            (&["git", "config", "--get", "user.name"], "git_look"),
            (&["git", "branch", "--show-current"], "git_look"),
            (&["rg", "--files"], "search_engine"),
            (&["ps", "aux"], "process_list"),
            (&["/bin/sh", "-c", "ps aux | grep -E \"code|idea\" | grep -v grep"], "process_list"),
            (&["uname", "-a"], "host_probe"),
            (&["/bin/sh", "/usr/bin/lsb_release", "-a"], "host_probe"),
            (&["/bin/bash", "-c", "set -e; . \"/home/u/.codex/shell_snapshots/a.tmp-1\""], "shell_snapshot"),
        ] {
            assert_eq!(rule(argv), Some(id), "{argv:?}");
        }
        for argv in [
            &["git", "push"][..],
            &["git", "config", "user.name", "x"],
            &["git", "branch", "-D", "main"],
            &["git", "-c", "status", "commit"],
            &["bash", "-c", "rm -rf x"],
            &["curl", "http://127.0.0.1"],
            &["sh", "-c", "ps aux | grep x > a.txt"],
            &["sh", "-c", "ps aux | sh"],
            &["sh", "uname"],
            &["bash", "-c", "set -e; . \"/home/u/.codex/shell_snapshots/a\"; rm \"x\""],
            &["sh", "-c", "ps aux | grep \"$(rm x)\""],
            &["agentprov", "record"],
        ] {
            assert_eq!(rule(argv), None, "{argv:?}");
        }
    }

    #[test]
    fn nothing_in_the_workspace_is_the_agents_own() {
        let path = OsBytes::from("/home/u/.claude/settings.json");
        assert!(is_agent_file(&path, false) && !is_agent_file(&path, true));
        for own in ["/home/u/.claude.json.tmp.7.ab", "/tmp/claude-12ef-cwd", "/tmp/claude-0/-p/s/tasks/b1.output"] {
            assert!(is_agent_file(&OsBytes::from(own), false), "{own}");
        }
        for other in ["/home/u/p/a.txt", "/home/u/.claude.jsonx", "/tmp/claude-cwd", "/tmp/tasks/b1.output"] {
            assert!(!is_agent_file(&OsBytes::from(other), false), "{other}");
        }
    }
}
