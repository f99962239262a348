use crate::fixture::{BASE, Bench, binding, exec_row, golden_lines, request, run_id};
use agentprov_ingest::correlate::Provided;
use agentprov_ingest::telemetry::{IngestError, IngestReport, IngestRequest, RowStatus, bind};
use agentprov_model::{EventTime, EventType, Fact, What};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::io::Read;

fn mixed() -> String {
    let falco = r#"{"time":"2026-01-02T03:04:05.5Z","rule":"r","output_fields":{"evt.type":"connect","evt.num":1,"fd.rip":"169.254.169.254","proc.pid":9}}"#;
    let drops = r#"{"time":"2026-01-02T03:04:06Z","rule":"Falco internal: syscall event drop","source":"internal","output_fields":{"n_drops":"12"}}"#;
    let lines = [
        exec_row("a", 1, "\"pid\":7"),
        "{not json".to_owned(),
        String::new(),
        falco.to_owned(),
        drops.to_owned(),
        "{\"hello\":1}".to_owned(),
        exec_row("b", 2, "\"pid\":8,\"run_id\":\"forged\""),
    ];
    lines.join("\n")
}

fn of_type(facts: &[Fact], kind: EventType) -> Vec<&Fact> {
    facts.iter().filter(|fact| fact.event_type() == kind).collect()
}

#[test]
fn a_mixed_input_gives_a_result_for_every_line() {
    let bench = Bench::new();
    let named = IngestRequest { provided: Provided { run: Some(run_id("r")), ..Provided::default() }, ..request() };
    let (summary, rows) = bench.ingest(&mixed(), &named);
    let statuses: Vec<_> = rows.iter().map(|row| (row.line, row.status.name())).collect();
    assert_eq!(
        statuses,
        [
            (1, "ingested"),
            (2, "failed"),
            (3, "skipped"),
            (4, "ingested"),
            (5, "skipped"),
            (6, "failed"),
            (7, "ingested")
        ]
    );
    assert_eq!(rows[6].context_dropped, ["run_id"]);
    assert_eq!(rows[3].event_type, Some(EventType::MetadataIp));
    assert_eq!(rows[3].correlation_method, Some("unresolved"));
    let totals = summary.rows;
    assert_eq!((totals.read, totals.ingested, totals.skipped, totals.failed, totals.loss_records), (7, 3, 2, 2, 1));
    let digest: [u8; 32] = Sha256::digest(mixed()).into();
    assert_eq!(summary.input_sha256.as_bytes(), &digest);
    let facts = bench.facts("r");
    let gaps = of_type(&facts, EventType::CoverageGap);
    assert!(matches!(&gaps[..], [Fact { what: What::Gap(gap), .. }] if gap.count == 12), "{gaps:?}");
    let manifests = of_type(&facts, EventType::TelemetryBatch);
    let [Fact { what: What::IngestBatch(batch), .. }] = &manifests[..] else { panic!("{manifests:?}") };
    assert_eq!(batch.leaves.len(), 3);
    let mut hasher = Sha256::new();
    for leaf in batch.leaves.iter() {
        let fact = &facts[usize::try_from(leaf).expect("small")];
        hasher.update(format!("{}\0", fact.id));
    }
    let ids: [u8; 32] = hasher.finalize().into();
    assert_eq!(batch.event_ids_sha256.as_bytes(), &ids);
    bench.assert_in_order();
}

#[test]
fn the_same_input_twice_changes_nothing() {
    let bench = Bench::new();
    bind(&bench.store, ScopeBindingOf::pid(7), EventTime::from_nanos(BASE)).expect("bound");
    let untimed = "{\"source\":\"agentprov_ebpf\",\"event_type\":\"execve\",\"command\":\"true\",\"pid\":7}";
    let input = format!("{}\n{untimed}\n{untimed}\n", mixed());
    let (first, first_rows) = bench.ingest(&input, &request());
    let before = bench.sizes();
    let (second, second_rows) = bench.ingest(&input, &request());
    assert_eq!(bench.sizes(), before);
    assert_eq!((first.batches, first.event_ids_sha256), (second.batches, second.event_ids_sha256));
    assert_eq!((first.known, second.known), (0, 5));
    let ids = |rows: &[agentprov_ingest::telemetry::RowResult]| rows.iter().map(|row| row.event_id).collect::<Vec<_>>();
    assert_eq!(ids(&first_rows), ids(&second_rows));
    assert_ne!(first_rows[7].event_id, first_rows[8].event_id, "equal lines are two events");
    bench.assert_in_order();
}

struct ScopeBindingOf;

impl ScopeBindingOf {
    fn pid(pid: u32) -> agentprov_model::ScopeBinding {
        agentprov_model::ScopeBinding { pid: Some(pid), ..binding("by-pid", "bound-run") }
    }
}

/// Fails after some bytes, as a broken pipe does.
struct Breaks<'b>(&'b [u8]);

