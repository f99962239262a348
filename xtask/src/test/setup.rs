//! The step that installs what the later ones need, as far as this user may.

use std::process::Command;

use super::Surroundings;
use super::outcome::Outcome;
use super::requirements::{SYSTEM_PACKAGES, SystemPackage, TOOLCHAIN_COMPONENTS};
use crate::Result;
use crate::workspace;

pub(crate) fn run(surroundings: &Surroundings) -> Result<Outcome> {
    let before = missing_packages();
    if !before.is_empty() {
        install_packages(surroundings, &before)?;
    }
    let lacking = missing_components();
    if !lacking.is_empty() && workspace::find_program("rustup").is_some() {
        let mut command = Command::new("rustup");
        command.args(["component", "add"]).args(&lacking).current_dir(workspace::root());
        // Whether it worked is seen below, from what is still missing.
        surroundings.logged(&mut command)?;
    }
    let packages = missing_packages();
    let components = missing_components();
    let semgrep = super::semgrep::install(surroundings);
    if let Err(why) = &semgrep {
        println!("{why}");
    }
    if packages.is_empty() && components.is_empty() && semgrep.is_ok() {
        let new_semgrep = semgrep.is_ok_and(|new| new).then_some("semgrep");
        let installed = before.iter().map(|package| package.package).chain(lacking).chain(new_semgrep);
        let names: Vec<&str> = installed.collect();
        return Ok(Outcome::passed(match names.as_slice() {
            [] => "everything is there".to_owned(),
            names => format!("installed {}", names.join(", ")),
        }));
    }
    if !packages.is_empty() || !components.is_empty() {
        print!("{}", what_to_install(&packages, &components));
    }
    let semgrep = semgrep.is_err().then_some("semgrep");
    let names = packages.iter().map(|package| package.package).chain(components).chain(semgrep);
    let names: Vec<&str> = names.collect();
    Ok(Outcome::skipped(format!("could not install {}", names.join(", "))))
}

fn missing_packages() -> Vec<&'static SystemPackage> {
    SYSTEM_PACKAGES.iter().filter(|package| workspace::find_program(package.program).is_none()).collect()
}

fn missing_components() -> Vec<&'static str> {
    TOOLCHAIN_COMPONENTS
        .iter()
        .filter(|wanted| {
            let version = workspace::cargo().args([wanted.subcommand, "--version"]).output();
            !version.is_ok_and(|output| output.status.success())
        })
        .map(|wanted| wanted.component)
        .collect()
}

/// Tries apt-get; what it achieved is seen from what is missing afterwards.
fn install_packages(surroundings: &Surroundings, missing: &[&SystemPackage]) -> Result<()> {
    if workspace::find_program("apt-get").is_none() {
        return Ok(());
    }
    let Some(prefix) = way_to_root() else {
        return Ok(());
    };
    let names: Vec<&str> = missing.iter().map(|package| package.package).collect();
    eprintln!("setup: apt-get install {}", names.join(" "));
    if surroundings.logged(&mut apt_get(prefix, &["update"], &[]))?.success() {
        let install = ["install", "--yes", "--no-install-recommends"];
        surroundings.logged(&mut apt_get(prefix, &install, &names))?;
    }
    Ok(())
}

fn apt_get(prefix: &[&str], action: &[&str], packages: &[&str]) -> Command {
    let mut words = prefix.iter().chain(&["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    let mut command = Command::new(words.next().unwrap_or(&"env"));
    command
        .args(words)
        // Another installation may be under way; it ends sooner than a person would look.
        .args(["-o", "DPkg::Lock::Timeout=120"])
        .args(action)
        .args(packages);
    command
}

/// How this user becomes root without a question: not at all needed, by sudo, or not possible.
fn way_to_root() -> Option<&'static [&'static str]> {
    const SUDO: &[&str] = &["sudo", "--non-interactive"];
    let id = Command::new("id").arg("-u").output().ok()?;
    if id.stdout.trim_ascii() == b"0" {
        return Some(&[]);
    }
    let sudo = Command::new("sudo").args(["--non-interactive", "true"]).output();
    sudo.is_ok_and(|output| output.status.success()).then_some(SUDO)
}

fn what_to_install(packages: &[&SystemPackage], components: &[&str]) -> String {
    let mut text = String::from("Not installed; what needs it is skipped by name:\n");
    for package in packages {
        text.push_str(&format!("  {:<10} {}\n", package.package, package.reason));
    }
    if !packages.is_empty() {
        let names: Vec<&str> = packages.iter().map(|package| package.package).collect();
        text.push_str(&format!("  -> on Debian: sudo apt-get install {}\n", names.join(" ")));
    }
    if !components.is_empty() {
        text.push_str(&format!(
            "  -> rustup component add {}   (without rustup: your system's packages of these names)\n",
            components.join(" ")
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_names_each_package_its_reason_and_one_command() {
        let packages: Vec<&SystemPackage> = SYSTEM_PACKAGES.iter().take(2).collect();
        let text = what_to_install(&packages, &["clippy"]);
        assert!(text.contains(packages[0].reason) && text.contains(packages[1].reason));
        let command = format!("sudo apt-get install {} {}\n", packages[0].package, packages[1].package);
        assert!(text.contains(&command));
        assert!(text.contains("rustup component add clippy"));
    }

    #[test]
    fn apt_get_runs_with_and_without_sudo() {
        let line = |command: &Command| {
            let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
            words.collect::<Vec<_>>().join(" ")
        };
        let plain = apt_get(&[], &["update"], &[]);
        assert_eq!(plain.get_program(), "env");
        assert!(line(&plain).ends_with("update"));
        let sudo = apt_get(&["sudo", "--non-interactive"], &["install"], &["jq"]);
        assert_eq!(sudo.get_program(), "sudo");
        assert!(line(&sudo).starts_with("--non-interactive env DEBIAN_FRONTEND=noninteractive apt-get"));
        assert!(line(&sudo).ends_with("install jq"));
    }
}
