//! Rows for a session of Claude Code with a model that plays a script: bare, with hooks that do nothing, and recorded.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::contestant::{Contestant, Evidence, time};
use super::row::{Aim, Prepared, Row};
use super::store::{RUN, at_least};
use crate::Result;
use crate::scratch::Scratch;
use crate::workspace;

const PACKAGE: &str = "@anthropic-ai/claude-code@2.1.197";
/// Calls of a session, one a step.
const CALLS: usize = 50;
/// Every fifth call is an edit in the agent's own process, the others are commands.
const EDIT_EVERY: usize = 5;
/// Seconds after which a session is ended from outside.
const LONGEST: &str = "300";

/// How the session goes.
#[derive(Clone, Copy)]
struct Session {
    name: &'static str,
    measures: &'static str,
    seconds_per_step: u32,
    ways: &'static [Way],
    aim: Aim,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Recorded,
    NoOpHooks,
    Bare,
}

const SESSIONS: [Session; 2] = [
    Session {
        name: "agent session: 50 calls, a model that answers at once",
        measures: "Claude Code under `record` with its hooks set up, against the same with hooks that run `true`, and bare",
        seconds_per_step: 0,
        ways: &[Way::Recorded, Way::NoOpHooks, Way::Bare],
        aim: Aim::TimesRival { place: 1, times: 1.15 },
    },
    Session {
        name: "agent session: 50 calls, a model that takes 1 s a step",
        measures: "Claude Code under `record` with its hooks set up, against the same bare, and with hooks that run `true`",
        seconds_per_step: 1,
        ways: &[Way::Recorded, Way::Bare, Way::NoOpHooks],
        aim: Aim::TimesRival { place: 1, times: 1.05 },
    },
];

pub(crate) fn rows() -> Vec<Box<dyn Row>> {
    SESSIONS.into_iter().map(|session| Box::new(session) as Box<dyn Row>).collect()
}

impl Row for Session {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn measures(&self) -> String {
        self.measures.to_owned()
    }

    fn aim(&self) -> Option<Aim> {
        Some(self.aim)
    }

    fn only_when_named(&self) -> bool {
        self.seconds_per_step > 0
    }

    fn prepare(&self, agentprov: &Path) -> Result<Prepared> {
        let mut alone = Command::new("unshare");
        if !alone.args(namespace()).arg("true").stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
            return Ok(Prepared::Unavailable("no network namespace can be made here".to_owned()));
        }
        let Some(agent) = installed() else {
            return Ok(Prepared::Unavailable(format!("{PACKAGE} can't be installed from the npm registry")));
        };
        let contestants = self.ways.iter().map(|way| {
            let contestant =
                Run { session: *self, way: *way, agent: agent.clone(), agentprov: agentprov.to_owned(), place: None };
            Box::new(contestant) as Box<dyn Contestant>
        });
        Ok(Prepared::Ready(contestants.collect()))
    }
}

fn namespace() -> &'static [&'static str] {
    let root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if root { &["--net"] } else { &["--user", "--map-root-user", "--net"] }
}

/// The agent's program, where the tests have it too.
fn installed() -> Option<PathBuf> {
    let folder = workspace::target_dir().join("tmp/agents").join(PACKAGE.replace(['/', '@'], "-"));
    let program = folder.join("node_modules/@anthropic-ai/claude-code-linux-x64/claude");
    if program.is_file() {
        return Some(program);
    }
    std::fs::create_dir_all(&folder).ok()?;
    let mut npm = Command::new("timeout");
    npm.args(["120", "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]).arg(&folder);
    let output = npm.arg(PACKAGE).stdin(Stdio::null()).output().ok()?;
    (output.status.success() && program.is_file()).then_some(program)
}

/// A session in a home of its own.
struct Run {
    session: Session,
    way: Way,
    agent: PathBuf,
    agentprov: PathBuf,
    place: Option<Scratch>,
}

impl Run {
    fn root(&self) -> Result<&Path> {
        self.place.as_ref().map(Scratch::path).ok_or_else(|| "no session was prepared".to_owned())
    }

    /// In the session's folder, with its home and nothing of the caller's.
    fn surround<'c>(&self, command: &'c mut Command) -> Result<&'c mut Command> {
        let root = self.root()?;
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", root.join("home")).env("TMPDIR", root.join("tmp")).env("LC_ALL", "C");
        command.env("XDG_STATE_HOME", root.join("state")).env("ANTHROPIC_API_KEY", "made-up");
        command.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1").env("DISABLE_TELEMETRY", "1");
        Ok(command.current_dir(root.join("work")))
    }

    fn script(&self) -> Result<Value> {
        let work = self.root()?.join("work");
        let steps = (0..CALLS).map(|number| {
            let (tool, input) = if number % EDIT_EVERY == 0 {
                ("Write", json!({"file_path": work.join(file(number)), "content": "written\n"}))
            } else {
                ("Bash", json!({"command": format!("echo done >{}", file(number))}))
            };
            json!([{"id": format!("call-{number}"), "name": tool, "input": input}])
        });
        Ok(json!({"steps": steps.collect::<Vec<_>>(), "seconds_per_step": self.session.seconds_per_step}))
    }

    /// The settings that `setup` makes, with hooks that do nothing.
    fn quiet_hooks(&self) -> Result<()> {
        let path = self.root()?.join("work/.claude/settings.json");
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(&path).map_err(|error| failed(&error))?;
        let mut settings: Value = serde_json::from_str(&text).map_err(|error| failed(&error))?;
        let events = settings["hooks"].as_object_mut().ok_or_else(|| failed(&"it has no hooks"))?;
        let mut quiet = 0;
        for groups in events.values_mut().filter_map(Value::as_array_mut) {
            for hook in groups.iter_mut().filter_map(|group| group["hooks"].as_array_mut()).flatten() {
                hook["command"] = json!("true");
                hook["args"] = json!([]);
                quiet += 1;
            }
        }
        if quiet == 0 {
            return Err(failed(&"it has no hooks"));
        }
        std::fs::write(&path, settings.to_string()).map_err(|error| failed(&error))
    }
}

