//! Rows for the review of a large change that a recorded command made: attributed, scanned, decided and signed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::contestant::{Contestant, Evidence, time};
use super::row::{Aim, Prepared, Row};
use super::store::{RUN, Store, at_least};
use super::workloads::reviewed_change::{FILES, LINES, files};
use super::workloads::{commit_all, write};
use crate::Result;
use crate::scratch::Scratch;

/// What a row times.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Everything, from the commits to the signed decision.
    Whole,
    /// Who wrote the lines, with the facts and the proofs that show it.
    Attribution,
    /// Everything, with Semgrep as the second engine.
    WithSemgrep,
}

impl Part {
    const ALL: [Self; 3] = [Self::Whole, Self::Attribution, Self::WithSemgrep];
}

pub(crate) fn rows() -> Vec<Box<dyn Row>> {
    Part::ALL.into_iter().map(|part| Box::new(part) as Box<dyn Row>).collect()
}

impl Row for Part {
    fn name(&self) -> String {
        match self {
            Self::Whole => "review: 10,000 lines in 300 files, attributed, scanned, decided, signed",
            Self::Attribution => "review: attribution of 10,000 lines in 300 files alone",
            Self::WithSemgrep => "review: 10,000 lines in 300 files, with Semgrep as the second engine",
        }
        .to_owned()
    }

    fn measures(&self) -> String {
        match self {
            Self::Whole => "`agentprov review --sign` of a recorded change; every line has to have its owner, every planted finding is found, the decision verifies; against `git diff` of the same commits",
            Self::Attribution => "`agentprov attribution export` of the same change: facts and proofs of all lines; against `git blame` of one of its files",
            Self::WithSemgrep => "the same review with Semgrep and our rules for it, against the review without",
        }
        .to_owned()
    }

    fn aim(&self) -> Option<Aim> {
        match self {
            Self::Whole => Some(Aim::AtMost(Duration::from_millis(1500))),
            Self::Attribution => Some(Aim::AtMost(Duration::from_millis(150))),
            Self::WithSemgrep => None,
        }
    }

    fn prepare(&self, agentprov: &Path) -> Result<Prepared> {
        let semgrep = crate::test::semgrep();
        if *self == Self::WithSemgrep && semgrep.is_none() {
            return Ok(Prepared::Unavailable(
                "semgrep is not installed; see `cargo xtask test --only pypi`".to_owned(),
            ));
        }
        let change = Rc::new(RecordedChange::new(agentprov)?);
        let contestant = |does: Does| -> Box<dyn Contestant> { Box::new(Run { change: change.clone(), does }) };
        Ok(Prepared::Ready(match (self, semgrep) {
            (Self::Attribution, _) => vec![contestant(Does::Attribute), contestant(Does::Blame)],
            (Self::WithSemgrep, Some(semgrep)) => {
                vec![contestant(Does::Review { semgrep: Some(semgrep) }), contestant(Does::Review { semgrep: None })]
            }
            _ => vec![contestant(Does::Review { semgrep: None }), contestant(Does::Diff)],
        }))
    }
}

/// A repository whose last commit a recorded command wrote.
struct RecordedChange {
    store: Store,
    repository: Scratch,
}

const RANGE: &str = "HEAD~1..HEAD";
/// What is recorded writing the change.
const COMMAND: &str = "cp";

impl RecordedChange {
    fn new(agentprov: &Path) -> Result<Self> {
        let change = Self { store: Store::new(agentprov)?, repository: Scratch::new("bench-review")? };
        let next = Scratch::new("bench-next")?;
        for file in files() {
            write(&change.root().join(&file.path), &file.before)?;
            write(&next.path().join(&file.path), &file.after)?;
        }
        commit_all(change.root())?;
        let mut record = change.agentprov();
        record.args(["record", "--quiet", "--run", RUN, "--", COMMAND, "--recursive"]);
        time(record.arg(next.path().join("src")).arg("."))?;
        commit_all(change.root())?;
        Ok(change)
    }

    fn root(&self) -> &Path {
        self.repository.path()
    }

    fn decision(&self) -> PathBuf {
        self.store.path().join("decision.json")
    }

    fn evidence(&self) -> PathBuf {
        self.store.path().join("evidence.json")
    }

