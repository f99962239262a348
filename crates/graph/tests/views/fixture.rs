//! A store in a temporary folder, filled fact by fact: what a recorder would have written, without one.
//!
//! Times are made up and step by a millisecond a fact, so that every test sees the same store. Facts wait in a
//! queue until [`Fixture::commit`], which [`Fixture::reader`] and the end of an attempt call.

// Each test binary that includes this file uses a part of it.
#![allow(dead_code)]

use agentprov_model::content::GitSha1;
use agentprov_model::network::SocketAddress;
use agentprov_model::{
    Access, AttemptEnded, AttemptId, AttemptInterrupted, AttemptNo, AttemptStarted, Basis, BootId, Bound, CallResult,
    ClaimClass, Content, ContentId, Coverage, CoverageReport, EventId, EventTime, Fact, FileChanged, FileOp,
    FileOpened, FileState, FileVersion, Gap, GapKind, GitBlobId, HashOnly, Kept, Mechanism, NetworkCall, NetworkOp,
    OsBytes, Outcome, OutputKept, OutputStream, PrivilegeCall, ProcessExec, ProcessExited, ProcessId, ProcessKey,
    ProcessOrigin, ProcessStarted, RunId, ScopeEnded, SessionId, ToolCallId, Vantage, VersionCause, What,
};
use agentprov_store::{Durability, Location, Prepared, Reader, RunRow, Store, Writer, state_head};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::PathBuf;
use tempfile::TempDir;

/// Instant of the first fact.
pub(crate) const START: i64 = 1_700_000_000_000_000_000;
/// Time between two facts.
pub(crate) const STEP: i64 = 1_000_000;
/// Boot id of every process.
pub(crate) const BOOT: &str = "00000000-0000-4000-8000-000000000001";

/// A store under construction.
pub(crate) struct Fixture {
    /// Holds the data dir; the workspace need not exist and is `/ws` unless changed.
    pub(crate) dir: TempDir,
    /// The store.
    pub(crate) store: Store,
    /// Run that facts go to.
    pub(crate) run: RunId,
    /// Attempt that facts go to.
    pub(crate) attempt: AttemptNo,
    /// Workspace of attempts to come.
    pub(crate) workspace: String,
    /// Permission bits of files to come.
    pub(crate) mode: u32,
    writer: Writer,
    queue: Vec<Fact>,
    clock: i64,
    serial: u64,
    next_pid: u32,
    /// Ids of processes by pid.
    pids: HashMap<ProcessId, ProcessKey>,
    roots: HashMap<(RunId, AttemptNo), ProcessId>,
    /// What each path of the current run holds.
    states: HashMap<Vec<u8>, FileState>,
    /// Pre-images to come.
    attempts: HashMap<RunId, u32>,
}

impl Default for Fixture {
    fn default() -> Self {
        Self::new()
    }
}