fn file(number: usize) -> String {
    format!("call-{number}.txt")
}

impl Contestant for Run {
    fn name(&self) -> String {
        match self.way {
            Way::Recorded => "recorded",
            Way::NoOpHooks => "no-op hooks",
            Way::Bare => "bare",
        }
        .to_owned()
    }

    fn reset(&mut self) -> Result<()> {
        self.place = Some(Scratch::new("session")?);
        let root = self.root()?.to_owned();
        for folder in ["work", "home", "tmp"] {
            std::fs::create_dir(root.join(folder)).map_err(|error| format!("{}: {error}", root.display()))?;
        }
        let script = root.join("script.json");
        std::fs::write(&script, self.script()?.to_string())
            .map_err(|error| format!("{}: {error}", script.display()))?;
        if self.way != Way::Bare {
            let mut setup = Command::new(&self.agentprov);
            time(self.surround(setup.args(["setup", "claude", "--project"]))?)?;
        }
        if self.way == Way::NoOpHooks { self.quiet_hooks() } else { Ok(()) }
    }

    fn run(&mut self) -> Result<Duration> {
        let server = workspace::root().join("examples/model-server/model_server.py");
        let mut command = Command::new("timeout");
        command.args([LONGEST, "unshare"]).args(namespace());
        command.args(["sh", "-c", "ip link set lo up && exec \"$@\"", "alone", "python3"]).arg(server);
        command.arg(self.root()?.join("script.json")).arg("--");
        if self.way == Way::Recorded {
            command.arg(&self.agentprov).args(["record", "--quiet", "--run", RUN, "--"]);
        }
        command.arg(&self.agent).args(["-p", "do it", "--permission-mode", "acceptEdits"]);
        command.args(["--allowedTools", "Bash", "Write"]);
        time(self.surround(&mut command)?)
    }

    fn assert_captured(&mut self) -> Result<Evidence> {
        let work = self.root()?.join("work");
        let made = (0..CALLS).filter(|number| work.join(file(*number)).is_file()).count();
        if made != CALLS {
            return Err(format!("{made} of {CALLS} calls left their file"));
        }
        if self.way != Way::Recorded {
            return Ok(Evidence { done: format!("{made} files"), stored_bytes: None });
        }
        let mut command = Command::new(&self.agentprov);
        let output = self
            .surround(command.args(["reconcile", RUN, "--json"]))?
            .output()
            .map_err(|error| format!("cannot start agentprov: {error}"))?;
        let document: Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("reconcile: {error}: {}", String::from_utf8_lossy(&output.stderr).trim()))?;
        let calls = u64::try_from(CALLS).unwrap_or(u64::MAX);
        let matched = at_least(&document["counts"], "matched", calls)?;
        for (number, call) in document["calls"].as_array().into_iter().flatten().enumerate() {
            let own = |row: &&Value| row["path"] == json!(file(number)) && row["state"] == "bound";
            if call["tool_call_id"] != json!(format!("call-{number}"))
                || call["files"].as_array().is_none_or(|files| files.iter().filter(own).count() == 0)
            {
                return Err(format!("call {number} is not bound to its file: {call}"));
            }
        }
        let stored = std::fs::metadata(work.join(".agentprov/store.db")).map_or(0, |file| file.len());
        Ok(Evidence { done: format!("{matched} calls bound to their files"), stored_bytes: Some(stored) })
    }
}
