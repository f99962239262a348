//! Every object of a run by number, made when it is asked for.
//!
//! Order: attempts and tool calls, processes by start, one object a fact, changed files, their diffs and blames,
//! the evidence manifest, and last the root, which names all of them but the facts; those are under the log's own root.

use super::object::Object;
use crate::blame::blame;
use crate::diff::file_diff;
use crate::error::GraphError;
use crate::evidence_manifest::{DEFAULT_OBJECT_LIMIT, manifest_object, manifest_of};
use crate::processes::{Process, ProcessTable};
use crate::result_set::Pin;
use crate::scope_context::{Scope, Scopes};
use crate::timeline::{Totals, command_line};
use crate::versions::{ChangedFile, FilePath, changed_files};
use agentprov_log::leaf_hash;
use agentprov_model::{AttemptNo, EventTime, Fact, Lane, OsBytes, ProcessId};
use agentprov_store::{Reader, RunRow, Seq};
use serde::Serialize;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};

/// The objects of a run.
pub struct Catalogue<'a> {
    reader: &'a Reader,
    run: &'a RunRow,
    scopes: Scopes,
    pin: Pin,
    totals: Totals,
    /// Attempts and tool calls, then processes.
    actors: Vec<Object>,
    process_hashes: HashMap<ProcessId, String>,
    tool_call_hashes: Vec<String>,
    files: Vec<ChangedFile>,
}

/// Body of a process object.
#[derive(Serialize)]
struct ProcessFacts<'a> {
    process_id: ProcessId,
    pid: u32,
    start_ticks: u64,
    ppid: u32,
    parent_process_id: Option<ProcessId>,
    started_at: String,
    ended_at: Option<String>,
    outcome: &'a Option<agentprov_model::Outcome>,
    outlived: bool,
    root: bool,
    programs: Vec<&'a [OsBytes]>,
}

/// Body of a fact's object.
#[derive(Serialize)]
struct FactWithLeaf<'a> {
    seq: Seq,
    /// Leaf of the run's log, so that the object can be proved against a checkpoint.
    leaf: String,
    fact: &'a Fact,
}

impl<'a> Catalogue<'a> {
    /// Makes the objects of attempts, tool calls and processes, and counts the rest.
    ///
    /// # Errors
    /// What the store says.
    pub fn load(reader: &'a Reader, run: &'a RunRow) -> Result<Self, GraphError> {
        let scopes = Scopes::load(reader, run)?;
        let mut catalogue = Self {
            pin: Pin::head(run)?,
            totals: Totals::load(reader, run, run.size)?,
            files: changed_files(reader, run, None)?,
            reader,
            run,
            scopes,
            actors: Vec::new(),
            process_hashes: HashMap::new(),
            tool_call_hashes: Vec::new(),
        };
        catalogue.add_scopes();
        for process in ProcessTable::load(reader, run)?.iter() {
            catalogue.add_process(process);
        }
        Ok(catalogue)
    }

    fn add_scopes(&mut self) {
        for scope in self.scopes.iter() {
            let started = &scope.attempt.started;
            let at = scope.attempt.started_at;
            let attempt = Object::new(self.run, "attempt", started.attempt_id.as_str(), &[], at, &attempt_body(scope));
            let parent = [attempt.row.hash.clone()];
            let body = json!({
                "tool_call_id": started.tool_call_id,
                "attempt_id": started.attempt_id,
                "session_id": started.session_id,
                "command": command_line(&started.argv),
                "argv": started.argv,
                "status": scope.status().0,
                "state": scope.status().1,
            });
            let tool_call = Object::new(self.run, "tool_call", started.tool_call_id.as_str(), &parent, at, &body);
            self.tool_call_hashes.push(tool_call.row.hash.clone());
            self.actors.extend([attempt, tool_call]);
        }
    }

