//! Rows of JSONL to durable, hashed, correlated and judged facts, beside `jq` parsing the same rows and a bare SQLite insert of the
//! rows that come of them. Prints seconds and what was done; `cargo xtask bench` runs it.
//!
//! `telemetry_speed ours|jq|bare [EVENTS [BINDINGS]]`

use agentprov_ingest::correlate::Provided;
use agentprov_ingest::receivers::Format;
use agentprov_ingest::telemetry::{IngestRequest, bind, ingest};
use agentprov_model::index::CountGroup;
use agentprov_model::telemetry::Authority;
use agentprov_model::{
    BindingId, ClassTable, Confidence, EventTime, EventType, RunId, ScopeBinding, ScopeIds, SessionId, ToolCallId,
};
use agentprov_policy::{TelemetryJudge, load};
use agentprov_store::{Durability, Location, Prepared, Store, StoreError};
use std::error::Error;
use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

const BASE: i64 = 1_767_323_045_000_000_000;
/// One row in so many asks a metadata service, which the built-in rules call a risk.
const RISKY: u64 = 1_000;
/// Processes that the risky rows are of: each is one risk, however often it asks.
const RISKY_PROCESSES: u64 = 50;
/// What an ingest may take at most, however long its input is.
const MAX_PEAK_KIB: u64 = 150 * 1024;

/// Makes rows as they are written, so that they take no memory.
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
            1 if n % RISKY == 1 => {
                ",\"event_type\":\"network_connect\",\"dst_ip\":\"169.254.169.254\",\"dst_port\":80}".to_owned()
            }
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

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().unwrap_or_default();
    let events: u64 = arguments.next().map_or(Ok(500_000), |text| text.parse())?;
    let bindings: u64 = arguments.next().map_or(Ok(10_000), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let (seconds, done) = match mode.as_str() {
        "ours" => take_in(folder.path(), events, bindings)?,
        "jq" => parse(folder.path(), events, bindings)?,
        "bare" => {
            take_in(folder.path(), events, bindings)?;
            insert(folder.path(), events)?
        }
        _ => return Err("usage: telemetry_speed ours|jq|bare [EVENTS [BINDINGS]]".into()),
    };
    #[allow(clippy::print_stdout)]
    {
        println!("{seconds} {events} events, {done}");
    }
    Ok(())
}

/// Every mode reads the same file.
fn write_rows(folder: &Path, events: u64, bindings: u64) -> std::io::Result<PathBuf> {
    let path = folder.join("rows.jsonl");
    let mut rows = Rows { next: 0, end: events, bindings, buffer: String::new(), given: 0 };
    std::io::copy(&mut rows, &mut std::fs::File::create(&path)?)?;
    Ok(path)
}

