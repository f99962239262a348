//! Semgrep, the second engine of reviews, in an environment of its own under the target folder.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::Surroundings;
use crate::Result;
use crate::workspace;

/// Installed from PyPI. Raise it together with what the tests expect of its rules.
const VERSION: &str = "1.185.0";
/// An index that takes longer cannot be reached from here.
const INSTALL_LIMIT: Duration = Duration::from_secs(300);

/// Names the program to tests. It is not put on `PATH`: tests that do not ask for Semgrep must not run it.
pub(super) const VARIABLE: &str = "AGENTPROV_TEST_SEMGREP";

/// The program, where an earlier run has installed it.
pub(super) fn installed() -> Option<PathBuf> {
    let program = program_in(&environment());
    let output = Command::new(&program).args(["--disable-version-check", "--version"]).output().ok()?;
    (String::from_utf8_lossy(&output.stdout).trim() == VERSION).then_some(program)
}

/// Installs it unless it is there. Says whether it had to.
pub(super) fn install(surroundings: &Surroundings) -> Result<bool> {
    if installed().is_some() {
        return Ok(false);
    }
    eprintln!("setup: installing semgrep {VERSION} from PyPI; once");
    for mut command in installation(&environment()) {
        if !surroundings.logged_within(INSTALL_LIMIT, &mut command)?.success() {
            break;
        }
    }
    match installed() {
        Some(_) => Ok(true),
        None => Err(format!("semgrep {VERSION} cannot be installed; its tests are skipped")),
    }
}

fn environment() -> PathBuf {
    workspace::target_dir().join("tools").join("semgrep")
}

fn program_in(environment: &Path) -> PathBuf {
    environment.join("bin").join("semgrep")
}

fn installation(environment: &Path) -> [Command; 2] {
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(environment);
    let mut fill = Command::new(environment.join("bin").join("pip"));
    fill.args(["install", "--quiet", "--disable-pip-version-check", "--no-input"]).arg(format!("semgrep=={VERSION}"));
    [make, fill]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_version_goes_into_an_environment_of_its_own() {
        let environment = Path::new("/t/tools/semgrep");
        let [make, fill] = installation(environment);
        assert_eq!(make.get_args().last(), Some(environment.as_os_str()));
        assert_eq!(Path::new(fill.get_program()).parent(), program_in(environment).parent());
        assert!(fill.get_args().any(|word| word.to_string_lossy() == format!("semgrep=={VERSION}")));
    }
}
