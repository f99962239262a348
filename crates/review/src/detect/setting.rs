//! A detector of the user's as a policy or an option names it.

use crate::detect::capability::Capability;
use crate::detect::custom::{Custom, DEFAULT_LIMITS};
use crate::detect::gap::{CoverageGap, GapReason};
use crate::detect::input::ScanFile;
use crate::detect::process;
use crate::detect::registry::{Detector, Scan};
use crate::detect::{Limits, builtin, semgrep};
use crate::finding::Engine;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest time that a setting may give.
const MAX_SECONDS: u64 = 600;

/// A detector as it is named.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectorSetting {
    /// Under which it reports.
    pub name: String,
    /// The program, by absolute path or by a name that `PATH` finds, and its arguments.
    pub command: Vec<String>,
    /// How long it may run.
    pub timeout_seconds: u64,
}

impl DetectorSetting {
    /// A setting, named after its program unless a name is given, with the usual time unless one is given.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(name: Option<String>, command: Vec<String>, timeout_seconds: Option<u64>) -> Result<Self, String> {
        let program = command.first().map(Path::new).filter(|program| !program.as_os_str().is_empty());
        let program = program.ok_or("a detector needs a command")?;
        if !program.is_absolute() && program.components().count() > 1 {
            // A path in the work tree would be a program that the reviewed change can bring.
            return Err(format!("'{}': name the program by absolute path or by its name on PATH", program.display()));
        }
        let stem = || program.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(stem);
        if [builtin::ENGINE.as_str(), semgrep::ENGINE.as_str()].contains(&name.as_str()) {
            return Err(format!("'{name}' is the name of an engine of agentprov; give the detector another"));
        }
        let timeout_seconds = timeout_seconds.unwrap_or(DEFAULT_LIMITS.timeout.as_secs());
        if !(1..=MAX_SECONDS).contains(&timeout_seconds) {
            return Err(format!("'{name}': the timeout has to be 1 to {MAX_SECONDS} seconds"));
        }
        Ok(Self { name, command, timeout_seconds })
    }

    /// The detector. A program that is not there is a gap of each scan.
    pub fn detector(&self, folder: &Path, path: &OsStr) -> Custom {
        let found = self.command.first().and_then(|name| process::find_program(name, path));
        let program = found.map(PathBuf::into_os_string);
        let named = self.command.iter().map(Into::into);
        let argv = program.into_iter().chain(named.clone().skip(1)).collect::<Vec<_>>();
        Custom {
            name: Engine::new(self.name.clone()),
            argv: if argv.len() == self.command.len() { argv } else { named.collect() },
            folder: folder.to_owned(),
            limits: Limits { timeout: Duration::from_secs(self.timeout_seconds), ..DEFAULT_LIMITS },
        }
    }
}

/// A detector that a repository names and nobody here has allowed to run: a gap, not a silence.
#[derive(Clone, Debug)]
pub struct Withheld {
    /// The detector.
    pub setting: DetectorSetting,
    /// What has to be done to run it.
    pub why: String,
}

impl Detector for Withheld {
    fn scan(&self, files: &[ScanFile]) -> Scan {
        let reason = GapReason::Skipped { detail: self.why.clone() };
        let gap = CoverageGap { path: None, engine: Engine::new(self.setting.name.clone()), reason };
        Scan { gaps: (!files.is_empty()).then_some(gap).into_iter().collect(), ..Scan::default() }
    }

    fn capabilities(&self) -> Vec<Capability> {
        let mut capability = Capability::named(&self.setting.name, "A program of the user's");
        capability.problem = Some(self.why.clone());
        vec![capability]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(command: &str, timeout: Option<u64>) -> Result<DetectorSetting, String> {
        DetectorSetting::new(None, vec![command.to_owned()], timeout)
    }

    #[test]
    fn a_program_that_the_change_can_bring_is_refused() {
        assert!(setting("./detect", None).is_err() && setting("tools/detect", None).is_err());
        assert_eq!(setting("/opt/detect.py", None).map(|it| (it.name, it.timeout_seconds)), Ok(("detect".into(), 60)));
        assert!(setting("detect", Some(0)).is_err() && setting("detect", Some(601)).is_err());
        assert!(setting("", None).is_err() && setting("/opt/agentprov", None).is_err());
    }

    #[test]
    fn a_name_is_looked_up_and_stays_where_it_is_not_found() {
        let of = |name| setting(name, None).unwrap().detector(Path::new("/"), OsStr::new("/bin:/usr/bin")).argv;
        assert!(Path::new(&of("sh")[0]).is_absolute());
        assert_eq!(of("no-such-detector"), ["no-such-detector"]);
    }
}
