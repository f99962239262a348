//! Semgrep as a second engine: on whole files, offline, and against what its subjects can do to silence it.
//!
//! Files are written to a folder of their own in which neither the repository's ignore files nor its history exist,
//! and are named one by one, as a walk skips tests, vendored code and large files. Whatever Semgrep then does not
//! scan, or complains about, is a gap.

mod config;
mod report;

pub use config::{ConfigError, RuleSnapshot};

use crate::detect::capability::Capability;
use crate::detect::gap::{CoverageGap, GapReason};
use crate::detect::input::ScanFile;
use crate::detect::outside;
use crate::detect::process::{self, Invocation, Limits, RunError};
use crate::detect::registry::{Detector, Scan};
use crate::detect::text::Text;
use crate::finding::Engine;
use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// The name under which it reports.
pub const ENGINE: Engine = Engine::from_static("semgrep");

/// What it may take unless its configuration says otherwise. It does not start with less than about 3 GiB of addresses.
pub const DEFAULT_LIMITS: Limits = Limits { timeout: Duration::from_secs(300), memory: 8 << 30, output: 256 << 20 };
/// Seconds for one rule on one file.
const SECONDS_PER_RULE: &str = "10";
/// Files named in one command line, and bytes of their names: the system allows some two million in all.
const FILES_PER_RUN: usize = 500;
const NAMES_PER_RUN: usize = 200_000;
/// Folders of the working folder. Semgrep puts the name of the configuration's folder before each rule id.
const CONFIG_FOLDER: &str = "rules";
const SOURCE_FOLDER: &str = "source";

/// An installed Semgrep and the rules that it applies.
#[derive(Debug)]
pub struct Semgrep {
    program: PathBuf,
    rules: RuleSnapshot,
    limits: Limits,
}

impl Semgrep {
    /// With these rules.
    pub fn new(program: PathBuf, rules: RuleSnapshot, limits: Limits) -> Self {
        Self { program, rules, limits }
    }

    /// Where it is installed, if it is.
    pub fn find(path: &OsStr) -> Option<PathBuf> {
        ["semgrep", "opengrep"].iter().find_map(|name| process::find_program(name, path))
    }

    /// The arguments before the files; part of what a decision records.
    pub fn arguments() -> Vec<&'static str> {
        vec![
            "scan",
            "--metrics=off",
            "--disable-version-check",
            "--json",
            "--verbose",
            "--disable-nosem",
            "--x-ignore-semgrepignore-files",
            "--no-git-ignore",
            "--max-target-bytes=0",
            "--scan-unknown-extensions",
            "--strict",
            "--jobs=2",
            "--timeout",
            SECONDS_PER_RULE,
            "--config",
            "../rules",
        ]
    }

    fn scan_in(&self, folder: &Path, files: &[ScanFile]) -> Result<Scan, GapReason> {
        let failed = |what: &str, error: std::io::Error| GapReason::EngineFailed { detail: format!("{what}: {error}") };
        let rules = folder.join(CONFIG_FOLDER);
        let source = folder.join(SOURCE_FOLDER);
        self.rules.write(&rules).map_err(|error| failed("can't write its rules", error))?;
        let mut scan = Scan::default();
        let mut written = Vec::new();
        for file in files {
            match write_source(&source, file) {
                Ok(()) => written.push(file),
                Err(detail) => scan.gaps.push(gap(Some(file.path.clone()), GapReason::Skipped { detail })),
            }
        }
        for part in parts(&written) {
            let report = self.run(folder, &source, &part)?;
            let (found, gaps) = report.read(&part, &self.rules);
            scan.extend(outside::place(files, &ENGINE, found.into_iter()));
            scan.gaps.extend(gaps.into_iter().map(|(path, reason)| gap(path, reason)));
        }
        Ok(scan)
    }

    fn run(&self, folder: &Path, source: &Path, files: &[&ScanFile]) -> Result<report::Report, GapReason> {
        let mut argv: Vec<OsString> = vec![self.program.clone().into()];
        argv.extend(Self::arguments().into_iter().map(OsString::from));
        // With `./` before it, no name is an option.
        argv.extend(files.iter().map(|file| OsString::from(format!("./{}", file.path))));
        let environment = environment(folder);
        let invocation = Invocation { argv: &argv, folder: source, environment: &environment, input: Vec::new() };
        let output = process::run(invocation, self.limits).map_err(|error| match error {
            RunError::TimedOut(time) => GapReason::timed_out(time),
            other => GapReason::EngineFailed { detail: other.to_string() },
        })?;
        // What went wrong is in its report; without one, its last words are all there is.
        report::Report::parse(&output.stdout)
            .ok_or_else(|| GapReason::EngineFailed { detail: output.complaint() })
            .map(|report| report.with_status(output.status))
    }
}

impl Detector for Semgrep {
    fn scan(&self, files: &[ScanFile]) -> Scan {
        let changed: Vec<ScanFile> = files.iter().filter(|file| !file.changed_lines.is_empty()).cloned().collect();
        if changed.is_empty() {
            return Scan::default();
        }
        let failed = |reason| Scan { gaps: vec![gap(None, reason)], ..Scan::default() };
        match tempfile::Builder::new().prefix("agentprov-semgrep-").tempdir() {
            Ok(folder) => self.scan_in(folder.path(), &changed).unwrap_or_else(failed),
            Err(error) => failed(GapReason::EngineFailed { detail: format!("can't make a folder for it: {error}") }),
        }
    }

