//! The steps that judge the dependencies: licences, sources, bans, and known vulnerabilities.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use super::Surroundings;
use super::outcome::Outcome;
use crate::Result;
use crate::workspace;

/// Installed when no cargo-deny is on `PATH`. Raise it together with what deny.toml uses.
const VERSION: &str = "0.20.2";

/// A database that takes longer cannot be reached from here.
const FETCH_LIMIT: Duration = Duration::from_secs(120);

pub(crate) fn policies(surroundings: &Surroundings) -> Result<Outcome> {
    let program = match program(surroundings) {
        Ok(program) => program,
        Err(reason) => return Ok(Outcome::skipped(reason)),
    };
    let mut command = Command::new(program);
    command
        .current_dir(workspace::root())
        .args(["--color", "never", "check", "--hide-inclusion-graph"])
        .args(["bans", "licenses", "sources"]);
    surroundings.logged(&mut command).map(Outcome::of)
}

pub(crate) fn advisories(surroundings: &Surroundings) -> Result<Outcome> {
    let program = match program(surroundings) {
        Ok(program) => program,
        Err(reason) => return Ok(Outcome::skipped(reason)),
    };
    let mut fetch = Command::new(program);
    fetch.current_dir(workspace::root()).args(["--color", "never", "fetch", "db"]);
    if !surroundings.logged_within(FETCH_LIMIT, &mut fetch)?.success() {
        return Ok(Outcome::skipped("the advisory database cannot be fetched from here"));
    }
    let mut check = Command::new(program);
    check.current_dir(workspace::root()).args(["--color", "never", "check", "--disable-fetch", "advisories"]);
    surroundings.logged(&mut check).map(Outcome::of)
}

/// The program, or the reason why there is none. Looked for, and tried to install, once.
fn program(surroundings: &Surroundings) -> std::result::Result<&'static Path, &'static str> {
    static FOUND: OnceLock<Result<PathBuf>> = OnceLock::new();
    let found = FOUND.get_or_init(|| find_or_install(surroundings));
    found.as_deref().map_err(String::as_str)
}

fn find_or_install(surroundings: &Surroundings) -> Result<PathBuf> {
    if let Some(program) = workspace::find_program("cargo-deny") {
        return Ok(program);
    }
    let tools = workspace::target_dir().join("tools");
    let program = tools.join("bin").join("cargo-deny");
    if installed_version(&program).as_deref() == Some(VERSION) {
        return Ok(program);
    }
    eprintln!(
        "{}: installing cargo-deny {VERSION} into {}; this takes minutes, once",
        surroundings.step,
        tools.display()
    );
    let finished = surroundings.logged(&mut install(&tools))?;
    if !finished.success() {
        return Err(format!(
            "cargo-deny {VERSION} cannot be installed (see {}); run `cargo install --locked cargo-deny`",
            surroundings.log().display()
        ));
    }
    // Only the program is needed; what it was built from would stay for nothing.
    let _ = std::fs::remove_dir_all(tools.join("build"));
    Ok(program)
}

fn install(tools: &Path) -> Command {
    let mut command = workspace::cargo();
    command
        .args(["install", "--locked", "--version", VERSION, "--root"])
        .arg(tools)
        .arg("--target-dir")
        .arg(tools.join("build"))
        .arg("cargo-deny");
    command
}

fn installed_version(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    version_in(&String::from_utf8_lossy(&output.stdout))
}

fn version_in(text: &str) -> Option<String> {
    text.trim().strip_prefix("cargo-deny ").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_the_program_prints() {
        assert_eq!(version_in("cargo-deny 0.20.2\n").as_deref(), Some("0.20.2"));
        assert_eq!(version_in("something else"), None);
    }

    #[test]
    fn the_pinned_version_is_installed_under_the_target_folder() {
        let command = install(Path::new("/t/tools"));
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
        assert!(words.windows(2).any(|pair| pair == ["--version", VERSION]));
        assert!(words.windows(2).any(|pair| pair == ["--root", "/t/tools"]));
    }
}
