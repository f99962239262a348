use crate::fixture::{BASE, Bench, binding, exec_row, request};
use agentprov_ingest::telemetry::{BindError, bind};
use agentprov_model::telemetry::Authority;
use agentprov_model::{Confidence, EventTime, EventType, Method, ScopeBinding, What};

const CONTAINER: &str = "551e161c47d8ff0551e161c47d8ff0551e161c47d8ff0551e161c47d8ff00000";

fn at(nanos: i64) -> EventTime {
    EventTime::from_nanos(BASE + nanos)
}

#[test]
fn bound_rows_go_to_the_log_of_their_run() {
    let bench = Bench::new();
    let scope = ScopeBinding { container: Some(CONTAINER.into()), ..binding("b", "run-1") };
    bind(&bench.store, scope, at(0)).expect("bound");
    let row = exec_row("a", 5, &format!("\"container_id\":\"{}\"", &CONTAINER[..12]));
    let (summary, rows) = bench.ingest(&row, &request());
    assert_eq!(summary.batches.len(), 1);
    assert_eq!(rows[0].correlation_method, Some("container_time_window:container_id+time"));
    assert_eq!(rows[0].log.as_ref().map(|log| log.as_str()), Some("run-1"));
    let facts = bench.facts("run-1");
    let event = facts.iter().find_map(|fact| match &fact.what {
        What::Telemetry(event) => Some(event),
        _ => None,
    });
    let event = event.expect("the event is there");
    assert_eq!(event.scope.tool_call.as_ref().map(|id| id.as_str()), Some("tool-b"));
    assert_eq!(event.correlation.confidence.thousandths(), 920);
    bench.assert_in_order();
}

#[test]
fn a_late_binding_resolves_earlier_rows_by_one_fact() {
    let bench = Bench::new();
    let rows: Vec<String> = (1..=5).map(|n| exec_row(&format!("e{n}"), n * 10, "\"cgroup_id\":77,\"pid\":4")).collect();
    let other = exec_row("other", 30, "\"cgroup_id\":78");
    let input = format!("{}\n{other}\n", rows.join("\n"));
    bench.ingest(&input, &request());
    let ambient = "ambient/here/agentprov_ebpf";
    let before = bench.facts(ambient).len();
    let late =
        ScopeBinding { cgroup: Some("77".into()), started: at(20), ended: Some(at(40)), ..binding("late", "run-1") };
    let made = bind(&bench.store, late.clone(), at(1000)).expect("bound");
    assert_eq!(made.resolved, 3, "those inside the window");
    assert_eq!(bench.facts(ambient).len(), before, "what was appended stays as it is");
    let facts = bench.facts("run-1");
    let resolutions: Vec<_> = facts
        .iter()
        .filter_map(|fact| match &fact.what {
            What::Resolution(resolution) => Some(resolution),
            _ => None,
        })
        .collect();
    let [resolution] = &resolutions[..] else { panic!("{resolutions:?}") };
    assert_eq!((resolution.log.as_str(), resolution.method), (ambient, Method::Cgroup));
    assert_eq!(resolution.leaves.iter().collect::<Vec<_>>(), [1, 2, 3]);
    bind(&bench.store, late, at(2000)).expect("bound again");
    assert_eq!(bench.facts("run-1").len(), facts.len(), "the same binding again changes nothing");
    // The same rows again: they stay where they are, now that a run could claim them.
    let sizes = bench.sizes();
    let (again, _) = bench.ingest(&input, &request());
    assert_eq!((again.known, bench.sizes()), (6, sizes));
    bench.assert_in_order();
}

#[test]
fn an_exit_ends_its_binding_and_no_other() {
    let bench = Bench::new();
    let of = |name: &str, start| ScopeBinding { pid: Some(7), start_ticks: Some(start), ..binding(name, "run-1") };
    bind(&bench.store, of("mine", 900), at(0)).expect("bound");
    bind(&bench.store, of("other", 100), at(0)).expect("bound");
    let exit = exec_row("x", 50, "\"pid\":7,\"start_ticks\":900,\"exit_code\":0").replace("execve", "process_exit");
    let after = exec_row("y", 60, "\"pid\":7,\"start_ticks\":900");
    let (_, rows) = bench.ingest(&format!("{exit}\n{after}"), &request());
    assert_eq!(rows[0].correlation_method, Some("process_key:boot_id+pid+start_time"));
    assert_eq!(rows[1].correlation_method, Some("unresolved"));
    let facts = bench.facts("run-1");
    let ended: Vec<_> = facts
        .iter()
        .filter_map(|fact| match &fact.what {
            What::BindingEnded(end) => Some((end.binding.as_str(), end.ended)),
            _ => None,
        })
        .collect();
    assert_eq!(ended, [("mine", at(50))]);
}

#[test]
fn losses_weaken_the_runs_that_they_touch() {
    let bench = Bench::new();
    bind(&bench.store, ScopeBinding { pid: Some(7), ..binding("open", "run-1") }, at(0)).expect("bound");
    let closed = ScopeBinding { pid: Some(8), ended: Some(at(10)), ..binding("closed", "run-2") };
    bind(&bench.store, closed, at(0)).expect("bound");
    let loss = r#"{"rate_limit_info":{"number_of_dropped_process_events":"9"},"time":"2026-01-02T03:05:00Z"}"#;
    bench.ingest(loss, &request());
    let gaps = |run| bench.facts(run).iter().filter(|fact| fact.event_type() == EventType::CoverageGap).count();
    assert_eq!((gaps("run-1"), gaps("run-2"), gaps("ambient/here/tetragon_jsonl")), (1, 0, 1));
}

#[test]
fn claims_are_capped_and_empty_bindings_refused() {
    let bench = Bench::new();
    let claim = ScopeBinding { pid: Some(7), authority: Authority::Asserted, ..binding("claim", "run-1") };
    let made = bind(&bench.store, claim, at(0)).expect("bound");
    assert_eq!(made.binding.confidence, Confidence::ASSERTED);
    assert!(matches!(bind(&bench.store, binding("none", "run-1"), at(0)), Err(BindError::NoIdentity)));
    let backwards = ScopeBinding { pid: Some(7), ended: Some(at(-1)), ..binding("back", "run-1") };
    assert!(matches!(bind(&bench.store, backwards, at(0)), Err(BindError::Backwards { .. })));
}
