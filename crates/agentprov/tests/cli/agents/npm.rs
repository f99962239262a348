//! Agents' programs from the npm registry, and a network in which they are alone.

use crate::place::has;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Brings loopback up in a network of its own and goes on there.
const ALONE: &str = "ip link set lo up && exec \"$@\"";

/// An agent as npm has it.
#[derive(Clone, Copy)]
pub(crate) struct Package {
    /// With its version.
    pub(crate) name: &'static str,
    /// The program, below the folder that npm fills.
    pub(crate) program: &'static str,
}

/// The agent's program. None, said on standard output, where a session can't be run here.
pub(crate) fn agent(test: &str, package: Package) -> Option<PathBuf> {
    if !["python3", "ip", "unshare", "timeout", "npm", "bash"].into_iter().all(|program| has(test, program)) {
        return None;
    }
    if !alone(Command::new("unshare").args(namespace())).arg("true").status().is_ok_and(|status| status.success()) {
        println!("SKIP {test}: no network namespace can be made here");
        return None;
    }
    let program = installed(package);
    if program.is_none() {
        println!("SKIP {test}: {} can't be installed from the npm registry for this machine", package.name);
    }
    program
}

pub(crate) fn namespace() -> &'static [&'static str] {
    if rustix::process::geteuid().is_root() { &["--net"] } else { &["--user", "--map-root-user", "--net"] }
}

pub(crate) fn alone(command: &mut Command) -> &mut Command {
    command.args(["sh", "-c", ALONE, "alone"])
}

/// Installs at most once for all tests of this process; one that failed is not tried again.
fn installed(package: Package) -> Option<PathBuf> {
    static FAILED: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
    let mut failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner);
    if failed.contains(&package.name) {
        return None;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("agents").join(package.name.replace(['/', '@'], "-"));
    let program = folder.join("node_modules").join(package.program);
    if program.is_file() {
        return Some(program);
    }
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let mut npm = Command::new("timeout");
    npm.args(["120", "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
    let output = npm.arg(&folder).arg(package.name).stdin(Stdio::null()).output();
    if output.is_ok_and(|output| output.status.success()) && program.is_file() {
        return Some(program);
    }
    failed.push(package.name);
    None
}