    fn agentprov(&self) -> Command {
        let mut command = self.store.agentprov();
        command.current_dir(self.root());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PROVENANCE_")) {
            command.env_remove(name);
        }
        command
    }

    fn git(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(self.root());
        command
    }

    /// The JSON that the program prints; a review says with its exit status what it decided.
    fn answer(&self, command: &mut Command) -> Result<Value> {
        let output = command.output().map_err(|error| format!("cannot start agentprov: {error}"))?;
        serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("agentprov: {error}: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}

/// What a contestant does with the change.
enum Does {
    Review { semgrep: Option<PathBuf> },
    Attribute,
    Diff,
    Blame,
}

struct Run {
    change: Rc<RecordedChange>,
    does: Does,
}

impl Run {
    fn review(&self, semgrep: Option<&Path>) -> Command {
        let mut command = self.change.agentprov();
        command.args(["review", RANGE]);
        match semgrep {
            Some(program) => add_to_path(&mut command, program),
            None => drop(command.args(["--semgrep", "off"])),
        }
        command
    }

    /// Every line has its owner, every planted finding is found, and the decision verifies.
    fn assert_reviewed(&self, semgrep: Option<&Path>) -> Result<Evidence> {
        let document = self.change.answer(self.review(semgrep).arg("--json"))?;
        let lines = at_least(&document["coverage"], "total_lines", LINES as u64)?;
        at_least(&document["coverage"], "observed_lines", lines)?;
        let owner = document["owners"][0]["owner"].as_str().unwrap_or_default();
        if owner != COMMAND {
            return Err(format!("the lines are said to be of {owner:?}"));
        }
        at_least(&document["owners"][0], "added", lines)?;
        let findings = document["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
        let files: BTreeSet<&str> = findings.iter().filter_map(|one| one["path"].as_str()).collect();
        if files.len() < FILES || !document["gaps"].as_array().is_some_and(Vec::is_empty) {
            return Err(format!("findings in {} files, and not scanned: {}", files.len(), document["gaps"]));
        }
        let mut verify = self.change.agentprov();
        verify.args(["verify", "--json", "--statement"]).arg(self.change.decision());
        if let Some(program) = semgrep {
            add_to_path(&mut verify, program);
        }
        let verified = self.change.answer(&mut verify)?;
        if verified["verdict"] != "verified" {
            return Err(format!("the decision does not verify: {verified}"));
        }
        let (found, outcome) = (findings.len(), document["outcome"].as_str().unwrap_or_default());
        let done = format!("{lines} lines of {owner}, {found} findings, {outcome}, signed and verified");
        Ok(Evidence { done, stored_bytes: Some(size_of(&self.change.decision())?) })
    }

    /// The facts are there and stand for every line.
    fn assert_attributed(&self) -> Result<Evidence> {
        let path = self.change.evidence();
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let document: Value = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        let parts = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
        let files = parts(&document["evidence"], "files");
        let spans = files.iter().flat_map(|file| parts(file, "lines"));
        let span = |span: &Value| Some(span["last"].as_u64()? - span["first"].as_u64()? + 1);
        let lines: u64 = spans.filter_map(|one| span(&one)).sum();
        let facts: usize = parts(&document["evidence"], "logs").iter().map(|log| parts(log, "facts").len()).sum();
        if lines < LINES as u64 || facts == 0 {
            return Err(format!("evidence of {lines} lines, {facts} facts"));
        }
        let done = format!("{lines} lines in {} files, {facts} facts with proofs", files.len());
        Ok(Evidence { done, stored_bytes: Some(text.len() as u64) })
    }
}

impl Contestant for Run {
    fn name(&self) -> String {
        match &self.does {
            Does::Review { semgrep: None } => "agentprov review --sign",
            Does::Review { semgrep: Some(_) } => "agentprov review --sign, with Semgrep",
            Does::Attribute => "agentprov attribution export",
            Does::Diff => "git diff",
            Does::Blame => "git blame of one file",
        }
        .to_owned()
    }

    fn reset(&mut self) -> Result<()> {
        for path in [self.change.decision(), self.change.evidence()] {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(format!("{}: {error}", path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn run(&mut self) -> Result<Duration> {
        let change = &self.change;
        match &self.does {
            Does::Review { semgrep } => {
                time_decision(self.review(semgrep.as_deref()).arg("--sign").arg(change.decision()))
            }
            Does::Attribute => {
                let mut export = change.agentprov();
                time(export.args(["attribution", "export", RANGE, "--output"]).arg(change.evidence()))
            }
            Does::Diff => time(&mut change.git(&["diff", "HEAD~1", "HEAD"])),
            Does::Blame => {
                let path = files().next().map(|file| file.path).unwrap_or_default();
                time(&mut change.git(&["blame", &path]))
            }
        }
    }

    fn assert_captured(&mut self) -> Result<Evidence> {
        match &self.does {
            Does::Review { semgrep } => self.assert_reviewed(semgrep.as_deref()),
            Does::Attribute => self.assert_attributed(),
            Does::Diff | Does::Blame => Ok(Evidence::default()),
        }
    }
}

/// As `time`; what is planted may be decided to block, which is a success here.
fn time_decision(command: &mut Command) -> Result<Duration> {
    let start = Instant::now();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("cannot start agentprov: {error}"))?;
    let took = start.elapsed();
    match output.status.code() {
        Some(0 | 1) => Ok(took),
        _ => Err(format!("agentprov review: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim())),
    }
}

fn size_of(path: &Path) -> Result<u64> {
    std::fs::metadata(path).map(|metadata| metadata.len()).map_err(|error| format!("{}: {error}", path.display()))
}

fn add_to_path(command: &mut Command, program: &Path) {
    let old = std::env::var_os("PATH").unwrap_or_default();
    let folders = program.parent().map(Path::to_path_buf).into_iter().chain(std::env::split_paths(&old));
    if let Ok(path) = std::env::join_paths(folders) {
        command.env("PATH", path);
    }
}
