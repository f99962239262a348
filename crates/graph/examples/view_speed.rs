//! Pages of a timeline, and verify, over a million facts: builds the store, asks, compares each page with a sorted list kept in
//! memory, and prints the median of the slowest page.
//!
//! `cargo run --release -p agentprov-graph --example view_speed [table|slowest|verify|hash [FACTS]]`

#![expect(clippy::print_stdout, reason = "a measurement prints what it measured")]

use agentprov_graph::verify::{Remembered, Verdict, VerifyOptions, verify_run};
use agentprov_graph::{TimelineQuery, timeline};
use agentprov_model::network::SocketAddress;
use agentprov_model::{
    Access, AttemptId, AttemptNo, AttemptStarted, Basis, BootId, CallResult, EventId, EventTime, EventType, Fact,
    FileChanged, FileOp, FileOpened, FileState, FileVersion, Mechanism, NetworkCall, NetworkOp, ProcessId, ProcessKey,
    ProcessOrigin, ProcessStarted, RunId, SessionId, ToolCallId, Vantage, VersionCause, What,
};
use agentprov_store::{Durability, Location, Prepared, Reader, RunRow, Store, StoreError};
use std::error::Error;
use std::time::{Duration, Instant};

const START: i64 = 1_700_000_000_000_000_000;
const PROCESSES: u64 = 500;
const BATCH: usize = 5_000;
const PAGE: u64 = 100;

/// What the test knows of a fact.
struct Known {
    at: EventTime,
    seq: u64,
    kind: EventType,
    process: Option<ProcessId>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().unwrap_or_else(|| "table".to_owned());
    let table = mode == "table";
    let facts: u64 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let dir = tempfile::tempdir()?;
    let store = Store::create(Location::chosen(dir.path().join("data")))?;
    let started = Instant::now();
    let mut known = fill(&store, facts)?;
    if table {
        println!("{facts} facts written in {:.1} s", started.elapsed().as_secs_f64());
    }
    known.sort_by_key(|fact| (fact.at, fact.seq));

    let reader = store.reader()?;
    let run = reader.run(&RunId::new("big")?)?.ok_or("the run is there")?;
    match mode.as_str() {
        "verify" => return verify(&reader, &run),
        "hash" => return hash(&reader, &run),
        _ => {}
    }
    let someone = process(7).to_string();
    let kind = |kind: EventType| TimelineQuery { kind: Some(kind.name().into()), ..TimelineQuery::default() };
    let cases = [
        ("unfiltered", TimelineQuery::default()),
        ("tool call, all facts", TimelineQuery { tool_call: Some("tool-1".into()), ..TimelineQuery::default() }),
        ("type, nearly all facts", kind(EventType::FileOpen)),
        ("type, 2% spread", kind(EventType::FileRename)),
        ("type, 2% at the end", kind(EventType::FileUnlink)),
        ("type, 0.1% spread", kind(EventType::FileWrite)),
        ("type, 0.1% at the end", kind(EventType::NetworkConnect)),
        ("type, one fact", kind(EventType::ToolCallStart)),
        ("type, none", kind(EventType::Ptrace)),
        ("process, 0.2%", TimelineQuery { process: Some(someone.clone()), ..TimelineQuery::default() }),
        ("process and type", TimelineQuery { process: Some(someone), ..kind(EventType::FileOpen) }),
    ];
    let mut slowest = (Duration::ZERO, String::new());
    for (name, query) in cases {
        let expected: Vec<&Known> = known.iter().filter(|fact| passes(&query, fact)).collect();
        for (place, start) in
            [("first", 0), ("middle", expected.len() / 2), ("last", expected.len().saturating_sub(50))]
        {
            let took = measure(&reader, &run, &query, &expected, start)?;
            if table {
                println!("{name:24} {place:7} {:7.2} ms  ({} match)", took.as_secs_f64() * 1e3, expected.len());
            }
            slowest = slowest.max((took, format!("{name}, {place} page")));
        }
    }
    println!("{} {facts} facts; slowest: {}", slowest.0.as_secs_f64(), slowest.1);
    Ok(())
}