    fn tool_call_hash(&self, attempt: AttemptNo) -> Option<String> {
        let place = self.scopes.iter().position(|scope| scope.attempt.no == attempt)?;
        self.tool_call_hashes.get(place).cloned()
    }

    /// Processes come in order of start, so a parent inside the run is there before its children.
    fn add_process(&mut self, process: &Process) {
        let parent = process.started.parent.and_then(|parent| self.process_hashes.get(&parent).cloned());
        let parents: Vec<String> = self.tool_call_hash(process.attempt).into_iter().chain(parent).collect();
        let body = ProcessFacts {
            process_id: process.id,
            pid: process.started.pid,
            start_ticks: process.started.start_ticks,
            ppid: process.started.ppid,
            parent_process_id: process.started.parent,
            started_at: process.started_at.to_rfc3339(),
            ended_at: process.ended_at.map(|at| at.to_rfc3339()),
            outcome: &process.outcome,
            outlived: process.outlived,
            root: process.root,
            programs: process.execs.iter().map(|exec| exec.exec.argv.as_slice()).collect(),
        };
        let object = Object::new(self.run, "process", process.id.to_string(), &parents, process.started_at, &body);
        self.process_hashes.insert(process.id, object.row.hash.clone());
        self.actors.push(object);
    }

    /// Objects of the run.
    pub fn count(&self) -> u64 {
        self.manifest_index() + 2
    }

    /// Number of the evidence manifest; the root comes after it.
    pub fn manifest_index(&self) -> u64 {
        self.facts().end + 3 * self.files.len() as u64
    }

    /// Hashes of attempts, tool calls and processes, in order.
    pub fn actor_hashes(&self) -> Vec<String> {
        self.actors.iter().map(|object| object.row.hash.clone()).collect()
    }

    /// When the first attempt began.
    pub fn began(&self) -> EventTime {
        self.scopes.iter().map(|scope| scope.attempt.started_at).min().unwrap_or_default()
    }

    /// Objects by kind.
    pub fn by_type(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for object in &self.actors {
            *counts.entry(object.row.kind).or_default() += 1;
        }
        let evidence = self.totals.by_lane().get(&Lane::Evidence).copied().unwrap_or(0);
        let files = self.files.len() as u64;
        counts.extend([
            ("event", self.pin.size - evidence),
            ("evidence", evidence),
            ("artifact", files),
            ("diff_manifest", files),
            ("blame_manifest", files),
            ("evidence_manifest", 1),
            ("audit_manifest", 1),
        ]);
        counts.retain(|_, count| *count > 0);
        counts
    }

    /// Numbers of the objects of facts.
    pub fn facts(&self) -> std::ops::Range<u64> {
        let start = self.actors.len() as u64;
        start..start + self.pin.size
    }

    /// The object of a number below [`Catalogue::count`].
    ///
    /// # Errors
    /// [`GraphError::Argument`] for a higher number, or what the store says.
    pub fn object(&self, index: u64) -> Result<Object, GraphError> {
        let actors = self.actors.len() as u64;
        let files = self.files.len() as u64;
        if index < actors {
            return Ok(self.actors[index as usize].clone());
        }
        let index = index - actors;
        if index < self.pin.size {
            return self.fact_object(index);
        }
        let index = index - self.pin.size;
        match (index.checked_div(files), files) {
            (Some(group @ 0..=2), 1..) => {
                let file = &self.files[(index % files) as usize];
                match group {
                    0 => self.artifact(file),
                    1 => self.diff_manifest(file),
                    _ => self.blame_manifest(file),
                }
            }
            _ if index == 3 * files => self.evidence_manifest(),
            _ if index == 3 * files + 1 => self.root(),
            _ => Err(GraphError::Argument(format!("run '{}' has no object {index}", self.run.id))),
        }
    }

    /// The object of an actor: an attempt, a tool call or a process.
    pub fn actor(&self, source_id: &str) -> Option<&Object> {
        self.actors.iter().find(|object| object.row.source_id == source_id)
    }

