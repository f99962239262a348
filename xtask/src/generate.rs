//! Committed files that are generated: how each is made, and whether it still matches.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::Result;
use crate::workspace;

/// One committed file and the agentprov command whose standard output it is.
pub(crate) struct Generated {
    pub(crate) name: &'static str,
    /// Arguments of `agentprov`; the first is the command group, the second the generator.
    pub(crate) arguments: [&'static str; 2],
    pub(crate) path: &'static str,
}

pub(crate) const GENERATED: &[Generated] = &[
    Generated { name: "cli-reference", arguments: ["generate", "cli-reference"], path: "docs/cli.md" },
    Generated { name: "openapi", arguments: ["generate", "openapi"], path: "docs/openapi.json" },
];

/// How a committed file compares with what its generator writes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Drift {
    Same,
    /// The binary has no such generator, and nothing is committed that would need one.
    NotSupported,
    Differs(String),
}

/// Compares the generator's output (none: the binary lacks it) with the committed text.
pub(crate) fn compare(entry: &Generated, fresh: Option<&str>, committed: Option<&str>) -> Drift {
    let path = entry.path;
    match (fresh, committed) {
        (None, None) => Drift::NotSupported,
        (None, Some(_)) => Drift::Differs(format!(
            "{path} is committed, but `agentprov {}` does not exist; restore the generator or delete the file",
            entry.arguments.join(" ")
        )),
        (Some(_), None) => Drift::Differs(format!("{path} is missing; run `cargo xtask generate` and commit it")),
        (Some(fresh), Some(committed)) if fresh == committed => Drift::Same,
        (Some(fresh), Some(committed)) => Drift::Differs(format!(
            "{path}:{}: differs from its generator; run `cargo xtask generate` and commit it",
            first_difference(fresh, committed)
        )),
    }
}

fn first_difference(fresh: &str, committed: &str) -> usize {
    let same = fresh.lines().zip(committed.lines());
    1 + same.take_while(|(one, other)| one == other).count()
}

/// Runs a generator; `None` when the binary does not offer it.
pub(crate) fn fresh(entry: &Generated, program: &Path) -> Result<Option<String>> {
    let [group, generator] = entry.arguments;
    let help = agentprov(program, &[group, "--help"])?;
    let offered =
        help.status.success() && String::from_utf8_lossy(&help.stdout).split_whitespace().any(|word| word == generator);
    if !offered {
        return Ok(None);
    }
    let output = agentprov(program, &entry.arguments)?;
    if !output.status.success() {
        return Err(format!(
            "agentprov {group} {generator}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    String::from_utf8(output.stdout)
        .map(Some)
        .map_err(|_| format!("agentprov {group} {generator} printed bytes that are not UTF-8"))
}

/// What is committed (or about to be) at the entry's path.
pub(crate) fn committed(entry: &Generated) -> Result<Option<String>> {
    match std::fs::read_to_string(workspace::root().join(entry.path)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}", entry.path)),
    }
}

/// Builds agentprov and returns where it is.
pub(crate) fn build_program() -> Result<PathBuf> {
    // The same selection as that of the tests, so that no dependency is built twice.
    let output = workspace::cargo()
        .args(["build", "--quiet", "--workspace", "--bins", "--tests"])
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        return Err(format!("agentprov does not build:\n{}", reason.trim()));
    }
    Ok(workspace::target_dir().join("debug").join("agentprov"))
}

fn agentprov(program: &Path, arguments: &[&str]) -> Result<Output> {
    Command::new(program)
        .args(arguments)
        .current_dir(workspace::root())
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot start {}: {error}", program.display()))
}

/// `cargo xtask generate [--check]`.
pub(crate) fn run(arguments: &[String]) -> Result<bool> {
    let check = match arguments {
        [] => false,
        [flag] if flag == "--check" => true,
        _ => return Err("usage: cargo xtask generate [--check]".to_owned()),
    };
    let program = build_program()?;
    let mut good = true;
    for entry in GENERATED {
        let fresh = fresh(entry, &program)?;
        match compare(entry, fresh.as_deref(), committed(entry)?.as_deref()) {
            Drift::Same => println!("{}: up to date", entry.path),
            Drift::NotSupported => println!("{}: agentprov has no such generator", entry.name),
            Drift::Differs(reason) => match (check, fresh) {
                (false, Some(text)) => {
                    std::fs::write(workspace::root().join(entry.path), text)
                        .map_err(|error| format!("{}: {error}", entry.path))?;
                    println!("{}: written", entry.path);
                }
                _ => {
                    println!("{reason}");
                    good = false;
                }
            },
        }
    }
    Ok(good)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: Generated =
        Generated { name: "reference", arguments: ["generate", "reference"], path: "docs/reference.md" };

    #[test]
    fn equal_text_has_not_drifted() {
        assert_eq!(compare(&ENTRY, Some("a\n"), Some("a\n")), Drift::Same);
    }

    #[test]
    fn the_first_line_that_differs_is_named() {
        let Drift::Differs(reason) = compare(&ENTRY, Some("a\nb\n"), Some("a\nc\n")) else {
            panic!("a changed line is a drift");
        };
        assert!(reason.starts_with("docs/reference.md:2: "), "{reason}");
    }

    #[test]
    fn a_missing_file_and_a_missing_generator_are_drifts_but_not_both_missing() {
        assert!(matches!(compare(&ENTRY, Some("a"), None), Drift::Differs(_)));
        assert!(matches!(compare(&ENTRY, None, Some("a")), Drift::Differs(_)));
        assert_eq!(compare(&ENTRY, None, None), Drift::NotSupported);
    }
}
