//! The engines of a review: which options choose them, and what they are.

use crate::failure::Failure;
use agentprov_review::detect::builtin::RuleError;
use agentprov_review::detect::semgrep::{self, RuleSnapshot};
use agentprov_review::detect::{Builtin, DetectorSetting, Registry, RulePack, Semgrep, Withheld};
use agentprov_review::governance::Policy;
use clap::Args;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// Threads of the built-in engine at most.
const MAX_THREADS: usize = 8;

/// Which engines look at a change.
#[derive(Args, Debug)]
pub(crate) struct Engines {
    /// A folder of rules to use beside the built-in ones
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Semgrep: auto runs it where it is installed, off never, anything else is its rules
    #[arg(long, value_name = "auto|off|CONFIG", default_value = "auto")]
    semgrep: String,
    /// A program that reads the changed files as JSON and writes findings as JSON (docs/detection.md)
    #[arg(long, value_name = "PROGRAM")]
    detector: Vec<PathBuf>,
    /// Run the detectors that the repository's own policy names. Without it each of them is a gap, as whoever reviews a
    /// foreign repository need not want to run what it names
    #[arg(long)]
    run_detectors: bool,
}

impl Engines {
    /// The engines with which a signed decision is computed anew.
    pub(super) fn to_verify(semgrep: bool) -> Self {
        let semgrep = if semgrep { "auto" } else { "off" };
        Self { rules: None, semgrep: semgrep.to_owned(), detector: Vec::new(), run_detectors: false }
    }

    /// The built-in engine; Semgrep where it is there or asked for; the detectors of options and policy.
    pub(crate) fn registry(&self, policy: &Policy, policy_is_given: bool, here: &Path) -> Result<Registry, Failure> {
        let mut registry = Registry::default();
        registry.register(Box::new(self.builtin()?));
        if let Some(semgrep) = self.semgrep()? {
            registry.register(Box::new(semgrep));
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        for program in &self.detector {
            let program = here.join(program).to_string_lossy().into_owned();
            let setting = DetectorSetting::new(None, vec![program], None).map_err(Failure::usage)?;
            registry.register(Box::new(setting.detector(here, &path)));
        }
        for setting in &policy.detectors {
            if policy_is_given || self.run_detectors {
                registry.register(Box::new(setting.detector(here, &path)));
            } else {
                let why = "the policy of the repository names it; --run-detectors lets it run".to_owned();
                registry.register(Box::new(Withheld { setting: setting.clone(), why }));
            }
        }
        Ok(registry)
    }

    fn builtin(&self) -> Result<Builtin, Failure> {
        let pack = match &self.rules {
            Some(folder) => RulePack::with_folder(folder),
            None => RulePack::default_rules(),
        };
        let pack = pack.map_err(|error: RuleError| Failure::usage(error.to_string()))?;
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MAX_THREADS);
        Ok(Builtin::new(pack, NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN)))
    }

    fn semgrep(&self) -> Result<Option<Semgrep>, Failure> {
        let asked = match self.semgrep.as_str() {
            "off" => return Ok(None),
            "auto" => setting("PROVENANCE_SEMGREP_CONFIG_PATH").or_else(|| setting("PROVENANCE_SEMGREP_RULES_PATH")),
            config => Some(config.to_owned()),
        };
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program = match (Semgrep::find(&path), &asked) {
            (Some(program), _) => program,
            (None, None) => return Ok(None),
            (None, Some(_)) => {
                return Err(Failure::usage("semgrep is asked for and not installed")
                    .hint("install semgrep, or review with --semgrep off"));
            }
        };
        let rules = match asked {
            Some(config) => RuleSnapshot::read(&config).map_err(|error| Failure::usage(error.to_string()))?,
            None => RuleSnapshot::own(),
        };
        Ok(Some(Semgrep::new(program, rules, semgrep::DEFAULT_LIMITS)))
    }
}

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
