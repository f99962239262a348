//! The policy and the detectors of a review.

use crate::context::Context;
use crate::failure::Failure;
use agentprov_model::EventTime;
use agentprov_review::change::{Change, Origin, Repository};
use agentprov_review::detect::builtin::RuleError;
use agentprov_review::detect::semgrep::{self, RuleSnapshot};
use agentprov_review::detect::{Builtin, Registry, RulePack, Semgrep};
use agentprov_review::governance::{Policy, Waiver, Waivers};
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Threads of the built-in engine at most.
const MAX_THREADS: usize = 8;

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
    let mut policy = Policy::default();
    let (name, text) = match file {
        Some(file) => (file.display().to_string(), Some(read(file)?)),
        None => (Policy::FILE.to_owned(), at_base(repository, change, Policy::FILE)?),
    };
    if let Some(text) = text {
        policy.apply_file(&text).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
    }
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
    let bytes = repository.file_at(base, &name.into()).map_err(|error| super::unreadable(&error))?;
    let Some(bytes) = bytes else { return Ok(None) };
    let text = String::from_utf8(bytes.to_vec());
    text.map(Some).map_err(|_| Failure::usage(format!("{name} at {base} is no UTF-8")))
}

/// The built-in engine, and Semgrep where it is there or asked for.
pub(super) fn detectors(rules: Option<&Path>, semgrep: &str) -> Result<Registry, Failure> {
    let mut registry = Registry::default();
    let pack = match rules {
        Some(folder) => RulePack::with_folder(folder),
        None => RulePack::default_rules(),
    };
    let pack = pack.map_err(|error: RuleError| Failure::usage(error.to_string()))?;
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MAX_THREADS);
    registry.register(Box::new(Builtin::new(pack, NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN))));
    let asked = match semgrep {
        "off" => return Ok(registry),
        "auto" => setting("PROVENANCE_SEMGREP_CONFIG_PATH").or_else(|| setting("PROVENANCE_SEMGREP_RULES_PATH")),
        config => Some(config.to_owned()),
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let program = match (Semgrep::find(&path), &asked) {
        (Some(program), _) => program,
        (None, None) => return Ok(registry),
        (None, Some(_)) => {
            return Err(Failure::usage("semgrep is asked for and not installed")
                .hint("install semgrep, or review with --semgrep off"));
        }
    };
    let rules = match asked {
        Some(config) => RuleSnapshot::read(&config).map_err(|error| Failure::usage(error.to_string()))?,
        None => RuleSnapshot::own(),
    };
    registry.register(Box::new(Semgrep::new(program, rules, semgrep::DEFAULT_LIMITS)));
    Ok(registry)
}

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
