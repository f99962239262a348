//! A store in a temporary folder, and rows to take in.

use agentprov_ingest::Unjudged;
use agentprov_ingest::correlate::Provided;
use agentprov_ingest::receivers::{DetectedFormat, Format};
use agentprov_ingest::telemetry::{IngestError, IngestRequest, IngestSummary, RowResult, ingest};
use agentprov_model::telemetry::Authority;
use agentprov_model::{BindingId, ClassTable, Confidence, EventTime, Fact, RunId, ScopeBinding, ScopeIds, ToolCallId};
use agentprov_store::{Location, Store};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// 2026-01-02T03:04:05Z.
pub(crate) const BASE: i64 = 1_767_323_045_000_000_000;

pub(crate) struct Bench {
    pub(crate) store: Store,
    _folder: tempfile::TempDir,
}

pub(crate) fn run_id(name: &str) -> RunId {
    RunId::new(name).expect("an id")
}

pub(crate) fn request() -> IngestRequest {
    IngestRequest {
        format: Format::Auto,
        path: "-".into(),
        from_offset: 0,
        provided: Provided::default(),
        strict: false,
        drop_uncorrelated: false,
        keep_raw: true,
        host: "here".into(),
        table: Arc::new(ClassTable::builtin().clone()),
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let location = Location::chosen(folder.path().join("data"));
        Self { store: Store::create(location).expect("a store"), _folder: folder }
    }

    pub(crate) fn try_ingest(
        &self,
        input: impl Read + Send,
        request: &IngestRequest,
    ) -> Result<(IngestSummary, Vec<RowResult>), IngestError> {
        let mut rows = Vec::new();
        // A clock that moves on, so that nothing may depend on it.
        let ticks = AtomicI64::new(BASE + 3_600_000_000_000);
        let clock = || EventTime::from_nanos(ticks.fetch_add(1_000_003, Ordering::Relaxed));
        let summary =
            ingest(&self.store, input, request, Box::new(Unjudged), &clock, &mut |row| rows.push(row.clone()))?;
        Ok((summary, rows))
    }

    pub(crate) fn ingest(&self, input: &str, request: &IngestRequest) -> (IngestSummary, Vec<RowResult>) {
        self.try_ingest(input.as_bytes(), request).expect("the input is taken in")
    }

    pub(crate) fn facts(&self, run: &str) -> Vec<Fact> {
        let reader = self.store.reader().expect("a reader");
        let Some(row) = reader.run(&run_id(run)).expect("it reads") else { return Vec::new() };
        (0..row.size).map(|seq| reader.fact(row.no, seq).expect("a fact")).collect()
    }

    /// Every log with its size.
    pub(crate) fn sizes(&self) -> Vec<(String, u64)> {
        let reader = self.store.reader().expect("a reader");
        let mut sizes: Vec<_> =
            reader.runs().expect("it reads").into_iter().map(|run| (run.id.to_string(), run.size)).collect();
        sizes.sort();
        sizes
    }

    pub(crate) fn assert_in_order(&self) {
        let report = agentprov_store::fsck::check(&self.store, &mut |_, _| {}).expect("it checks");
        assert!(report.is_clean(), "{:?}", report.problems);
    }
}

/// A native row.
pub(crate) fn exec_row(id: &str, nanos: i64, identity: &str) -> String {
    let time = EventTime::from_nanos(BASE + nanos).to_rfc3339();
    format!(
        "{{\"source\":\"agentprov_ebpf\",\"event_type\":\"execve\",\"id\":\"{id}\",\"argv\":[\"x\"],\"timestamp\":\"{time}\",{identity}}}"
    )
}

pub(crate) fn binding(name: &str, run: &str) -> ScopeBinding {
    ScopeBinding {
        id: BindingId::new(name).expect("an id"),
        run: run_id(run),
        scope: ScopeIds { tool_call: ToolCallId::new(format!("tool-{name}")).ok(), ..ScopeIds::default() },
        container: None,
        cgroup: None,
        root_pid: None,
        pid: None,
        boot: None,
        start_ticks: None,
        started: EventTime::from_nanos(BASE),
        ended: None,
        source: "harness_tool_call_scope".into(),
        authority: Authority::Harness,
        confidence: Confidence::FULL,
    }
}

/// Lines in the real shapes of every source.
pub(crate) fn golden_lines() -> Vec<String> {
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut lines = Vec::new();
    for format in DetectedFormat::ALL {
        for entry in std::fs::read_dir(golden.join(format.name())).expect("the folder is there") {
            let path = entry.expect("an entry").path();
            if path.to_string_lossy().ends_with(".in.json") {
                let text = std::fs::read_to_string(&path).expect("the input is readable");
                let value: serde_json::Value = serde_json::from_str(&text).expect("the input is JSON");
                match value.get("lines").and_then(serde_json::Value::as_array) {
                    Some(several) => lines.extend(several.iter().map(|line| line.as_str().expect("a line").to_owned())),
                    None => lines.push(text.replace('\n', " ")),
                }
            }
        }
    }
    lines
}