/// Every check of a run, as `agentprov verify` makes them.
fn verify(reader: &Reader, run: &RunRow) -> Result<(), Box<dyn Error>> {
    let options = VerifyOptions {
        remembered: Remembered::Nothing,
        keys: Vec::new(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        alive: &|_| false,
    };
    let begun = Instant::now();
    let report = verify_run(reader, run, &options)?;
    let took = begun.elapsed();
    assert_eq!(report.facts, run.size, "every fact was hashed");
    assert!(report.verdict != Verdict::Failed, "the run holds: {:?}", report.first_failure());
    println!("{} {} facts verified, {} bytes", took.as_secs_f64(), report.facts, report.bytes);
    Ok(())
}

/// The bare minimum: reading the bodies and hashing them, one after the other.
fn hash(reader: &Reader, run: &RunRow) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    let (mut facts, mut bytes, mut last) = (0u64, 0u64, 0u8);
    reader.bodies::<StoreError>(run.no, 0, run.size, |_, body| {
        last ^= agentprov_log::leaf_hash(body).0[0];
        facts += 1;
        bytes += body.len() as u64;
        Ok(true)
    })?;
    let took = begun.elapsed();
    assert_eq!(facts, run.size, "every fact was hashed");
    println!("{} {facts} facts hashed, {bytes} bytes, {last}", took.as_secs_f64());
    Ok(())
}

fn passes(query: &TimelineQuery, fact: &Known) -> bool {
    query.kind.as_deref().is_none_or(|kind| fact.kind.name() == kind)
        && query.process.as_deref().is_none_or(|id| fact.process.is_some_and(|process| process.to_string() == id))
}

