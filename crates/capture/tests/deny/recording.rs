//! Recording this test's own program again, in another part of it.

use agentprov_capture::{
    AttemptEnd, Backend, Command, ContentSink, Finished, Gate, Limits, Observation, Options, Orphans, Recorder,
    RecorderFault, ScopeStart, StdoutTo, record_gated,
};
use agentprov_model::{Content, ContentId, GitBlobId, HashOnly, Kept, OutputStream, What};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// True where calls can be denied.
pub(crate) fn possible() -> bool {
    let possible = agentprov_capture::probe().iter().any(|probe| probe.name == "ptrace" && probe.usable);
    if !possible {
        println!("SKIP {}: no ptrace here", crate::TEST);
    }
    possible
}

/// How observed calls ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) denied: u64,
    pub(crate) passed: u64,
    /// Calls that ended in another way, and how the last of them did.
    pub(crate) wrong: u64,
    pub(crate) other: String,
}

/// What a test says of an observation: nothing, or how the call ended.
pub(crate) type Sort = fn(&What, &str) -> Option<Ended>;

pub(crate) enum Ended {
    Denied,
    Passed,
    Other(String),
}

/// Counts, and writes the counts to a file when the attempt ends: it lives in another process.
struct Counter {
    sort: Sort,
    hint: String,
    counts: Counts,
    report: PathBuf,
}

struct NoContents;

impl ContentSink for NoContents {
    fn keep(&self, _bytes: &[u8], _sha256: ContentId, _git: Option<GitBlobId>) -> Kept {
        Kept::HashOnly(HashOnly::RunBudget)
    }

    fn keep_output(&self, _stream: OutputStream, _bytes: Vec<u8>) -> Content {
        panic!("no output is kept in this test")
    }
}

impl Recorder for Counter {
    fn begin(&mut self, _start: ScopeStart) -> Result<(), RecorderFault> {
        Ok(())
    }

    fn observe(&mut self, observation: Observation) {
        match (self.sort)(&observation.what, &self.hint) {
            Some(Ended::Denied) => self.counts.denied += 1,
            Some(Ended::Passed) => self.counts.passed += 1,
            Some(Ended::Other(how)) => {
                self.counts.wrong += 1;
                self.counts.other = how;
            }
            None => {}
        }
    }

    fn contents(&self) -> Arc<dyn ContentSink> {
        Arc::new(NoContents)
    }

    fn end(&mut self, _end: AttemptEnd) -> Result<(), RecorderFault> {
        let Counts { denied, passed, wrong, other } = &self.counts;
        let text = format!("{denied} {passed} {wrong} {other}");
        std::fs::write(&self.report, text).map_err(|error| RecorderFault { message: error.to_string(), hint: None })
    }
}

/// Records this program with a variable set, under a gate.
pub(crate) fn again(
    (variable, value): (&str, &str),
    folder: &Path,
    gate: Arc<dyn Gate>,
    (sort, hint): (Sort, &str),
) -> (Finished, Counts) {
    let report = folder.join("report");
    let command = Command {
        argv: vec![std::env::current_exe().expect("this test").into(), crate::TEST.into(), "--exact".into()],
        workdir: folder.to_owned(),
        env: vec![(variable.into(), value.into())],
        stdout: StdoutTo::Stderr,
        keep_output: None,
    };
    let options = Options {
        backend: Backend::Auto,
        reads: false,
        grace: Duration::from_millis(50),
        orphans: Orphans::Observe,
        workspace: folder.to_owned(),
        limits: Limits::default(),
        contents: false,
        sample_interval: Duration::from_millis(25),
        own_files: Vec::new(),
    };
    let counts = Counts { denied: 0, passed: 0, wrong: 0, other: String::new() };
    let counter = Counter { sort, hint: hint.to_owned(), counts, report: report.clone() };
    let finished = record_gated(&command, &options, || Some(gate), || Ok(counter), &mut |_| {}).expect("a recording");
    let report = std::fs::read_to_string(report).expect("a report");
    let mut parts = report.splitn(4, ' ');
    let mut number = || parts.next().and_then(|part| part.parse::<u64>().ok()).expect("a number");
    let [denied, passed, wrong] = [number(), number(), number()];
    let other = parts.next().unwrap_or_default().to_owned();
    println!("denied {denied}, passed {passed}, wrong {wrong} {other}");
    (finished, Counts { denied, passed, wrong, other })
}