impl Read for Breaks<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.0.is_empty() {
            return Err(std::io::Error::other("gone"));
        }
        let count = self.0.len().min(into.len()).min(1000);
        into[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

#[test]
fn an_ingest_that_broke_off_is_completed_by_the_next() {
    let rows: Vec<String> = (0..6000).map(|n| exec_row(&format!("e{n}"), n, "\"pid\":7")).collect();
    let input = rows.join("\n");
    let whole = Bench::new();
    let (expected, _) = whole.ingest(&input, &request());
    let broken = Bench::new();
    let half = &input.as_bytes()[..input.len() / 2];
    let error = broken.try_ingest(Breaks(half), &request()).expect_err("it breaks off");
    assert!(matches!(error, IngestError::Input { .. }), "{error}");
    let kept = broken.facts("ambient/here/agentprov_ebpf");
    assert!(of_type(&kept, EventType::Execve).len() > 2000, "whole transactions stay");
    assert!(of_type(&kept, EventType::TelemetryBatch).is_empty());
    let (completed, _) = broken.ingest(&input, &request());
    assert_eq!(completed.batches, expected.batches);
    assert_eq!(completed.event_ids_sha256, expected.event_ids_sha256);
    let ids = |bench: &Bench| {
        let facts = bench.facts("ambient/here/agentprov_ebpf");
        of_type(&facts, EventType::Execve).iter().map(|fact| fact.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&broken), ids(&whole));
    broken.assert_in_order();
}

#[test]
fn rows_without_a_scope_are_dropped_and_counted_on_request() {
    let bench = Bench::new();
    let dropping = IngestRequest { drop_uncorrelated: true, ..request() };
    let (summary, rows) = bench.ingest(&exec_row("a", 1, "\"pid\":7"), &dropping);
    assert_eq!((summary.rows.dropped_uncorrelated, summary.rows.ingested), (1, 0));
    assert_eq!(rows[0].status, RowStatus::DroppedUncorrelated);
    assert!(bench.sizes().is_empty(), "{:?}", bench.sizes());
}

#[test]
fn raw_rows_are_kept_apart_and_without_secrets() {
    let bench = Bench::new();
    let token = format!("ghp_{}", "a".repeat(36));
    let row = exec_row("a", 1, &format!("\"pid\":7,\"note\":\"{token}\""));
    bench.ingest(&row, &request());
    let facts = bench.facts("ambient/here/agentprov_ebpf");
    let raw = of_type(&facts, EventType::TelemetryRaw);
    let [Fact { what: What::RawLines(lines), .. }] = &raw[..] else { panic!("{raw:?}") };
    let bytes = bench.store.blobs().get(&lines.content.sha256).expect("it reads").expect("it is kept");
    let text = String::from_utf8(bytes).expect("text");
    assert!(text.contains("[redacted:github_token]") && !text.contains(&token), "{text}");
    let What::Telemetry(event) = &facts[0].what else { panic!("{:?}", facts[0]) };
    let kept: [u8; 32] = Sha256::digest(text.trim_end()).into();
    assert_eq!(event.raw.as_ref().map(|raw| *raw.sha256.as_bytes()), Some(kept));
    bench.assert_in_order();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_line_loses_its_result(
        lines in proptest::collection::vec(
            prop_oneof![
                Just(exec_row("a", 1, "\"pid\":7")),
                Just(String::new()),
                Just("{\"output_fields\":{}}".to_owned()),
                Just("type=SYSCALL msg=audit(1.0:1): arch=c000003e syscall=105 a0=0 pid=1".to_owned()),
                Just("type=EOE msg=audit(1.0:1):".to_owned()),
                "[ -~]{0,40}",
                proptest::sample::select(golden_lines()),
            ],
            0..40,
        ),
        strict in any::<bool>(),
        drop_uncorrelated in any::<bool>(),
    ) {
        let bench = Bench::new();
        let request = IngestRequest { strict, drop_uncorrelated, ..request() };
        let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let (summary, rows) = bench.ingest(&input, &request);
        let totals = summary.rows;
        prop_assert_eq!(totals.read, lines.len() as u64);
        let told = totals.ingested + totals.skipped + totals.failed + totals.dropped_uncorrelated;
        prop_assert_eq!(told, totals.read);
        let mut report = IngestReport::default();
        rows.iter().for_each(|row| report.row(row));
        let told: Vec<u64> = report.row_results.iter().map(|row| row.line).collect();
        prop_assert_eq!(told, (1..=lines.len() as u64).collect::<Vec<_>>(), "each line has one result");
        let with = |status: RowStatus| report.row_results.iter().filter(|row| row.status == status.name()).count() as u64;
        prop_assert_eq!(with(RowStatus::Ingested), totals.ingested);
        prop_assert_eq!(with(RowStatus::Skipped), totals.skipped);
        prop_assert_eq!(with(RowStatus::Failed), totals.failed);
        prop_assert_eq!(with(RowStatus::DroppedUncorrelated), totals.dropped_uncorrelated);
        let formats: u64 = report.receiver_summary.detected_formats.values().sum();
        prop_assert!(formats <= totals.read, "{} formats of {} rows", formats, totals.read);
    }
}
