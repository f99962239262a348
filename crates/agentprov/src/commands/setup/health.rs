//! Whether hooks that were set up can still be called.

use super::agent::{AgentSettings, Homes, Scope};
use super::file::SettingsFile;
use super::target::{self, Agent};
use super::{hooks, json};
use crate::failure::Failure;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// How hooks in one settings file are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HookState {
    /// Every event calls a program that is there.
    Alive,
    /// Some events have no hook, or something keeps hooks from running.
    Partial,
    /// What they call can't be run: the agent works on and tells nobody.
    Dead,
}

/// What was found in one settings file.
#[derive(Debug)]
pub(crate) struct Health {
    pub(crate) agent: &'static str,
    pub(crate) state: HookState,
    pub(crate) detail: String,
    pub(crate) way_out: Option<String>,
}

/// Every settings file of an agent that has hooks of ours, or that can't be read.
pub(crate) fn health() -> Result<Vec<Health>, Failure> {
    let homes = Homes::of_environment();
    let mut found = Vec::new();
    for agent in Agent::ALL {
        let settings = AgentSettings::of(agent);
        let mut seen = None;
        for scope in [Scope::User, Scope::Project] {
            let Some(path) = target::file(settings, scope, &homes)? else { continue };
            // In the home folder both scopes name one file.
            if seen.as_ref() == Some(&path) {
                continue;
            }
            found.extend(examine(settings, scope, &path));
            seen = Some(path);
        }
    }
    Ok(found)
}

fn examine(settings: &AgentSettings, scope: Scope, path: &Path) -> Option<Health> {
    let agent = settings.agent.name();
    let again = format!("agentprov setup {agent} --{}", scope.name());
    let report = |state, detail: String, way_out: Option<String>| {
        Some(Health { agent, state, detail: format!("{}: {detail}", path.display()), way_out })
    };
    let file = match SettingsFile::read(path.to_owned()) {
        Ok(file) => file,
        Err(failure) => {
            // The failure names the file itself.
            let said = failure.to_string();
            let prefix = format!("{}: ", path.display());
            let detail = said.strip_prefix(&prefix).unwrap_or(&said).to_owned();
            return report(HookState::Partial, detail, Some(format!("make it readable, then: {again}")));
        }
    };
    let text = file.text?;
    let root = match json::parse(&text) {
        Ok(root) => root,
        Err(_) if text.trim().is_empty() => return None,
        Err(error) => {
            return report(
                HookState::Partial,
                format!("can't be read: {error}"),
                Some(format!("repair the file, then: {again}")),
            );
        }
    };
    let ours = hooks::find(settings, &root);
    let programs: BTreeSet<&str> = ours.iter().map(|found| found.program.as_str()).collect();
    let first = *programs.first()?;
    for program in &programs {
        if let Some(why) = not_callable(Path::new(program)) {
            return report(HookState::Dead, format!("hooks call {program}, which {why}"), Some(again));
        }
    }
    let off = (settings.switched_off)(&root, &file.real);
    if !off.is_empty() {
        return report(HookState::Partial, off.join("; "), None);
    }
    let (there, all) = (ours.len(), settings.events.len());
    if !hooks::complete(settings, &root, first) {
        return report(
            HookState::Partial,
            format!("{there} hooks, of {all} events; others than setup writes"),
            Some(again),
        );
    }
    report(HookState::Alive, format!("{all} events call {first}"), None)
}

fn not_callable(program: &Path) -> Option<&'static str> {
    match program.metadata() {
        Err(_) => Some("is not there"),
        Ok(metadata) if !metadata.is_file() => Some("is no file"),
        Ok(metadata) if metadata.permissions().mode() & 0o111 == 0 => Some("is not executable"),
        Ok(_) => None,
    }
}
