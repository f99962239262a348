//! `agentprov demo`.

use crate::failure::{CommandResult, Failure};
use crate::render::{BAD, GOOD, QUIET, TITLE, styled};
use clap::Args;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// Records a scripted agent in a folder of its own and explains what it did, ending in `verify` and in a tampered
/// copy that `verify` refuses. Every step is the command that it prints.
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Work in this new folder and keep it [default: a folder in the temporary directory, removed at the end]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Files of the scripted agent and of the workspace that it works in.
const FILES: [(&str, &str); 5] = [
    ("agent.sh", include_str!("../../../../examples/scripted-agent/agent.sh")),
    ("workspace/price.sh", include_str!("../../../../examples/scripted-agent/workspace/price.sh")),
    ("workspace/test.sh", include_str!("../../../../examples/scripted-agent/workspace/test.sh")),
    ("workspace/NOTES.md", include_str!("../../../../examples/scripted-agent/workspace/NOTES.md")),
    ("home/.ssh/id_ed25519", "a decoy: no key\n"),
];

const RUN: &str = "demo";
/// Part of a recorded fact, and what the forger makes of it: of the same length, as a careful forger would.
const GENUINE: &[u8] = b"\"argv\":[\"sh\",\"test.sh\"]";
const FORGED: &[u8] = b"\"argv\":[\"sh\",\"fest.sh\"]";

impl Demo {
    pub(crate) fn run(self) -> CommandResult {
        let stage = Stage::set(self.dir.as_deref())?;
        let outcome = stage.play();
        match (outcome, &self.dir) {
            (Ok(()), Some(dir)) => {
                let store = stage.store(Copy::Genuine);
                say(&format!(
                    "kept in {}; look around with: agentprov --data-dir {} runs",
                    dir.display(),
                    store.display()
                ))?;
                Ok(ExitCode::SUCCESS)
            }
            (Ok(()), None) => {
                stage.clear()?;
                Ok(ExitCode::SUCCESS)
            }
            (Err(failure), _) => Err(failure.hint(format!("what it left behind is in {}", stage.root.display()))),
        }
    }
}

/// Where the demo plays.
struct Stage {
    root: PathBuf,
    program: PathBuf,
}

/// Which store a step works on.
#[derive(Clone, Copy)]
enum Copy {
    Genuine,
    Forged,
}

impl Stage {
    fn set(dir: Option<&Path>) -> Result<Self, Failure> {
        let program = std::env::current_exe()
            .map_err(|error| Failure::new(format!("this program's own path can't be read: {error}")))?;
        let root = match dir {
            Some(dir) => crate::context::absolute(dir)?,
            None => std::env::temp_dir().join(format!("agentprov-demo-{}", std::process::id())),
        };
        // Never into a folder that is there: the demo writes and removes files.
        std::fs::create_dir(&root).map_err(|error| {
            Failure::new(format!("can't make {}: {error}", root.display())).hint("name a new folder with --dir")
        })?;
        let root = root.canonicalize().map_err(write_failed(&root))?;
        for (name, text) in FILES {
            let path = root.join(name);
            let folder = path.parent().unwrap_or(&root);
            std::fs::create_dir_all(folder).map_err(write_failed(folder))?;
            std::fs::write(&path, text).map_err(write_failed(&path))?;
        }
        Ok(Self { root, program })
    }

    fn clear(&self) -> Result<(), Failure> {
        std::fs::remove_dir_all(&self.root)
            .map_err(|error| Failure::new(format!("can't remove {}: {error}", self.root.display())))
    }

    fn workspace(&self) -> PathBuf {
        self.root.join("workspace")
    }

    fn store(&self, copy: Copy) -> PathBuf {
        self.root.join(match copy {
            Copy::Genuine => "store",
            Copy::Forged => "forged-store",
        })
    }

    fn play(&self) -> Result<(), Failure> {
        self.commit_workspace()?;
        say("A scripted agent mends a price, and does some things that nobody asked it for. It is recorded:")?;
        self.step(Copy::Genuine, &["record", "--run", RUN, "--rules", "default", "--", "sh", "../agent.sh"], 0)?;
        say("What happened, and what was not seen:")?;
        self.step(Copy::Genuine, &["show", RUN], 0)?;
        say("What the agent declared, against what was observed:")?;
        self.step(Copy::Genuine, &["reconcile", RUN], 0)?;
        say("Who wrote the line that matters:")?;
        self.step(Copy::Genuine, &["blame", "price.sh:4", "--run", RUN], 0)?;
        say("How the file came to be as it is:")?;
        self.step(Copy::Genuine, &["graph", "explain", "--file", "price.sh", "--run", RUN, "--depth", "1"], 0)?;
        say("The change as a patch:")?;
        self.step(Copy::Genuine, &["graph", "diff", "--file", "price.sh", "--run", RUN], 0)?;
        say("Is the evidence what was signed?")?;
        self.step(Copy::Genuine, &["verify", RUN], 0)?;
        say("Somebody changes a letter in what was recorded, in a copy of the store:")?;
        self.forge()?;
        self.step(Copy::Forged, &["verify", RUN], 1)?;
        say("The copy is refused, and verify says which fact was altered.")
    }

