//! The step that brings Docker from Debian's packages, for the tests that hold recordings against real containers.
//!
//! The packages are unpacked below `target` and not installed: their installation would start a daemon for the whole
//! machine. Tests start one of their own.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::Surroundings;
use super::outcome::Outcome;
use crate::Result;
use crate::workspace;

/// The daemon, what it starts, and a shell without libraries of which an image can be made.
const PACKAGES: &[&str] = &["docker.io", "containerd", "runc", "tini", "busybox-static"];

/// Tests find the folder of the unpacked packages by it.
const VARIABLE: &str = "AGENTPROV_TEST_DOCKER";

/// Programs of these packages that a test calls.
const PROGRAMS: &[&str] = &["usr/sbin/dockerd", "usr/bin/docker", "usr/bin/containerd", "usr/sbin/runc"];

/// Downloading must not hold everything else up.
const LIMIT: Duration = Duration::from_secs(180);

pub(super) fn run(surroundings: &Surroundings) -> Result<Outcome> {
    if works() {
        return Ok(Outcome::passed("everything is there"));
    }
    let lacking = ["apt-get", "dpkg-deb"].into_iter().find(|program| workspace::find_program(program).is_none());
    if let Some(program) = lacking {
        return Ok(Outcome::skipped(format!("{program} is not there to bring Debian's packages")));
    }
    let packages = folder().with_file_name("docker.io.packages");
    std::fs::create_dir_all(&packages).map_err(|error| format!("{}: {error}", packages.display()))?;
    eprintln!("docker: downloading {}", PACKAGES.join(" "));
    let mut download = Command::new("apt-get");
    download.args(["--quiet", "--option", "Acquire::Retries=1", "download"]).args(PACKAGES).current_dir(&packages);
    if surroundings.logged_within(LIMIT, &mut download)?.success() {
        unpack(surroundings, &packages)?;
    }
    // What was unpacked is all that is needed; where it failed the next attempt begins anew.
    let _ = std::fs::remove_dir_all(&packages);
    Ok(if works() {
        Outcome::passed(format!("unpacked {}", PACKAGES.join(", ")))
    } else {
        Outcome::skipped(format!("could not bring {} from Debian", PACKAGES.join(", ")))
    })
}

/// The variable by which tests find Docker, where it is there.
pub(super) fn variable() -> Option<(&'static str, PathBuf)> {
    works().then(|| (VARIABLE, folder()))
}

fn folder() -> PathBuf {
    workspace::target_dir().join("tools").join("docker.io")
}

fn works() -> bool {
    let says_its_version = |program: &&str| {
        let output = Command::new(folder().join(program)).arg("--version").output();
        output.is_ok_and(|output| output.status.success())
    };
    PROGRAMS.iter().all(says_its_version) && folder().join("bin/busybox").is_file()
}

fn unpack(surroundings: &Surroundings, packages: &std::path::Path) -> Result<()> {
    let entries = std::fs::read_dir(packages).map_err(|error| format!("{}: {error}", packages.display()))?;
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    for file in files.filter(|file| file.extension().is_some_and(|extension| extension == "deb")) {
        surroundings.logged_within(LIMIT, Command::new("dpkg-deb").arg("--extract").arg(&file).arg(folder()))?;
    }
    Ok(())
}
