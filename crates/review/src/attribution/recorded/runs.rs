//! The versions that all runs of a store recorded, by content and by path.

use crate::attribution::AttributionError;
use agentprov_graph::attempts::{Attempt, attempts};
use agentprov_graph::versions::Version;
use agentprov_graph::{GraphError, ProcessTable};
use agentprov_model::{Content, ContentId, EventTime, IndexKey, KeyKind, OsBytes, ProcessId};
use agentprov_store::{Reader, RunNo, RunRow, Seq};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// A version and the run that recorded it.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) run: usize,
    pub(super) version: Version,
}

/// A run with what was read of it so far.
pub(super) struct Run {
    pub(super) row: RunRow,
    pub(super) attempts: Vec<Attempt>,
    processes: Option<ProcessTable>,
}

/// The runs that were asked so far. Those that hold nothing of what is looked for are never opened.
pub(super) struct Runs<'a> {
    reader: &'a Reader,
    list: Vec<Run>,
    /// Places in the list; none for a run that has no facts any more or recorded no processes.
    places: HashMap<RunNo, Option<usize>>,
    by_path: HashMap<(usize, OsBytes), Rc<[Arrival]>>,
    holding: HashMap<OsBytes, Rc<[usize]>>,
    by_content: HashMap<ContentId, Rc<[Arrival]>>,
}

impl<'a> Runs<'a> {
    pub(super) fn new(reader: &'a Reader) -> Self {
        Self {
            reader,
            list: Vec::new(),
            places: HashMap::new(),
            by_path: HashMap::new(),
            holding: HashMap::new(),
            by_content: HashMap::new(),
        }
    }

    /// Folders in which attempts ran.
    pub(super) fn workspaces(&self) -> Result<Vec<OsBytes>, AttributionError> {
        Ok(self.reader.workspaces().map_err(GraphError::from)?)
    }

    /// A run that was asked.
    pub(super) fn get(&self, run: usize) -> &Run {
        &self.list[run]
    }

    /// Runs that have versions with this key, the newest first.
    fn runs_with(&mut self, key: IndexKey<'_>) -> Result<Vec<usize>, AttributionError> {
        let mut runs = self.reader.runs_with_version(key).map_err(GraphError::from)?;
        runs.reverse();
        let mut places = Vec::with_capacity(runs.len());
        for run in runs {
            places.extend(self.open(run)?);
        }
        Ok(places)
    }

    fn open(&mut self, no: RunNo) -> Result<Option<usize>, AttributionError> {
        if let Some(known) = self.places.get(&no) {
            return Ok(*known);
        }
        let row = self.reader.run_by_no(no).map_err(GraphError::from)?.filter(|row| row.removed.is_none());
        let mut place = None;
        if let Some(row) = row {
            let attempts = attempts(self.reader, &row)?;
            // A run without attempts recorded no processes, hence no versions with writers.
            if !attempts.is_empty() {
                place = Some(self.list.len());
                self.list.push(Run { row, attempts, processes: None });
            }
        }
        self.places.insert(no, place);
        Ok(place)
    }

    /// Runs that have versions of an absolute path, the newest first.
    pub(super) fn holding(&mut self, path: &OsBytes) -> Result<Rc<[usize]>, AttributionError> {
        if let Some(known) = self.holding.get(path) {
            return Ok(known.clone());
        }
        let found: Rc<[usize]> = self.runs_with(IndexKey { kind: KeyKind::Path, value: path.as_bytes() })?.into();
        self.holding.insert(path.clone(), found.clone());
        Ok(found)
    }

    /// Versions of an absolute path in a run, in append order.
    pub(super) fn of_path(&mut self, run: usize, path: &OsBytes) -> Result<Rc<[Arrival]>, AttributionError> {
        if let Some(known) = self.by_path.get(&(run, path.clone())) {
            return Ok(known.clone());
        }
        let key = IndexKey { kind: KeyKind::Path, value: path.as_bytes() };
        let mut found = self.versions(run, key)?;
        // A rename has its two paths as keys.
        found.retain(|arrival| arrival.version.path == *path);
        let found: Rc<[Arrival]> = found.into();
        self.by_path.insert((run, path.clone()), found.clone());
        Ok(found)
    }