    /// With git the demo shows that what git holds is not copied; without, it works all the same.
    fn commit_workspace(&self) -> Result<(), Failure> {
        let git = |arguments: &[&str]| {
            let mut command = Command::new("git");
            command.current_dir(self.workspace()).env("HOME", self.root.join("home"));
            command.args(["-c", "user.name=demo", "-c", "user.email=demo@localhost"]).args(arguments);
            command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
        };
        let committed = git(&["init", "--quiet"]) && git(&["add", "."]) && git(&["commit", "--quiet", "-m", "Prices"]);
        if committed { Ok(()) } else { say("(without git: the workspace is a plain folder)") }
    }

    /// Runs this program as the user would, and shows the command.
    fn step(&self, copy: Copy, arguments: &[&str], expected: i32) -> Result<(), Failure> {
        let mut out = anstream::stdout();
        writeln!(out, "{} agentprov {}", styled(QUIET, "$"), styled(TITLE, arguments.join(" ")))?;
        out.flush()?;
        let mut command = Command::new(&self.program);
        if std::env::var_os("CARGO").is_some() {
            // Cargo's own folders, which the loader of every recorded program would try: facts that nobody asked for.
            command.env_remove("LD_LIBRARY_PATH");
        }
        let status = command
            .args(arguments)
            .current_dir(self.workspace())
            .env("AGENTPROV_DATA_DIR", self.store(copy))
            .env_remove("AGENTPROV_DAEMON_URL")
            .env_remove("AGENTPROV_EXIT_ZERO")
            .env("HOME", self.root.join("home"))
            .env("AGENTPROV", &self.program)
            .env("XDG_STATE_HOME", self.root.join("state"))
            .stdin(Stdio::null())
            .status()
            .map_err(|error| Failure::new(format!("can't run {}: {error}", self.program.display())))?;
        if status.code() == Some(expected) {
            return Ok(());
        }
        Err(Failure::new(format!("`agentprov {}` ended with {status}, not with {expected}", arguments.join(" "))))
    }

    /// Copies the store and changes one letter of a fact in its database, as somebody with a hex editor could.
    fn forge(&self) -> Result<(), Failure> {
        let (from, to) = (self.store(Copy::Genuine), self.store(Copy::Forged));
        copy_folder(&from, &to)?;
        let mut altered = 0;
        for entry in std::fs::read_dir(&to).map_err(write_failed(&to))? {
            let path = entry.map_err(write_failed(&to))?.path();
            if path.is_file() {
                altered += alter(&path)?;
            }
        }
        if altered == 0 {
            return Err(Failure::new(
                "the recorded test run was not found in the database, so nothing could be forged",
            ));
        }
        let was = String::from_utf8_lossy(GENUINE);
        let mut out = anstream::stdout();
        writeln!(out, "  {} {was}", styled(GOOD, "-"))?;
        writeln!(out, "  {} {}", styled(BAD, "+"), String::from_utf8_lossy(FORGED))?;
        Ok(())
    }
}

/// Changes every place that holds the genuine text, pages that SQLite no longer uses included; gives how many.
fn alter(path: &Path) -> Result<usize, Failure> {
    let mut bytes = std::fs::read(path).map_err(write_failed(path))?;
    let places: Vec<usize> =
        (0..bytes.len().saturating_sub(GENUINE.len() - 1)).filter(|at| bytes[*at..].starts_with(GENUINE)).collect();
    for at in &places {
        bytes[*at..at + FORGED.len()].copy_from_slice(FORGED);
    }
    if !places.is_empty() {
        std::fs::write(path, bytes).map_err(write_failed(path))?;
    }
    Ok(places.len())
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::create_dir(to).map_err(write_failed(to))?;
    std::fs::set_permissions(to, std::fs::metadata(from).map_err(write_failed(from))?.permissions())
        .map_err(write_failed(to))?;
    for entry in std::fs::read_dir(from).map_err(write_failed(from))? {
        let entry = entry.map_err(write_failed(from))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &target)?;
        } else {
            std::fs::copy(&path, &target).map_err(write_failed(&target))?;
        }
    }
    Ok(())
}

fn write_failed(path: &Path) -> impl Fn(std::io::Error) -> Failure {
    move |error| Failure::new(format!("{}: {error}", path.display()))
}

fn say(text: &str) -> Result<(), Failure> {
    writeln!(anstream::stdout(), "\n{}", styled(TITLE, text))?;
    Ok(())
}