    fn capabilities(&self) -> Vec<Capability> {
        let mut capability = Capability::named(ENGINE.as_str(), "Semgrep on whole files");
        capability.config_path = self.rules.name().map(str::to_owned);
        capability.config_sha256 = Some(self.rules.digest().to_owned());
        capability.last_modified = self.rules.last_modified().map(str::to_owned);
        capability.rule_count = self.rules.rule_count();
        capability.digest = Some(self.rules.digest().to_owned());
        match self.version() {
            Ok(version) => capability.engine_version = Some(version),
            Err(problem) => capability.problem = Some(problem),
        }
        vec![capability]
    }
}

impl Semgrep {
    fn version(&self) -> Result<String, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let argv = [self.program.clone().into(), OsString::from("--version")];
        let environment = environment(folder.path());
        let invocation =
            Invocation { argv: &argv, folder: folder.path(), environment: &environment, input: Vec::new() };
        let output = process::run(invocation, self.limits).map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text.lines().next().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned);
        version.filter(|_| output.status.success()).ok_or_else(|| output.complaint())
    }
}

/// Files in parts that fit into a command line each.
fn parts<'f>(files: &[&'f ScanFile]) -> Vec<Vec<&'f ScanFile>> {
    let mut parts: Vec<Vec<&ScanFile>> = Vec::new();
    let mut bytes = 0;
    for &file in files {
        bytes += file.path.len();
        match parts.last_mut() {
            Some(part) if part.len() < FILES_PER_RUN && bytes <= NAMES_PER_RUN => part.push(file),
            _ => {
                bytes = file.path.len();
                parts.push(vec![file]);
            }
        }
    }
    parts
}

/// A home of its own keeps settings and log-ins of the user out; a proxy that is not there keeps it off the network.
fn environment(folder: &Path) -> Vec<(&'static str, OsString)> {
    let nowhere = || OsString::from("http://127.0.0.1:9");
    vec![
        ("PATH", std::env::var_os("PATH").unwrap_or_default()),
        ("HOME", folder.join("home").into()),
        ("TMPDIR", folder.into()),
        ("LANG", "C.UTF-8".into()),
        ("SEMGREP_SEND_METRICS", "off".into()),
        ("SEMGREP_ENABLE_VERSION_CHECK", "0".into()),
        ("HTTP_PROXY", nowhere()),
        ("HTTPS_PROXY", nowhere()),
        ("ALL_PROXY", nowhere()),
    ]
}

/// Writes a file below the folder. What would leave it, or would steer Semgrep, is not written.
fn write_source(source: &Path, file: &ScanFile) -> Result<(), String> {
    let path = Path::new(&file.path);
    let stays = path.components().all(|part| matches!(part, Component::Normal(_)));
    if file.path.is_empty() || file.path.contains('\0') || !stays {
        return Err("its path leaves the repository".into());
    }
    if path.file_name().is_some_and(|name| name == ".semgrepignore" || name == ".semgrepconfig") {
        return Err("it steers the engine".into());
    }
    let target = source.join(path);
    let written = target.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| {
        let mut options = std::fs::OpenOptions::new();
        let mut open = options.write(true).create_new(true).open(&target)?;
        std::io::Write::write_all(&mut open, &readable(&file.bytes))
    });
    written.map_err(|error| format!("can't be written for the engine: {error}"))
}

/// The bytes as they are, but UTF-16 as UTF-8: Semgrep reads nothing else, and finds nothing without a word.
fn readable(bytes: &[u8]) -> Cow<'_, [u8]> {
    let text = Text::decode(bytes);
    if text.recoded {
        return Cow::Owned(text.text.into_bytes());
    }
    Cow::Borrowed(bytes)
}

fn gap(path: Option<String>, reason: GapReason) -> CoverageGap {
    CoverageGap { path, engine: ENGINE, reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::LineSet;

    #[test]
    fn command_lines_are_divided() {
        let files: Vec<_> =
            (0..1_201).map(|n| ScanFile::whole(format!("{n}.py"), Vec::new(), LineSet::all())).collect();
        let files: Vec<&ScanFile> = files.iter().collect();
        assert_eq!(parts(&files).iter().map(Vec::len).collect::<Vec<_>>(), [500, 500, 201]);
        let long: Vec<_> =
            (0..3).map(|n| ScanFile::whole(format!("{n}").repeat(150_000), Vec::new(), LineSet::all())).collect();
        assert_eq!(parts(&long.iter().collect::<Vec<_>>()).len(), 3);
    }

    #[test]
    fn nothing_is_written_outside_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str| write_source(folder.path(), &ScanFile::whole(path, b"x".to_vec(), LineSet::all()));
        for path in ["/etc/x", "../x", "a/../../x", "", "a\0b", "a/.semgrepignore"] {
            assert!(write(path).is_err(), "{path:?}");
        }
        assert_eq!(write("a/b.py"), Ok(()));
        assert!(write("a/b.py").is_err());
        assert!(write("a/b.py/c.py").is_err());
    }
}
