//! A folder of its own for a test, and the program run in it.

use crate::bounded::InTime as _;
use agentprov_model::Fact;
use agentprov_store::{Location, Reader, Store};
use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_agentprov");
/// Takes hooks and does nothing else.
pub(crate) const HOOK_PROGRAM: &str = env!("CARGO_BIN_EXE_agentprov-hook");

/// Work folder, store, home and state of a test.
pub(crate) struct Place {
    root: tempfile::TempDir,
}

/// What a run of the program gave.
pub(crate) struct Said {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    pub(crate) fn of(output: &Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let signal = || 1000 + output.status.signal().unwrap_or(0);
        Self {
            status: output.status.code().unwrap_or_else(signal),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The document on standard output.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no document ({error}): {}\n{}", self.stdout, self.stderr))
    }

    /// Fails the test unless the program ended well.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.status, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(root.path().join("work")).expect("a work folder");
        Self { root }
    }

    /// With a git work tree as the work folder, one commit in it.
    pub(crate) fn with_git(files: &[(&str, &str)]) -> Self {
        let place = Self::new();
        for (name, text) in files {
            place.write(name, text);
        }
        place.git(&["init", "--quiet"]);
        place.git(&["add", "--all"]);
        place.git(&["commit", "--quiet", "--allow-empty", "-m", "first"]);
        place
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=main"]);
        let output = self.surround(command.args(arguments)).output_in_time();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.root.path().canonicalize().expect("the folder is there")
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.root().join("work")
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.work().join(".agentprov")
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders can be made");
        std::fs::write(&path, text).expect("a file can be written");
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.work().join(name)).expect("the file is there")
    }

    /// Puts a command into the place: folder, home, state, and none of the caller's settings.
    pub(crate) fn surround<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command
            .current_dir(self.work())
            .env("HOME", self.root().join("home"))
            .env("XDG_STATE_HOME", self.root().join("state"))
            .env("TZ", "UTC")
            .env("LC_ALL", "C")
            .env_remove("AGENTPROV_DATA_DIR")
            .env_remove("AGENTPROV_DAEMON_URL")
            .env_remove("AGENTPROV_EXIT_ZERO")
            .env_remove("CLAUDE_CODE_SHELL_PREFIX")
            .env_remove("CLAUDE_CONFIG_DIR")
            .env_remove("CODEX_HOME")
            // Cargo's own: with it the loader of every recorded program tries a dozen folders, each a fact.
            .env_remove("LD_LIBRARY_PATH")
            .stdin(Stdio::null())
    }

    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments);
        self.surround(&mut command);
        command
    }

    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Said {
        Said::of(&self.command(arguments).output_in_time())
    }

    /// Records a shell script under a run's name.
    pub(crate) fn record(&self, run: &str, script: &str) -> Said {
        self.run(["record", "--quiet", "--run", run, "--", "sh", "-c", script])
    }

    pub(crate) fn reader(&self) -> Reader {
        Store::open(Location::chosen(self.data_dir())).expect("a store").reader().expect("a reader")
    }

    /// Every fact of a run, in the order of the log.
    pub(crate) fn facts(&self, run: &str) -> Vec<Fact> {
        let reader = self.reader();
        let row = reader.run(&run.parse().expect("a name")).expect("the store answers").expect("the run is there");
        (0..row.size).map(|seq| reader.fact(row.no, seq).expect("the fact is there")).collect()
    }
}

/// True where a program is there; else says that the test is skipped.
pub(crate) fn has(test: &str, program: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| Path::new(&folder).join(program).is_file()));
    if !found {
        println!("SKIP {test}: {program} is not installed");
    }
    found
}