impl Fixture {
    /// An empty store; facts go to the run `r1`, whose workspace is `/ws`.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Store::create(Location::chosen(dir.path().join("data"))).expect("store");
        let writer = store.writer().expect("writer");
        Self {
            dir,
            store,
            run: RunId::new("r1").expect("id"),
            attempt: AttemptNo(0),
            workspace: "/ws".into(),
            mode: 0o644,
            writer,
            queue: Vec::new(),
            clock: START,
            serial: 0,
            next_pid: 1000,
            pids: HashMap::new(),
            roots: HashMap::new(),
            states: HashMap::new(),
            attempts: HashMap::new(),
        }
    }

    /// A store with one ended attempt of one process `sh -c true` that did nothing.
    pub(crate) fn quiet() -> Self {
        let mut fixture = Self::new();
        fixture.begin(&["sh", "-c", "true"]);
        fixture.end(Outcome::Exited(0));
        fixture
    }

    /// Sends facts to another run from now on.
    pub(crate) fn switch_run(&mut self, id: &str) {
        self.commit();
        self.run = RunId::new(id).expect("id");
        self.attempt = AttemptNo(self.attempts.get(&self.run).copied().unwrap_or(0));
        self.states.clear();
    }

    /// Instant of the next fact.
    pub(crate) fn now(&self) -> EventTime {
        EventTime::from_nanos(self.clock)
    }

    /// Lets time pass.
    pub(crate) fn wait_ms(&mut self, ms: i64) {
        self.clock += ms * 1_000_000;
    }

    /// Queues a fact of the current attempt; gives its id.
    pub(crate) fn say(&mut self, process: Option<ProcessId>, what: What) -> EventId {
        let vantage = match what {
            What::AttemptStarted(_)
            | What::AttemptEnded(_)
            | What::Bound(_)
            | What::ScopeEnded(_)
            | What::FileVersion(_)
            | What::Output(_)
            | What::Gap(_)
            | What::AttemptInterrupted(_) => Vantage::Engine,
            _ => Vantage::Ptrace,
        };
        self.say_as(process, vantage, Basis::Observed, what)
    }

    /// [`Fixture::say`] with vantage and basis chosen.
    pub(crate) fn say_as(&mut self, process: Option<ProcessId>, vantage: Vantage, basis: Basis, what: What) -> EventId {
        let at = self.now();
        self.clock += STEP;
        self.serial += 1;
        let serial = self.serial.to_be_bytes();
        let id = EventId::derive(at, &[self.run.as_str().as_bytes(), &serial]);
        self.queue.push(Fact {
            id,
            at,
            recorded: EventTime::from_nanos(at.as_nanos() + 500),
            attempt: self.attempt,
            vantage,
            basis,
            process,
            tid: None,
            redacted: Vec::new(),
            what,
        });
        id
    }

    /// Begins the next attempt with a root process that runs `argv`; gives the root.
    pub(crate) fn begin(&mut self, argv: &[&str]) -> ProcessId {
        let count = self.attempts.entry(self.run.clone()).or_insert(0);
        *count += 1;
        self.attempt = AttemptNo(*count);
        let no = *count;
        let attempt_id = format!("attempt-{}-{no}", self.run);
        let key = self.next_key();
        self.say(
            None,
            What::AttemptStarted(AttemptStarted {
                attempt_id: AttemptId::new(attempt_id.clone()).expect("id"),
                session_id: SessionId::new(format!("record-{attempt_id}")).expect("id"),
                tool_call_id: ToolCallId::new(format!("tool-{}-{no}", self.run)).expect("id"),
                name: "record".into(),
                argv: os(argv),
                workdir: self.workspace.as_str().into(),
                workspace: self.workspace.as_str().into(),
                git_head: None,
                recorder: ProcessKey { boot: BootId(BOOT.into()), pid: 99, start_ticks: 99 },
                version: "0.1.0".into(),
                mechanism: Mechanism::Ptrace,
                mechanism_reason: "nothing better is there".into(),
                kernel: "6.18.0".into(),
                uid: 1000,
                reads: true,
                grace_ms: 250,
                orphan_policy: "observe_only".into(),
                given_files: Vec::new(),
            }),
        );
        self.say(None, What::Bound(Bound { root: key.clone(), cgroup_id: None, no_cgroup: Some("no rights".into()) }));
        let root = self.start(key, None, ProcessOrigin::Root);
        self.roots.insert((self.run.clone(), self.attempt), root);
        self.exec(root, argv);
        root
    }

    /// A child of `parent` that runs `argv`.
    pub(crate) fn process(&mut self, parent: ProcessId, argv: &[&str]) -> ProcessId {
        let key = self.next_key();
        let process = self.start(key, Some(parent), ProcessOrigin::Fork);
        self.exec(process, argv);
        process
    }

    fn next_key(&mut self) -> ProcessKey {
        self.next_pid += 1;
        ProcessKey { boot: BootId(BOOT.into()), pid: self.next_pid, start_ticks: u64::from(self.next_pid) * 10 }
    }

    fn start(&mut self, key: ProcessKey, parent: Option<ProcessId>, origin: ProcessOrigin) -> ProcessId {
        let id = key.id();
        let ppid = parent.and_then(|parent| self.pids.get(&parent)).map_or(99, |parent| parent.pid);
        let started = ProcessStarted { pid: key.pid, start_ticks: key.start_ticks, ns_pid: None, parent, ppid, origin };
        self.pids.insert(id, key);
        self.say(Some(id), What::ProcessStarted(started));
        id
    }

    /// A program run by a process.
    pub(crate) fn exec(&mut self, process: ProcessId, argv: &[&str]) -> EventId {
        self.exec_with(process, argv, CallResult::Ok(0))
    }

    /// A program run, or not, by a process.
    pub(crate) fn exec_with(&mut self, process: ProcessId, argv: &[&str], result: CallResult) -> EventId {
        let program = argv.first().copied().unwrap_or_default();
        let path: OsBytes = format!("/usr/bin/{program}").into();
        let cwd = Some(self.workspace.as_str().into());
        let exec = ProcessExec {
            generation: 1,
            path: Some(path.clone()),
            exe: result.succeeded().then_some(path),
            argv: os(argv),
            argv_cut: None,
            cwd,
            result,
            commands: Vec::new(),
            trace: None,
        };
        self.say(Some(process), What::ProcessExec(exec))
    }

    /// The end of a process.
    pub(crate) fn exit(&mut self, process: ProcessId, outcome: Outcome) -> EventId {
        let root = self.roots.values().any(|root| *root == process);
        self.say(Some(process), What::ProcessExited(ProcessExited { outcome: Some(outcome), root }))
    }

    /// An open of an absolute path.
    pub(crate) fn open(&mut self, process: ProcessId, path: &str, access: Access, result: CallResult) -> EventId {
        let create = access.writes();
        let open = FileOpened { path: path.into(), given: None, access, create, truncate: false, result };
        self.say(Some(process), What::FileOpened(open))
    }

    /// A change of a name or an attribute.
    pub(crate) fn change(&mut self, process: ProcessId, op: FileOp, path: &str, path2: Option<&str>) -> EventId {
        let change = FileChanged {
            op,
            path: path.into(),
            path2: path2.map(Into::into),
            mode: None,
            directory: false,
            result: CallResult::Ok(0),
        };
        self.say(Some(process), What::FileChanged(change))
    }

    /// A directory renamed, without versions of what is in it.
    pub(crate) fn rename_directory(&mut self, process: ProcessId, from: &str, to: &str) -> EventId {
        let change = FileChanged {
            op: FileOp::Rename,
            path: from.into(),
            path2: Some(to.into()),
            mode: None,
            directory: true,
            result: CallResult::Ok(0),
        };
        let (from, to) = (format!("{from}/").into_bytes(), format!("{to}/").into_bytes());
        let inside: Vec<Vec<u8>> = self.states.keys().filter(|path| path.starts_with(&from)).cloned().collect();
        for path in inside {
            let state = self.states.remove(&path).expect("it was listed above");
            self.states.insert([to.as_slice(), &path[from.len()..]].concat(), state);
        }
        self.say(Some(process), What::FileChanged(change))
    }

    /// Stores the bytes and names them.
    pub(crate) fn content(&mut self, bytes: &[u8]) -> Content {
        let content = self.content_kept(bytes, Kept::Stored);
        self.store.blobs().put(&content.sha256, bytes).expect("blob");
        content
    }

    /// Names the bytes without storing them.
    pub(crate) fn content_kept(&self, bytes: &[u8], kept: Kept) -> Content {
        let sha256 = ContentId::from_bytes(Sha256::digest(bytes).into());
        Content { sha256, git: None, size: bytes.len() as u64, kept }
    }

    /// A regular file of these bytes, kept in the store.
    pub(crate) fn file(&mut self, bytes: &[u8]) -> FileState {
        let mode = self.mode;
        FileState::File { content: self.content(bytes), mode }
    }

    /// A regular file of these bytes, of which only the hash is kept.
    pub(crate) fn file_hash_only(&self, bytes: &[u8]) -> FileState {
        FileState::File { content: self.content_kept(bytes, Kept::HashOnly(HashOnly::Ignored)), mode: self.mode }
    }

    /// Says what a path held before the run; without it the path was missing.
    pub(crate) fn pre_image(&mut self, path: &str, bytes: &[u8]) {
        let state = self.file(bytes);
        self.states.insert(path.as_bytes().to_vec(), state);
    }

    /// What a path holds now.
    pub(crate) fn state(&self, path: &str) -> FileState {
        self.states.get(path.as_bytes()).cloned().unwrap_or(FileState::Missing)
    }

    /// The path passes to the state `after`; the state before is what the fixture knows.
    pub(crate) fn version(
        &mut self,
        writers: &[ProcessId],
        path: &str,
        after: FileState,
        cause: VersionCause,
    ) -> EventId {
        let before = self.state(path);
        self.version_between(writers, path, before, after, cause)
    }

    /// The path passes from `before` to `after`.
    pub(crate) fn version_between(
        &mut self,
        writers: &[ProcessId],
        path: &str,
        before: FileState,
        after: FileState,
        cause: VersionCause,
    ) -> EventId {
        self.states.insert(path.as_bytes().to_vec(), after.clone());
        let workspace_path =
            path.strip_prefix(self.workspace.as_str()).and_then(|rest| rest.strip_prefix('/')).map(Into::into);
        let process = if let [only] = writers { Some(*only) } else { None };
        let writers = writers.to_vec();
        let version = FileVersion { path: path.into(), workspace_path, before, after, writers, cause };
        self.say(process, What::FileVersion(version))
    }

    /// One process writes a file and closes it.
    pub(crate) fn write(&mut self, writer: ProcessId, path: &str, bytes: &[u8]) -> EventId {
        let after = self.file(bytes);
        self.version(&[writer], path, after, VersionCause::Closed)
    }

    /// A file is renamed over whatever was at `to`; two versions, as the recorder writes them.
    pub(crate) fn rename(&mut self, process: ProcessId, from: &str, to: &str) -> EventId {
        self.change(process, FileOp::Rename, from, Some(to));
        let moved = self.state(from);
        let event = self.version(&[process], to, moved, VersionCause::RenamedFrom(from.into()));
        self.version(&[process], from, FileState::Missing, VersionCause::RenamedTo(to.into()));
        event
    }

    /// A name is removed.
    pub(crate) fn unlink(&mut self, process: ProcessId, path: &str) -> EventId {
        self.change(process, FileOp::Unlink, path, None);
        self.version(&[process], path, FileState::Missing, VersionCause::Unlinked)
    }

    /// Permission bits are changed.
    pub(crate) fn chmod(&mut self, process: ProcessId, path: &str, mode: u32) -> EventId {
        let after = match self.state(path) {
            FileState::File { content, .. } => FileState::File { content, mode },
            other => other,
        };
        self.version(&[process], path, after, VersionCause::ModeChanged)
    }

    /// A connect, such as `203.0.113.7:443`.
    pub(crate) fn connect(&mut self, process: ProcessId, address: &str, result: CallResult) -> EventId {
        let address: std::net::SocketAddr = address.parse().expect("an address with a port");
        let address = SocketAddress::Ip { ip: address.ip(), port: address.port() };
        self.say(Some(process), What::Network(NetworkCall { op: NetworkOp::Connect, address, result }))
    }

    /// A privileged call.
    pub(crate) fn privilege(&mut self, process: ProcessId, call: &str, result: CallResult) -> EventId {
        let args = vec![("uid".to_owned(), OsBytes::from("0"))];
        self.say(Some(process), What::Privilege(PrivilegeCall { call: call.into(), args, result }))
    }

    /// Something that could not be seen.
    pub(crate) fn gap(&mut self, kind: GapKind, detail: &str) -> EventId {
        let classes = vec![ClaimClass::FileWrites];
        let way_out = Some("record without it".to_owned());
        self.say(None, What::Gap(Gap { kind, classes, detail: detail.into(), way_out, count: 1 }))
    }

    /// A kept copy of an output stream.
    pub(crate) fn output(&mut self, stream: OutputStream, bytes: &[u8]) -> EventId {
        let content = self.content(bytes);
        self.say(None, What::Output(OutputKept { stream, content, total: bytes.len() as u64 }))
    }

    /// The coverage of a good ptrace recording.
    pub(crate) fn full_coverage() -> CoverageReport {
        let mut report = CoverageReport::default();
        for class in ClaimClass::ALL {
            let coverage = match class {
                ClaimClass::Dns | ClaimClass::Tls => Coverage::none("not observed by this back-end"),
                _ => Coverage::complete(),
            };
            report.classes.insert(class, coverage);
        }
        report
    }

    /// Ends the attempt: root exit, scope end, attempt end, seal.
    pub(crate) fn end(&mut self, outcome: Outcome) {
        self.end_with(outcome, Self::full_coverage());
    }

    /// [`Fixture::end`] with this coverage.
    pub(crate) fn end_with(&mut self, outcome: Outcome, coverage: CoverageReport) {
        let root = self.roots[&(self.run.clone(), self.attempt)];
        self.exit(root, outcome.clone());
        let root_pid = self.pids[&root].pid;
        self.say(None, What::ScopeEnded(ScopeEnded { root_pid }));
        let ended = AttemptEnded { outcome, wall_ns: 5 * STEP as u64, processes: 1, outlived: Vec::new(), coverage };
        self.say(None, What::AttemptEnded(ended));
        self.append(true);
    }

    /// Says that the attempt's recorder was found dead.
    pub(crate) fn interrupt(&mut self) {
        self.commit();
        let recorder = ProcessKey { boot: BootId(BOOT.into()), pid: 99, start_ticks: 99 };
        let acknowledged = self.row().size;
        self.say(None, What::AttemptInterrupted(AttemptInterrupted { recorder, acknowledged }));
        self.commit();
    }

    /// Appends what is queued.
    pub(crate) fn commit(&mut self) {
        if !self.queue.is_empty() {
            self.append(false);
        }
    }

    fn append(&mut self, seal: bool) {
        let facts: Vec<Prepared> = self.queue.drain(..).map(|fact| Prepared::new(&fact)).collect();
        let (run, attempt) = (self.run.clone(), self.attempt);
        self.writer
            .transaction(Durability::Process, |batch| {
                let no = batch.open_run(&run)?;
                for fact in &facts {
                    batch.append(no, fact)?;
                }
                if seal { batch.seal(no, &run, attempt) } else { Ok(()) }
            })
            .expect("append");
    }

    /// The writer, for what the fixture has no words for.
    pub(crate) fn writer(&mut self) -> &mut Writer {
        &mut self.writer
    }

    /// A reader of everything said so far.
    pub(crate) fn reader(&mut self) -> Reader {
        self.commit();
        self.store.reader().expect("reader")
    }

    /// The current run.
    pub(crate) fn row(&mut self) -> RunRow {
        let id = self.run.clone();
        self.reader().run(&id).expect("read").expect("the run exists")
    }

    /// The data dir.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.store.dir().to_owned()
    }

    /// The database file.
    pub(crate) fn database(&self) -> PathBuf {
        self.store.location().database()
    }
}

impl Drop for Fixture {
    /// The writer remembers heads of every store outside the data dir; a test's store is gone for good.
    fn drop(&mut self) {
        if let Some(folder) = state_head::folder() {
            let _ = std::fs::remove_file(folder.join(format!("{}.json", self.store.id())));
        }
    }
}

/// Arguments as bytes.
pub(crate) fn os(argv: &[&str]) -> Vec<OsBytes> {
    argv.iter().map(|arg| OsBytes::from(*arg)).collect()
}

/// A git name made from a byte.
pub(crate) fn git_id(byte: u8) -> GitBlobId {
    GitBlobId::Sha1(GitSha1::from_bytes([byte; 20]))
}
