//! Which agent's settings, and the file that they are in.

use super::agent::{AgentSettings, Homes, Scope};
use crate::context::current_dir;
use crate::failure::Failure;
use agentprov_model::declared::HOOK_NAME;
use clap::ValueEnum;
use std::path::{Path, PathBuf};

/// Agents whose settings can be edited.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Agent {
    /// Claude Code
    Claude,
    /// Codex
    Codex,
    /// Gemini CLI
    Gemini,
    /// Cursor
    Cursor,
}

impl Agent {
    pub(super) const ALL: [Self; 4] = [Self::Claude, Self::Codex, Self::Gemini, Self::Cursor];

    /// The name as it stands on the command line.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Cursor => "cursor",
        }
    }
}

/// The settings file of an agent for a scope; None where the user has no home.
pub(super) fn file(settings: &AgentSettings, scope: Scope, homes: &Homes) -> Result<Option<PathBuf>, Failure> {
    match scope {
        Scope::User => Ok((settings.user_file)(homes)),
        Scope::Project => Ok(Some(project(&current_dir()?).join(settings.project_file))),
    }
}

/// Top of the git work tree around the folder, else the folder itself.
fn project(folder: &Path) -> &Path {
    folder.ancestors().find(|dir| dir.join(".git").exists()).unwrap_or(folder)
}

/// The file that agents will call: the program that takes hooks and nothing else where it lies beside this one, else
/// this one.
pub(super) fn program() -> Result<String, Failure> {
    let own = std::env::current_exe()
        .map_err(|error| Failure::new(format!("the path of this program is not known: {error}")))?;
    let small = own.with_file_name(HOOK_NAME);
    let path = if small.is_file() { small } else { own };
    let text = path.to_str().map(str::to_owned);
    let text = text.ok_or_else(|| {
        Failure::new(format!("{}: settings can't hold this path, it is not UTF-8", path.display()))
            .hint("install agentprov under a path that is UTF-8")
    })?;
    if path.is_file() {
        return Ok(text);
    }
    Err(Failure::new(format!("{text} is gone: this program's file was removed or replaced while it runs"))
        .hint("run the installed agentprov again"))
}
