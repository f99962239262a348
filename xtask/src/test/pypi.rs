//! The step that brings programs from PyPI which tests run as they are, and libraries with a Python that finds them.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::Surroundings;
use super::outcome::Outcome;
use crate::Result;
use crate::workspace;

/// A program and the requirement that brings it.
struct Tool {
    program: &'static str,
    /// What a library's Python has to be able to import; none where the requirement brings the program itself.
    imports: Option<&'static str>,
    requirement: &'static str,
    /// Tests find the program by this variable, so that it does not change what other tests find on their PATH.
    variable: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool { program: "semgrep", imports: None, requirement: "semgrep==1.185.0", variable: "AGENTPROV_TEST_SEMGREP" },
    Tool {
        program: "check-jsonschema",
        imports: None,
        requirement: "check-jsonschema==0.37.2",
        variable: "AGENTPROV_TEST_CHECK_JSONSCHEMA",
    },
    Tool {
        program: "python3",
        imports: Some("securesystemslib.dsse, cryptography"),
        requirement: "securesystemslib[crypto]==1.6.0",
        variable: "AGENTPROV_TEST_SECURESYSTEMSLIB",
    },
];

/// Installing must not hold everything else up.
const LIMIT: Duration = Duration::from_secs(300);

pub(super) fn run(surroundings: &Surroundings) -> Result<Outcome> {
    let mut lacking = Vec::new();
    for tool in TOOLS.iter().filter(|tool| !tool.works()) {
        tool.install(surroundings)?;
        if !tool.works() {
            lacking.push(tool.requirement);
        }
    }
    Ok(match lacking.as_slice() {
        [] => Outcome::passed("everything is there".to_owned()),
        lacking => Outcome::skipped(format!("could not install {} from PyPI", lacking.join(", "))),
    })
}

/// Variables by which tests find the programs that are there.
pub(super) fn variables() -> impl Iterator<Item = (&'static str, PathBuf)> {
    TOOLS.iter().filter(|tool| tool.works()).map(|tool| (tool.variable, tool.launcher()))
}

/// Semgrep, where this step brought it.
pub(crate) fn semgrep() -> Option<PathBuf> {
    TOOLS.iter().find(|tool| tool.program == "semgrep" && tool.works()).map(Tool::launcher)
}

impl Tool {
    fn packages(&self) -> PathBuf {
        workspace::target_dir().join("tools").join(self.requirement)
    }

    fn launcher(&self) -> PathBuf {
        // A folder of its own, so that a test can put just this program on its PATH.
        self.packages().with_file_name(format!("{}.bin", self.requirement)).join(self.program)
    }

    fn works(&self) -> bool {
        let mut command = Command::new(self.launcher());
        let output = match self.imports {
            Some(modules) => command.args(["-c", &format!("import {modules}")]).output(),
            None => command.arg("--version").output(),
        };
        output.is_ok_and(|output| output.status.success())
    }

    /// Whether it worked is seen by calling it.
    fn install(&self, surroundings: &Surroundings) -> Result<()> {
        let packages = self.packages();
        self.write_launcher(&packages).map_err(|error| format!("{}: {error}", self.launcher().display()))?;
        if self.works() {
            return Ok(());
        }
        eprintln!("pypi: installing {}", self.requirement);
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--upgrade"]);
        pip.args(["--root-user-action", "ignore", "--retries", "1", "--timeout", "15", "--target"]);
        pip.arg(&packages).arg(self.requirement);
        surroundings.logged_within(LIMIT, &mut pip).map(drop)
    }

    fn write_launcher(&self, packages: &Path) -> std::io::Result<()> {
        let folder = packages.display();
        let program = match self.imports {
            Some(_) => self.program.to_owned(),
            None => format!("'{folder}/bin/{}'", self.program),
        };
        // Semgrep asks the network for newer versions, and waits long where there is none.
        let text = format!(
            "#!/bin/sh\nexport SEMGREP_ENABLE_VERSION_CHECK=0 SEMGREP_SEND_METRICS=off\nPYTHONPATH='{folder}' PATH='{folder}/bin':\"$PATH\" exec {program} \"$@\"\n"
        );
        let launcher = self.launcher();
        launcher.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        std::fs::write(&launcher, text)?;
        std::fs::set_permissions(self.launcher(), std::fs::Permissions::from_mode(0o755))
    }
}