/// The subject. Every event has to be there, bound and judged.
fn take_in(folder: &Path, events: u64, bindings: u64) -> Result<(f64, String), Box<dyn Error>> {
    let store = Store::create(Location::chosen(folder.join("data")))?;
    bind(&store, scope(0)?, EventTime::from_nanos(BASE))?;
    make_bindings(&store, bindings)?;
    let request = IngestRequest {
        format: Format::Auto,
        path: "-".into(),
        from_offset: 0,
        provided: Provided::default(),
        strict: false,
        drop_uncorrelated: false,
        keep_raw: true,
        host: "speed".into(),
        table: Arc::new(ClassTable::builtin().clone()),
    };
    let judge = Box::new(TelemetryJudge::new(Arc::new(load(None)?)));
    let input = write_rows(folder, events, bindings)?;
    let clock = || EventTime::from_nanos(BASE + 1_000_000_000_000);
    let mut bound = 0u64;
    let begun = Instant::now();
    let summary = ingest(&store, std::fs::File::open(&input)?, &request, judge, &clock, &mut |row| {
        bound += u64::from(row.correlation_method == Some("cgroup_time_window:cgroup_id+time"));
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    // Before the facts are read again, whose pages stay mapped.
    let peak = peak_kib();
    assert!((1..MAX_PEAK_KIB).contains(&peak), "{peak} KiB of memory");
    assert_eq!((summary.rows.ingested, bound, summary.known), (events, events, 0));
    let reader = store.reader()?;
    let run = reader.run(&RunId::new("speed")?)?.ok_or("the run is there")?;
    let mut bodies = 0;
    reader.bodies::<StoreError>(run.no, 0, run.size, |_, _| {
        bodies += 1;
        Ok(true)
    })?;
    assert_eq!(bodies, run.size, "every fact can be read");
    assert!(run.size > events + bindings, "every event and every binding is one");
    let by_source = reader.tallies(run.no, CountGroup::Source)?;
    assert_eq!(by_source.get("agentprov_ebpf"), Some(&events));
    let by_type = reader.tallies(run.no, CountGroup::Type)?;
    let count = |kind: EventType| by_type.get(kind.name()).copied().unwrap_or(0);
    let (decisions, risks) = (count(EventType::PolicyDecision), count(EventType::RiskSignal));
    assert_eq!(decisions, events.div_ceil(RISKY), "each risky row was judged, and no other");
    assert_eq!(risks, decisions.min(RISKY_PROCESSES), "each process was a risk once");
    Ok((seconds, format!("{bindings} bindings, {decisions} decisions, {risks} risks, {} MiB", peak / 1024)))
}

/// The same rows from a file, parsed and counted by `jq`.
fn parse(folder: &Path, events: u64, bindings: u64) -> Result<(f64, String), Box<dyn Error>> {
    let path = write_rows(folder, events, bindings)?;
    let begun = Instant::now();
    let output = Command::new("jq").args(["-n", "reduce inputs as $row (0; . + 1)"]).arg(&path).output()?;
    let seconds = begun.elapsed().as_secs_f64();
    assert_eq!(String::from_utf8(output.stdout)?.trim(), events.to_string(), "jq has read every row");
    Ok((seconds, "parsed".to_owned()))
}

/// What the ingest stored, put by the shell of SQLite into empty tables with the same columns and indexes.
fn insert(folder: &Path, events: u64) -> Result<(f64, String), Box<dyn Error>> {
    let (from, to) = (folder.join("data/store.db"), folder.join("bare.db"));
    let sqlite = |database: &Path, script: &str| -> Result<String, Box<dyn Error>> {
        let output = Command::new("sqlite3").arg("-bail").arg(database).arg(script).output()?;
        if !output.status.success() {
            return Err(format!("sqlite3: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
        }
        Ok(String::from_utf8(output.stdout)?)
    };
    unpack(folder, &from)?;
    let schema =
        sqlite(&from, "SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")?;
    let page_bytes = sqlite(&from, "PRAGMA page_size")?;
    sqlite(&to, &format!("PRAGMA page_size = {page_bytes}; PRAGMA journal_mode = wal; {schema}"))?;
    // The conditions hold for every row. Without one SQLite would copy pages' cells instead of inserting rows.
    let script = format!(
        "PRAGMA synchronous = NORMAL; ATTACH '{}' AS f; BEGIN;
         INSERT INTO fact SELECT * FROM f.fact WHERE pos >= 0;
         INSERT INTO event SELECT * FROM f.event WHERE run >= 0;
         INSERT INTO posting SELECT * FROM f.posting WHERE run >= 0; COMMIT;",
        from.display()
    );
    let begun = Instant::now();
    sqlite(&to, &script)?;
    let seconds = begun.elapsed().as_secs_f64();
    let inserted: u64 = sqlite(&to, "SELECT count(*) FROM event")?.trim().parse()?;
    assert!(inserted > events, "{inserted} rows are there");
    Ok((seconds, format!("{inserted} rows inserted")))
}

/// Gives every fact a row of its own, as a plain insert would.
fn unpack(folder: &Path, database: &Path) -> Result<(), Box<dyn Error>> {
    let reader = Store::open(Location::chosen(folder.join("data")))?.reader()?;
    let run = reader.run(&RunId::new("speed")?)?.ok_or("the run is there")?;
    let mut connection = rusqlite::Connection::open(database)?;
    let transaction = connection.transaction()?;
    let mut bytes = 0;
    reader.bodies::<StoreError>(run.no, 0, run.size, |seq, body| {
        bytes += body.len() as u64;
        transaction
            .prepare_cached("INSERT OR REPLACE INTO fact (pos, body) VALUES (?1, ?2)")?
            .execute((run.no.0 << 40 | seq as i64, body))?;
        Ok(true)
    })?;
    let rows: i64 = transaction.query_row("SELECT count(*) FROM fact", [], |row| row.get(0))?;
    assert_eq!(rows as u64, run.size, "every fact is a row");
    assert!(run.body_bytes * 3 < bytes, "{bytes} bytes of facts take {}", run.body_bytes);
    drop(reader);
    transaction.commit()?;
    connection.execute_batch("DELETE FROM pack; PRAGMA wal_checkpoint(TRUNCATE)")?;
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