    /// Versions in all runs that left this content behind, by time.
    pub(super) fn of_content(&mut self, content: &ContentId) -> Result<Rc<[Arrival]>, AttributionError> {
        if let Some(known) = self.by_content.get(content) {
            return Ok(known.clone());
        }
        let key = IndexKey { kind: KeyKind::Content, value: content.as_bytes() };
        let mut found = Vec::new();
        for run in self.runs_with(key)? {
            found.extend(self.versions(run, key)?);
        }
        found.retain(|arrival| arrival.version.after.content().is_some_and(|after| after.sha256 == *content));
        // Of equal times the newer run comes first.
        let order =
            |arrival: &Arrival| (arrival.version.at, Reverse(self.list[arrival.run].row.no), arrival.version.seq);
        found.sort_by_key(order);
        let found: Rc<[Arrival]> = found.into();
        self.by_content.insert(*content, found.clone());
        Ok(found)
    }

    fn versions(&self, run: usize, key: IndexKey<'_>) -> Result<Vec<Arrival>, AttributionError> {
        let facts = self.reader.facts_by_key(self.list[run].row.no, key).map_err(GraphError::from)?;
        let versions = facts.into_iter().filter_map(|(seq, fact)| Version::from_fact(seq, fact));
        Ok(versions.map(|version| Arrival { run, version }).collect())
    }

    /// Bytes of a content that the store kept.
    pub(super) fn bytes(&self, content: &Content) -> Result<Option<Arc<[u8]>>, AttributionError> {
        match self.reader.store().blobs().get(&content.sha256) {
            Ok(bytes) => Ok(bytes.map(Arc::from)),
            // A damaged copy is none; fsck says more.
            Err(agentprov_store::StoreError::Damaged(_)) => Ok(None),
            Err(error) => Err(GraphError::from(error).into()),
        }
    }

    /// The processes of a run.
    pub(super) fn processes(&mut self, run: usize) -> Result<&ProcessTable, AttributionError> {
        let slot = &mut self.list[run];
        let table = match slot.processes.take() {
            Some(table) => table,
            None => ProcessTable::load(self.reader, &slot.row)?,
        };
        Ok(slot.processes.insert(table))
    }

    /// Whether a process was git at that time: git brings contents, it writes no lines.
    pub(super) fn is_git(&mut self, run: usize, process: &ProcessId, at: EventTime) -> Result<bool, AttributionError> {
        let table = self.processes(run)?;
        let argv = table.find(process).and_then(|process| process.argv_at(at));
        Ok(argv.and_then(<[OsBytes]>::first).is_some_and(|program| {
            let name = program.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            name == b"git" || name.starts_with(b"git-")
        }))
    }

    /// The version of the path before this one in the same run.
    pub(super) fn previous(
        &mut self,
        run: usize,
        path: &OsBytes,
        seq: Seq,
    ) -> Result<Option<Version>, AttributionError> {
        let all = self.of_path(run, path)?;
        let end = all.partition_point(|arrival| arrival.version.seq < seq);
        Ok(end.checked_sub(1).map(|last| all[last].version.clone()))
    }
}

impl Runs<'_> {
    /// Versions of an absolute path in all runs, without keeping them.
    pub(super) fn peek_path(&mut self, path: &OsBytes) -> Result<Vec<Arrival>, AttributionError> {
        let mut found = Vec::new();
        for run in self.holding(path)?.iter() {
            found.extend(self.versions(*run, IndexKey { kind: KeyKind::Path, value: path.as_bytes() })?);
        }
        found.retain(|arrival| arrival.version.path == *path);
        Ok(found)
    }
}