    /// The object of a fact.
    ///
    /// # Errors
    /// What the store says.
    pub fn fact_object(&self, seq: Seq) -> Result<Object, GraphError> {
        let body = self.reader.body(self.run.no, seq)?.unwrap_or_default();
        let fact = self.reader.fact(self.run.no, seq)?;
        let process = fact.process.and_then(|process| self.process_hashes.get(&process).cloned());
        let parents: Vec<String> = process.or_else(|| self.tool_call_hash(fact.attempt)).into_iter().collect();
        let kind = if fact.lane() == Lane::Evidence { "evidence" } else { "event" };
        let content = FactWithLeaf { seq, leaf: format!("sha256:{}", leaf_hash(&body).to_hex()), fact: &fact };
        Ok(Object::new(self.run, kind, fact.id.to_string(), &parents, fact.at, &content))
    }

    fn artifact(&self, file: &ChangedFile) -> Result<Object, GraphError> {
        let (parents, at) = self.last_version(file)?;
        Ok(Object::new(self.run, "artifact", file.display().lossy(), &parents, at, &file.row()))
    }

    /// The object of the fact that a file's last version stands in.
    fn last_version(&self, file: &ChangedFile) -> Result<(Vec<String>, EventTime), GraphError> {
        let row = match &file.last_event {
            Some(id) => self.reader.event(self.run.no, id)?,
            None => None,
        };
        match row {
            Some(row) => Ok((vec![self.fact_object(row.position.seq)?.row.hash], row.position.at)),
            None => Ok((Vec::new(), EventTime::default())),
        }
    }

    fn diff_manifest(&self, file: &ChangedFile) -> Result<Object, GraphError> {
        let artifact = self.artifact(file)?.row;
        let diff = file_diff(self.reader, self.run, &path_of(file))?;
        let (_, at) = self.last_version(file)?;
        Ok(Object::new(self.run, "diff_manifest", self.file_id(file), &[artifact.hash], at, &diff))
    }

    fn blame_manifest(&self, file: &ChangedFile) -> Result<Object, GraphError> {
        let artifact = self.artifact(file)?.row;
        let blame = blame(self.reader, self.run, &path_of(file), None)?;
        let (_, at) = self.last_version(file)?;
        Ok(Object::new(self.run, "blame_manifest", self.file_id(file), &[artifact.hash], at, &blame))
    }

    fn file_id(&self, file: &ChangedFile) -> String {
        format!("{}:{}", self.run.id, file.display().lossy())
    }

    fn evidence_manifest(&self) -> Result<Object, GraphError> {
        let manifest = manifest_of(self.reader, self.run, self, DEFAULT_OBJECT_LIMIT)?;
        Ok(manifest_object(self.run, self, &manifest))
    }

    /// The root: parents are all objects but those of facts, in their order.
    fn root(&self) -> Result<Object, GraphError> {
        let mut parents = self.actor_hashes();
        for index in self.facts().end..self.count() - 1 {
            parents.push(self.object(index)?.row.hash);
        }
        let body = json!({
            "log": { "size": self.pin.size, "root": format!("sha256:{}", self.pin.root.to_hex()) },
            "objects_by_type": self.by_type(),
        });
        Ok(Object::new(self.run, "audit_manifest", self.run.id.as_str(), &parents, self.began(), &body))
    }
}

fn path_of(file: &ChangedFile) -> FilePath {
    FilePath { path: file.path.clone(), workspace_path: file.workspace_path.clone() }
}

fn attempt_body(scope: &Scope) -> serde_json::Value {
    let (status, state) = scope.status();
    json!({
        "attempt_no": scope.attempt.no,
        "started": scope.attempt.started,
        "started_at": scope.attempt.started_at.to_rfc3339(),
        "ended": scope.attempt.ended(),
        "ended_at": scope.attempt.ended_at().map(|at| at.to_rfc3339()),
        "bound": scope.bound,
        "status": status,
        "state": state,
    })
}
