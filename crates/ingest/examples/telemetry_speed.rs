//! Rows of JSONL to durable, hashed, correlated facts: prints one line of JSON.
//!
//! `telemetry_speed [EVENTS] [BINDINGS] [no-raw]`; asserts that every event was bound and that all of them are there.

use agentprov_ingest::Unjudged;
use agentprov_ingest::correlate::Provided;
use agentprov_ingest::receivers::Format;
use agentprov_ingest::telemetry::{IngestRequest, bind, ingest};
use agentprov_model::index::CountGroup;
use agentprov_model::telemetry::Authority;
use agentprov_model::{
    BindingId, ClassTable, Confidence, EventTime, RunId, ScopeBinding, ScopeIds, SessionId, ToolCallId,
};
use agentprov_store::{Durability, Location, Prepared, Store};
use std::fmt::Write as _;
use std::io::Read;
use std::sync::Arc;
use std::time::Instant;

const BASE: i64 = 1_767_323_045_000_000_000;

/// Makes rows as they are read, so that the input takes no memory.
struct Rows {
    next: u64,
    end: u64,
    bindings: u64,
    buffer: String,
    given: usize,
}

impl Read for Rows {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.given == self.buffer.len() {
            self.buffer.clear();
            self.given = 0;
            while self.next < self.end && self.buffer.len() < 200_000 {
                self.row();
            }
        }
        let rest = &self.buffer.as_bytes()[self.given..];
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        Ok(count)
    }
}

impl Rows {
    fn row(&mut self) {
        let n = self.next;
        self.next += 1;
        let time = EventTime::from_nanos(BASE + n as i64 * 7_000);
        let (pid, cgroup) = (1000 + n % 50_000, 1_000_000 + n % self.bindings);
        let head = format_args!(
            "{{\"source\":\"agentprov_ebpf\",\"id\":\"s-{n}\",\"timestamp\":\"{time}\",\"pid\":{pid},\"ppid\":1,\"cgroup_id\":{cgroup},\"comm\":\"worker\""
        )
        .to_string();
        let tail = match n % 4 {
            0 => format!(
                ",\"event_type\":\"execve\",\"argv\":[\"cc\",\"-c\",\"src/file{}.c\"],\"path\":\"/usr/bin/cc\"}}",
                n % 5000
            ),
            1 => format!(
                ",\"event_type\":\"network_connect\",\"dst_ip\":\"93.184.{}.{}\",\"dst_port\":443}}",
                n % 200,
                n % 250
            ),
            _ => format!(
                ",\"event_type\":\"file_open\",\"mode\":\"read\",\"path\":\"/srv/u/w/src/dir{}/file{}.c\"}}",
                n % 50,
                n % 5000
            ),
        };
        let _ = writeln!(self.buffer, "{head}{tail}");
    }
}

fn scope(n: u64) -> Result<ScopeBinding, Box<dyn std::error::Error>> {
    Ok(ScopeBinding {
        id: BindingId::new(format!("bind-{n}"))?,
        run: RunId::new("speed")?,
        scope: ScopeIds {
            session: Some(SessionId::new("session")?),
            tool_call: Some(ToolCallId::new(format!("tool-{}", n % 100))?),
            ..ScopeIds::default()
        },
        container: None,
        cgroup: Some((1_000_000 + n).to_string()),
        root_pid: None,
        pid: None,
        boot: None,
        start_ticks: None,
        started: EventTime::from_nanos(BASE),
        ended: None,
        source: "harness_tool_call_scope".into(),
        authority: Authority::Harness,
        confidence: Confidence::FULL,
    })
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let events: u64 = arguments.next().map_or(Ok(500_000), |text| text.parse())?;
    let bindings: u64 = arguments.next().map_or(Ok(10_000), |text| text.parse())?;
    let keep_raw = arguments.next().is_none();
    let folder = tempfile::tempdir()?;
    let store = Store::create(Location::chosen(folder.path().join("data")))?;
    bind(&store, scope(0)?, EventTime::from_nanos(BASE))?;
    make_bindings(&store, bindings)?;
    let request = IngestRequest {
        format: Format::Auto,
        path: "-".into(),
        from_offset: 0,
        provided: Provided::default(),
        strict: false,
        drop_uncorrelated: false,
        keep_raw,
        host: "speed".into(),
        table: Arc::new(ClassTable::builtin().clone()),
    };
    let rows = Rows { next: 0, end: events, bindings, buffer: String::new(), given: 0 };
    let clock = || EventTime::from_nanos(BASE + 1_000_000_000_000);
    let mut bound = 0u64;
    let begun = Instant::now();
    let summary = ingest(&store, rows, &request, Box::new(Unjudged), &clock, &mut |row| {
        bound += u64::from(row.correlation_method == Some("cgroup_time_window:cgroup_id+time"));
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    assert_eq!((summary.rows.ingested, bound, summary.known), (events, events, 0));
    let reader = store.reader()?;
    let run = reader.run(&RunId::new("speed")?)?.ok_or("the run is there")?;
    let by_source = reader.tallies(run.no, CountGroup::Source)?;
    assert_eq!(by_source.get("agentprov_ebpf"), Some(&events));
    let database = std::fs::metadata(store.location().database())?.len();
    #[allow(clippy::print_stdout)]
    {
        println!(
            "{{\"events\":{events},\"bindings\":{bindings},\"raw\":{keep_raw},\"seconds\":{seconds:.3},\"events_per_second\":{:.0},\"input_bytes\":{},\"peak_kib\":{},\"database_bytes\":{database}}}",
            events as f64 / seconds,
            summary.input_bytes,
            peak_kib(),
        );
    }
    Ok(())
}

/// The rest of the bindings in one transaction: making them is not what is measured.
fn make_bindings(store: &Store, bindings: u64) -> Result<(), Box<dyn std::error::Error>> {
    use agentprov_model::{AttemptNo, Basis, EventId, Fact, Vantage, What};
    let mut facts = Vec::new();
    for n in 1..bindings {
        let binding = scope(n)?;
        let at = binding.started;
        facts.push(Prepared::new(&Fact {
            id: EventId::derive(at, &[b"binding", binding.id.as_str().as_bytes()]),
            at,
            recorded: at,
            attempt: AttemptNo(0),
            vantage: Vantage::Engine,
            basis: Basis::Asserted,
            process: None,
            tid: None,
            redacted: Vec::new(),
            what: What::ScopeBinding(Box::new(binding)),
        }));
    }
    store.writer()?.transaction(Durability::Process, |batch| {
        let run = batch
            .open_run(&RunId::new("speed").map_err(|error| agentprov_store::StoreError::Damaged(error.to_string()))?)?;
        facts.iter().try_for_each(|fact| batch.append(run, fact).map(|_| ()))
    })?;
    Ok(())
}
