//! `agentprov setup`: hooks put into the settings of agents, and taken out again.

mod agent;
mod claude;
mod codex;
mod cursor;
mod diff;
mod file;
mod gemini;
mod health;
mod hooks;
mod json;
mod receipt;
mod target;

pub(crate) use health::{Health, HookState, health};

use crate::failure::{CommandResult, Failure};
use crate::render::{GOOD, QUIET, UNSURE, styled};
use agent::{AgentSettings, Homes, Scope};
use clap::Args;
use file::SettingsFile;
use hooks::Installed;
use json::SyntaxError;
use receipt::{Before, Receipt};
use std::io::Write;
use std::process::ExitCode;

/// Makes an agent tell agentprov what it does: puts `agentprov hook AGENT` into its settings for every event that it
/// has hooks for. Shows the change first; what is in the settings stays as it is.
#[derive(Args, Debug)]
pub(crate) struct Setup {
    /// Whose settings
    #[arg(value_enum)]
    agent: target::Agent,
    /// The settings of the user, for all projects (the default)
    #[arg(long, conflicts_with = "project")]
    user: bool,
    /// The settings of this project: of the git work tree around this folder, else of the folder
    #[arg(long)]
    project: bool,
    /// Show the change and make none
    #[arg(long)]
    dry_run: bool,
    /// Take the hooks out again
    #[arg(long)]
    remove: bool,
}

/// What becomes of a settings file.
enum Change {
    Nothing,
    Write(Installed, Before),
    /// Back to a text without ours.
    Restore(String),
    Delete(Before),
}

impl Setup {
    pub(crate) fn run(self) -> CommandResult {
        let settings = AgentSettings::of(self.agent);
        let scope = if self.project { Scope::Project } else { Scope::User };
        let path = target::file(settings, scope, &Homes::of_environment())?
            .ok_or_else(|| Failure::new("the home folder is not known").hint("set HOME, or use --project"))?;
        let file = SettingsFile::read(path)?;
        let refused = |error: SyntaxError| {
            Failure::new(format!("{}:{error}; the file was left as it is", file.named.display()))
                .hint("repair the file, then run the command again")
        };
        let change = if self.remove {
            removal(settings, &file).map_err(refused)?
        } else {
            installation(settings, &file, &target::program()?).map_err(refused)?
        };
        self.show(&file, &change)?;
        if !self.dry_run {
            carry_out(&file, &change)?;
        }
        self.say_done(settings, scope, &file, &change)
    }

    fn show(&self, file: &SettingsFile, change: &Change) -> Result<(), Failure> {
        let after = match change {
            Change::Nothing => return Ok(()),
            Change::Write(installed, _) => Some(installed.text.as_str()),
            Change::Restore(text) => Some(text.as_str()),
            Change::Delete(_) => None,
        };
        let mut out = anstream::stdout().lock();
        Ok(diff::print(&mut out, &file.named, file.text.as_deref(), after)?)
    }

    fn say_done(&self, settings: &AgentSettings, scope: Scope, file: &SettingsFile, change: &Change) -> CommandResult {
        let (title, path) = (settings.title, file.named.display());
        let done = match (change, self.remove) {
            (Change::Nothing, true) => format!("{title}: no hooks of agentprov in {path}"),
            (Change::Nothing, false) => format!("{title}: hooks are set up already in {path}"),
            _ if self.dry_run => format!("{title}: nothing was changed (--dry-run)"),
            (Change::Delete(_), _) => format!("{title}: {path} held nothing else and was removed"),
            (_, true) => format!("{title}: hooks were taken out of {path}"),
            (_, false) => format!("{title}: hooks for {} events are in {path}", settings.events.len()),
        };
        let mut out = anstream::stdout().lock();
        writeln!(out, "{}", styled(GOOD, done))?;
        if file.real != file.named && file.named.is_symlink() && !matches!(change, Change::Nothing) {
            writeln!(out, "{}", styled(QUIET, format!("the file is a link to {}", file.real.display())))?;
        }
        if self.remove {
            return Ok(ExitCode::SUCCESS);
        }
        for line in (settings.advice)(scope) {
            writeln!(out, "{line}")?;
        }
        if scope == Scope::Project {
            writeln!(out, "the hooks name this machine's agentprov by its path: think before you commit the file")?;
        }
        let text = file.text.as_deref().unwrap_or("{}");
        if let Ok(root) = json::parse(text) {
            for line in (settings.switched_off)(&root, &file.real) {
                writeln!(out, "{}", styled(UNSURE, format!("note: {line}")))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn installation(settings: &AgentSettings, file: &SettingsFile, program: &str) -> Result<Change, SyntaxError> {
    if let Some(text) = file.text.as_deref().filter(|text| !text.trim().is_empty())
        && hooks::complete(settings, &json::parse(text)?, program)
    {
        return Ok(Change::Nothing);
    }
    let before = before(settings, file)?;
    let installed = hooks::install(settings, before.text.as_deref().unwrap_or_default(), program)?;
    Ok(Change::Write(installed, before))
}

fn removal(settings: &AgentSettings, file: &SettingsFile) -> Result<Change, SyntaxError> {
    let Some(text) = file.text.as_deref() else { return Ok(Change::Nothing) };
    if text.trim().is_empty() || hooks::find(settings, &json::parse(text)?).is_empty() {
        return Ok(Change::Nothing);
    }
    let before = before(settings, file)?;
    Ok(match before.text {
        Some(text) => Change::Restore(text),
        None => Change::Delete(before),
    })
}

/// The file without our hooks: as the receipt has it, else what is left when they are taken out.
fn before(settings: &AgentSettings, file: &SettingsFile) -> Result<Before, SyntaxError> {
    let Some(text) = file.text.as_deref() else { return Ok(Before { text: None, folders: Vec::new() }) };
    if let Some(before) = Receipt::load(&file.real).and_then(|receipt| receipt.before(text)) {
        return Ok(before);
    }
    let text = if text.trim().is_empty() { text.to_owned() } else { hooks::remove(settings, text)? };
    Ok(Before { text: Some(text), folders: Vec::new() })
}

fn carry_out(file: &SettingsFile, change: &Change) -> Result<(), Failure> {
    match change {
        Change::Nothing => {}
        Change::Write(installed, before) => {
            let mut folders = before.folders.clone();
            folders.extend(file.write(&installed.text)?);
            let text = before.text.as_deref();
            // A new file may be named through a folder that is a link; its receipt is found by where it really is.
            let real = file.real.canonicalize().unwrap_or_else(|_| file.real.clone());
            Receipt::new(&file.named, text, &installed.text, installed.insertions.clone(), folders).save(&real);
        }
        Change::Restore(text) => {
            file.write(text)?;
            Receipt::forget(&file.real);
        }
        Change::Delete(before) => {
            file.delete(&before.folders)?;
            Receipt::forget(&file.real);
        }
    }
    Ok(())
}
