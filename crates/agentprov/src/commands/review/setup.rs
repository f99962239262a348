//! The policy of a review.

use super::keys_of;
use crate::context::Context;
use crate::failure::Failure;
use agentprov_model::EventTime;
use agentprov_review::change::{Change, Origin, Repository, RepositoryId};
use agentprov_review::governance::{Policy, WaiverFile, Waivers};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The time.
pub(super) fn now() -> EventTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    EventTime::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// Waivers that are kept beside the store: those of whoever works on this machine.
pub(super) fn local_waivers(context: &Context) -> Result<PathBuf, Failure> {
    Ok(context.location()?.dir.join(WaiverFile::LOCAL))
}

/// Settings of the file, then of the environment; and the waivers that hold.
pub(super) fn policy(
    context: &Context,
    repository: Option<&Repository>,
    change: &Change,
    (file, waiver_keys): (Option<&Path>, &[PathBuf]),
    now: EventTime,
) -> Result<Policy, Failure> {
    let mut policy = match file {
        Some(file) => of_file(file)?,
        None => of_text(Policy::FILE, at_base(repository, change, Policy::FILE)?)?,
    };
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let unknown = policy.apply_environment(variables).map_err(|error| Failure::usage(error.to_string()))?;
    for name in unknown {
        let _ = writeln!(anstream::stderr(), "warning: {name} is no setting that is known; it has no effect");
    }
    for file in waiver_keys {
        policy.waiver_keys.extend(keys_of(file)?.iter().map(ToString::to_string));
    }
    policy.waivers = waivers(context, repository, change, &policy, now)?;
    Ok(policy)
}

/// The waivers of the repository and of this machine that hold.
fn waivers(
    context: &Context,
    repository: Option<&Repository>,
    change: &Change,
    policy: &Policy,
    now: EventTime,
) -> Result<Waivers, Failure> {
    let local = local_waivers(context)?;
    let failed = |error: std::io::Error| Failure::usage(format!("{}: {error}", local.display()));
    let shared = WaiverFile::new(at_base(repository, change, Policy::WAIVER_FILE)?.unwrap_or_default());
    let files = [
        (Policy::WAIVER_FILE.to_owned(), shared),
        (local.display().to_string(), WaiverFile::read(&local).map_err(failed)?),
    ];
    // Without a waiver nobody is asked for keys and history.
    if files.iter().all(|(_, file)| file.is_empty()) {
        return Ok(Waivers::default());
    }
    let mut keys = policy.waiver_verifiers();
    if context.location()?.exists() {
        keys.push(context.store()?.signer()?.verifier());
    }
    let mut words = Vec::new();
    for (name, file) in files {
        let more = file.words(&keys).map_err(|error| {
            Failure::usage(format!("{name}: {error}")).hint("mend or remove that line; no waiver is passed over")
        });
        words.extend(more?);
    }
    let here = match repository {
        None => Some(RepositoryId::Nowhere),
        Some(repository) => match base_of(change) {
            Some(base) => repository.identity(base).map_err(|error| super::unreadable(&error))?,
            None => None,
        },
    };
    Ok(Waivers::active_at(words, here.as_ref(), now))
}

/// The settings that a file makes.
pub(super) fn of_file(file: &Path) -> Result<Policy, Failure> {
    of_text(&file.display().to_string(), Some(read(file)?))
}

/// The settings of the repository's own file at a commit.
pub(super) fn at_commit(repository: &Repository, commit: &str) -> Result<Policy, Failure> {
    of_text(Policy::FILE, text_at(repository, commit, Policy::FILE)?)
}

fn of_text(name: &str, text: Option<String>) -> Result<Policy, Failure> {
    let mut policy = Policy::default();
    if let Some(text) = text {
        policy.apply_file(&text).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
    }
    Ok(policy)
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| Failure::usage(format!("{}: {error}", file.display())))
}

/// A file as it is before the change, so that a change does not bring the rules by which it is judged.
fn at_base(repository: Option<&Repository>, change: &Change, name: &str) -> Result<Option<String>, Failure> {
    let (Some(repository), Some(base)) = (repository, base_of(change)) else { return Ok(None) };
    text_at(repository, base, name)
}

/// The commit from which a change starts.
fn base_of(change: &Change) -> Option<&str> {
    match &change.origin {
        Origin::Range { base, .. } => Some(base),
        Origin::Staged { base } | Origin::Worktree { base } => base.as_deref(),
        Origin::Diff | Origin::Payload { .. } => Some("HEAD"),
    }
}

fn text_at(repository: &Repository, base: &str, name: &str) -> Result<Option<String>, Failure> {
    let bytes = repository.file_at(base, &name.into()).map_err(|error| super::unreadable(&error))?;
    let Some(bytes) = bytes else { return Ok(None) };
    let text = String::from_utf8(bytes.to_vec());
    text.map(Some).map_err(|_| Failure::usage(format!("{name} at {base} is no UTF-8")))
}
