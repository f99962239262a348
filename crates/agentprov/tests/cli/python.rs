//! Packages from PyPI, for tests that drive the program from Python.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder with the packages, to be the `PYTHONPATH`; installed once. None where they can't be had.
pub(crate) fn python_packages(name: &str, requirements: &[&str]) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    let draft = folder.with_extension(std::process::id().to_string());
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--retries", "0"];
    let mut command = Command::new("python3");
    let done = command.args(pip).args(["--timeout", "10", "--target"]).arg(&draft).args(requirements).output().ok()?;
    // The folder takes its name when everything is in it. Another test may have been faster.
    if done.status.success() && (std::fs::rename(&draft, &folder).is_ok() || folder.is_dir()) {
        return Some(folder);
    }
    let _ = std::fs::remove_dir_all(&draft);
    None
}
