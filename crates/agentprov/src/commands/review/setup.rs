//! The policy of a review.

use crate::context::Context;
use crate::failure::Failure;
use agentprov_model::EventTime;
use agentprov_review::change::{Change, Origin, Repository};
use agentprov_review::governance::{Policy, Waiver, Waivers};
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
    Ok(context.location()?.dir.join(Waivers::LOCAL_FILE))
}

/// Settings of the file, then of the environment; and the waivers that hold.
pub(super) fn policy(
    context: &Context,
    repository: Option<&Repository>,
    change: &Change,
    file: Option<&Path>,
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
    let mut waivers = parse(Policy::WAIVER_FILE, at_base(repository, change, Policy::WAIVER_FILE)?)?;
    let local = local_waivers(context)?;
    if local.is_file() {
        waivers.extend(parse(&local.display().to_string(), Some(read(&local)?))?);
    }
    policy.waivers = Waivers::active_at(waivers, now);
    Ok(policy)
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

fn parse(name: &str, text: Option<String>) -> Result<Vec<Waiver>, Failure> {
    let Some(text) = text else { return Ok(Vec::new()) };
    Waivers::parse(&text).map_err(|error| {
        Failure::usage(format!("{name}: {error}")).hint("mend or remove that line; no waiver is passed over")
    })
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| Failure::usage(format!("{}: {error}", file.display())))
}

/// A file as it is before the change, so that a change does not bring the rules by which it is judged.
fn at_base(repository: Option<&Repository>, change: &Change, name: &str) -> Result<Option<String>, Failure> {
    let Some(repository) = repository else { return Ok(None) };
    let base = match &change.origin {
        Origin::Range { base, .. } => Some(base.as_str()),
        Origin::Staged { base } | Origin::Worktree { base } => base.as_deref(),
        Origin::Diff | Origin::Payload { .. } => Some("HEAD"),
    };
    let Some(base) = base else { return Ok(None) };
    text_at(repository, base, name)
}

fn text_at(repository: &Repository, base: &str, name: &str) -> Result<Option<String>, Failure> {
    let bytes = repository.file_at(base, &name.into()).map_err(|error| super::unreadable(&error))?;
    let Some(bytes) = bytes else { return Ok(None) };
    let text = String::from_utf8(bytes.to_vec());
    text.map(Some).map_err(|_| Failure::usage(format!("{name} at {base} is no UTF-8")))
}
