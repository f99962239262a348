//! Rows whose contestants are examples of the library crates: they measure what the command line would only blur, assert that the
//! work was done, and print the seconds that it took.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::contestant::{Contestant, Evidence};
use super::row::{Aim, Prepared, Row};
use crate::Result;
use crate::workspace;

const MILLION: &str = "1000000";

pub(crate) fn rows() -> Vec<Box<dyn Row>> {
    vec![
        Box::new(ExampleRow {
            name: "append: 1,000,000 facts, hashed, indexed, durable",
            measures: "facts through the one writer against a bare SQLite bulk insert of the same bodies",
            package: "agentprov-store",
            example: "append_speed",
            modes: &["ours", "bare"],
            facts: MILLION,
            // At least 45 % of the rate of the bare insert.
            aim: Aim::TimesRival { place: 1, times: 1.0 / 0.45 },
            only_when_named: false,
        }),
        Box::new(ExampleRow {
            name: "append: 200,000 facts/s",
            measures: "the same, against the clock",
            package: "agentprov-store",
            example: "append_speed",
            modes: &["ours"],
            facts: MILLION,
            aim: Aim::AtMost(Duration::from_secs(5)),
            only_when_named: false,
        }),
        Box::new(ExampleRow {
            name: "verify: 1,000,000 facts",
            measures: "every check of a run against hashing the same bodies on one thread",
            package: "agentprov-graph",
            example: "view_speed",
            modes: &["verify", "hash"],
            facts: MILLION,
            aim: Aim::AtMost(Duration::from_secs(1)),
            only_when_named: false,
        }),
        Box::new(ExampleRow {
            name: "timeline: slowest page of 1,000,000 facts",
            measures: "pages of 100 rows under eleven filters, each compared with a sorted list",
            package: "agentprov-graph",
            example: "view_speed",
            modes: &["slowest"],
            facts: MILLION,
            aim: Aim::AtMost(Duration::from_millis(10)),
            only_when_named: false,
        }),
        ingest_row("ingest: 100,000 events", "100000", Duration::from_micros(666_667), false),
        ingest_row("ingest: 500,000 events", "500000", Duration::from_micros(3_333_333), false),
        ingest_row("ingest: 5,000,000 events", "5000000", Duration::from_micros(33_333_333), true),
    ]
}

/// Reported events at 150,000 a second.
fn ingest_row(name: &'static str, facts: &'static str, limit: Duration, only_when_named: bool) -> Box<dyn Row> {
    Box::new(ExampleRow {
        name,
        measures: "JSONL to durable, hashed, correlated and judged facts with 10,000 open bindings in less than 150 MiB, \
                   against jq parsing the same rows and a bare SQLite insert of what comes of them",
        package: "agentprov-policy",
        example: "telemetry_speed",
        modes: &["ours", "jq", "bare"],
        facts,
        aim: Aim::AtMost(limit),
        only_when_named,
    })
}

struct ExampleRow {
    name: &'static str,
    measures: &'static str,
    package: &'static str,
    example: &'static str,
    modes: &'static [&'static str],
    facts: &'static str,
    aim: Aim,
    only_when_named: bool,
}

impl Row for ExampleRow {
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
        self.only_when_named
    }

    fn prepare(&self, _agentprov: &Path) -> Result<Prepared> {
        let status = workspace::cargo()
            .args(["build", "--quiet", "--release", "--package", self.package, "--example", self.example])
            .status()
            .map_err(|error| format!("cannot run cargo: {error}"))?;
        if !status.success() {
            return Err(format!("the example {} does not build", self.example));
        }
        let program = workspace::target_dir().join("release").join("examples").join(self.example);
        let contestants = self.modes.iter().map(|mode| {
            let contestant = Mode { program: program.clone(), mode, facts: self.facts, done: String::new() };
            Box::new(contestant) as Box<dyn Contestant>
        });
        Ok(Prepared::Ready(contestants.collect()))
    }
}

/// One mode of an example.
struct Mode {
    program: PathBuf,
    mode: &'static str,
    facts: &'static str,
    done: String,
}

impl Contestant for Mode {
    fn name(&self) -> String {
        self.mode.to_owned()
    }

    fn reset(&mut self) -> Result<()> {
        self.done.clear();
        Ok(())
    }

    /// The example prints one line: seconds, then what it did.
    fn run(&mut self) -> Result<Duration> {
        let failed = |why: String| format!("{} {}: {why}", self.program.display(), self.mode);
        let output = Command::new(&self.program)
            .args([self.mode, self.facts])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        let line = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let (seconds, done) = line.split_once(' ').ok_or_else(|| failed(format!("printed {line:?}")))?;
        let seconds: f64 = seconds.parse().map_err(|_| failed(format!("printed {line:?}")))?;
        self.done = done.to_owned();
        Ok(Duration::from_secs_f64(seconds))
    }

    fn assert_captured(&mut self) -> Result<Evidence> {
        if !self.done.contains(self.facts) {
            return Err(format!("{}: it did {:?}", self.mode, self.done));
        }
        Ok(Evidence { done: self.done.clone(), stored_bytes: None })
    }
}