/// Median of five pages that begin at `start`, each compared with what it must hold.
fn measure(
    reader: &Reader,
    run: &RunRow,
    query: &TimelineQuery,
    expected: &[&Known],
    start: usize,
) -> Result<Duration, Box<dyn Error>> {
    let mut query = query.clone();
    if start > 0 {
        // Getting there in one large page is not measured.
        query.limit = start as u64;
        query.cursor = timeline(reader, run, &query)?.next_cursor;
    }
    query.limit = PAGE;
    let mut times = Vec::new();
    for _ in 0..5 {
        let begun = Instant::now();
        let page = timeline(reader, run, &query)?;
        times.push(begun.elapsed());
        let want: Vec<u64> = expected.iter().skip(start).take(PAGE as usize).map(|fact| fact.seq).collect();
        let got: Vec<u64> = page.events.iter().map(|row| row.seq).collect();
        assert_eq!(got, want, "the page holds the right rows");
        assert_eq!(page.total_count, expected.len() as u64, "and counts all that match");
        assert_eq!(page.has_more, start + want.len() < expected.len(), "and knows whether there are more");
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

fn fill(store: &Store, facts: u64) -> Result<Vec<Known>, Box<dyn Error>> {
    let mut writer = store.writer()?;
    let run = RunId::new("big")?;
    let mut known = Vec::with_capacity(facts as usize);
    let mut next = 0;
    while next < facts {
        let end = (next + BATCH as u64).min(facts);
        let batch: Vec<Fact> = (next..end).map(|seq| make(seq, facts)).collect::<Result<_, Box<dyn Error>>>()?;
        for (seq, fact) in (next..end).zip(&batch) {
            known.push(Known { at: fact.at, seq, kind: fact.event_type(), process: fact.process });
        }
        let prepared: Vec<Prepared> = batch.iter().map(Prepared::new).collect();
        writer.transaction(Durability::Process, |batch| {
            let no = batch.open_run(&run)?;
            prepared.iter().try_for_each(|fact| batch.append(no, fact).map(drop))
        })?;
        next = end;
    }
    Ok(known)
}

fn key(number: u64) -> ProcessKey {
    ProcessKey { boot: BootId("boot".into()), pid: 1000 + number as u32, start_ticks: number }
}

fn process(number: u64) -> ProcessId {
    key(number).id()
}

fn make(seq: u64, facts: u64) -> Result<Fact, Box<dyn Error>> {
    // Threads hand their observations in out of order, and now and then much later.
    let late = if seq.is_multiple_of(997) { 40_000 } else { (seq * 7919) % 13 };
    let at = EventTime::from_nanos(START + (seq as i64 * 20_000) - (late as i64 * 3_000));
    let who = process(seq % PROCESSES);
    let at_the_end = seq > facts - facts / 20;
    let what = match seq {
        0 => What::AttemptStarted(attempt()?),
        1..=PROCESSES => started(seq - 1),
        _ if seq % 1000 == 3 => written(seq),
        _ if seq % 50 == 4 => changed(FileOp::Rename, seq),
        _ if at_the_end && seq % 5 < 2 => changed(FileOp::Unlink, seq),
        _ if at_the_end && seq % 50 == 2 => connected(),
        _ => opened(seq),
    };
    let process = if seq == 0 { None } else { Some(if seq <= PROCESSES { process(seq - 1) } else { who }) };
    Ok(Fact {
        id: EventId::derive(at, &[&seq.to_be_bytes()]),
        at,
        recorded: at,
        attempt: AttemptNo(1),
        vantage: Vantage::Ptrace,
        basis: Basis::Observed,
        process,
        tid: None,
        redacted: Vec::new(),
        what,
    })
}

fn started(number: u64) -> What {
    What::ProcessStarted(ProcessStarted {
        pid: 1000 + number as u32,
        start_ticks: number,
        ns_pid: None,
        parent: None,
        ppid: 1,
        origin: ProcessOrigin::Fork,
    })
}

fn opened(seq: u64) -> What {
    What::FileOpened(FileOpened {
        path: format!("/ws/src/module{}/file{}.rs", seq % 97, seq % 1009).into(),
        given: None,
        access: Access::Read,
        create: false,
        truncate: false,
        result: CallResult::Ok(3),
    })
}

fn changed(op: FileOp, seq: u64) -> What {
    What::FileChanged(FileChanged {
        op,
        path: format!("/ws/target/{seq}.tmp").into(),
        path2: None,
        mode: None,
        directory: false,
        result: CallResult::Ok(0),
    })
}

fn written(seq: u64) -> What {
    What::FileVersion(FileVersion {
        path: format!("/ws/out/{seq}").into(),
        workspace_path: Some(format!("out/{seq}").into()),
        before: FileState::Missing,
        after: FileState::Unread { size: Some(seq), why: "not kept".into() },
        writers: vec![process(seq % PROCESSES)],
        cause: VersionCause::Closed,
    })
}

fn connected() -> What {
    let address = SocketAddress::Ip { ip: std::net::Ipv4Addr::LOCALHOST.into(), port: 8080 };
    What::Network(NetworkCall { op: NetworkOp::Connect, address, result: CallResult::Errno(111) })
}

fn attempt() -> Result<AttemptStarted, Box<dyn Error>> {
    Ok(AttemptStarted {
        attempt_id: AttemptId::new("attempt-1")?,
        session_id: SessionId::new("record-attempt-1")?,
        tool_call_id: ToolCallId::new("tool-1")?,
        name: "record".into(),
        argv: vec!["make".into()],
        workdir: "/ws".into(),
        workspace: "/ws".into(),
        git_head: None,
        recorder: ProcessKey { boot: BootId("boot".into()), pid: 1, start_ticks: 1 },
        version: "0.1.0".into(),
        mechanism: Mechanism::Ptrace,
        mechanism_reason: String::new(),
        kernel: String::new(),
        uid: 0,
        reads: true,
        grace_ms: 0,
        orphan_policy: "observe_only".into(),
        given_files: Vec::new(),
    })
}
