//! The detectors that settings ask for, beside the built-in one.

use crate::error::ServerError;
use crate::settings::{Settings, refusal};
use agentprov_review::Engine;
use agentprov_review::detect::semgrep::{self, RuleSnapshot};
use agentprov_review::detect::{Custom, Detector, Semgrep, custom};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const NO_PROGRAM: &str =
    "no module is loaded into the service; name programs by absolute path, as docs/detection.md describes";

/// The detectors, in their order.
///
/// # Errors
/// [`ServerError::Setting`] for one that is not there: a service that scans less than it was told to does not start.
pub(crate) fn engines(settings: &Settings) -> Result<Vec<Box<dyn Detector>>, ServerError> {
    let mut engines: Vec<Box<dyn Detector>> = Vec::new();
    if let Some(config) = &settings.semgrep_config {
        const NAME: &str = "SEMGREP_CONFIG_PATH";
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program = Semgrep::find(&path).ok_or_else(|| refusal(NAME, "semgrep is not installed"))?;
        let rules = RuleSnapshot::read(config).map_err(|error| refusal(NAME, error))?;
        engines.push(Box::new(Semgrep::new(program, rules, semgrep::DEFAULT_LIMITS)));
    }
    for program in &settings.detectors {
        engines.push(Box::new(detector(program)?));
    }
    Ok(engines)
}

fn detector(program: &Path) -> Result<Custom, ServerError> {
    let refuse = |why: &str| refusal("DETECTOR_MODULE_PATHS", format!("{}: {why}", program.display()));
    let (Some(folder), Some(name)) = (program.parent(), program.file_stem()) else { return Err(refuse(NO_PROGRAM)) };
    let runs = std::fs::metadata(program).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0);
    if !program.is_absolute() || !runs {
        return Err(refuse(NO_PROGRAM));
    }
    Ok(Custom {
        name: Engine::new(name.to_string_lossy()),
        argv: vec![program.as_os_str().to_owned()],
        folder: folder.to_owned(),
        limits: custom::DEFAULT_LIMITS,
    })
}

/// A JSON list, or names with commas.
///
/// # Errors
/// What is wrong with the list.
pub(super) fn list(text: &str) -> Result<Vec<PathBuf>, String> {
    let names: Vec<String> = match text.starts_with('[') {
        true => serde_json::from_str(text).map_err(|error| error.to_string())?,
        false => text.split(',').map(|name| name.trim().to_owned()).collect(),
    };
    Ok(names.into_iter().filter(|name| !name.is_empty()).map(PathBuf::from).collect())
}
