use super::*;
use agentprov_model::telemetry::BindingEnded;
use agentprov_model::{BindingId, BootId, LogicalProcessId, SessionId, ToolCallId};

const HEX: &str = "551e161c47d8ff0551e161c47d8ff0551e161c47d8ff0551e161c47d8ff00000";

fn binding(name: &str) -> ScopeBinding {
    ScopeBinding {
        id: BindingId::new(name).expect("an id"),
        run: RunId::new("r").expect("an id"),
        scope: ScopeIds { tool_call: ToolCallId::new(name).ok(), ..ScopeIds::default() },
        container: None,
        cgroup: None,
        root_pid: None,
        pid: None,
        boot: None,
        start_ticks: None,
        started: EventTime::from_nanos(100),
        ended: None,
        source: "harness_tool_call_scope".into(),
        authority: Authority::Harness,
        confidence: Confidence::FULL,
    }
}

fn index(bindings: impl IntoIterator<Item = ScopeBinding>) -> BindingIndex {
    let mut index = BindingIndex::default();
    bindings.into_iter().for_each(|binding| index.insert(binding));
    index
}

fn resolve(index: &BindingIndex, identity: &RuntimeIdentity, at: i64) -> Correlation {
    index.resolve(identity, EventTime::from_nanos(at), &Provided::default()).correlation
}

fn named(correlation: &Correlation) -> (&'static str, u16, Option<&str>) {
    let id = correlation.binding.as_ref().map(BindingId::as_str);
    (correlation.method_name(), correlation.confidence.thousandths(), id)
}

#[test]
fn tiers_in_the_order_of_the_contract() {
    let index = index([
        ScopeBinding { cgroup: Some("77".into()), ..binding("cgroup") },
        ScopeBinding { container: Some(HEX.into()), ..binding("container") },
        ScopeBinding { pid: Some(7), root_pid: Some(5), start_ticks: Some(900), ..binding("pid") },
    ]);
    let mut identity = RuntimeIdentity { pid: Some(7), ..RuntimeIdentity::default() };
    assert_eq!(named(&resolve(&index, &identity, 100)), ("pid_time_window:pid+time", 850, Some("pid")));
    identity.start_ticks = Some(900);
    assert_eq!(named(&resolve(&index, &identity, 100)), ("process_key:boot_id+pid+start_time", 1000, Some("pid")));
    identity.start_ticks = None;
    identity.container = Some(HEX[..12].into());
    assert_eq!(
        named(&resolve(&index, &identity, 100)),
        ("container_time_window:container_id+time", 920, Some("container"))
    );
    identity.cgroup = Some("77".into());
    assert_eq!(named(&resolve(&index, &identity, 100)), ("cgroup_time_window:cgroup_id+time", 980, Some("cgroup")));
    identity.cgroup = Some("78".into());
    assert_eq!(resolve(&index, &identity, 100).method, Method::Container, "an unbound cgroup falls through");
    assert_eq!(resolve(&index, &identity, 99).state, ResolutionState::Unattributed, "before the window");
}

#[test]
fn windows_include_both_ends_and_open_pids_last_a_day() {
    let ended = ScopeBinding { pid: Some(7), ended: Some(EventTime::from_nanos(200)), ..binding("ended") };
    let open = ScopeBinding { pid: Some(8), ..binding("open") };
    let index = index([ended, open]);
    let state = |pid, at| resolve(&index, &RuntimeIdentity { pid: Some(pid), ..Default::default() }, at).state;
    assert_eq!(state(7, 200), ResolutionState::Bound);
    assert_eq!(state(7, 201), ResolutionState::Unattributed);
    assert_eq!(state(8, 100 + PID_WINDOW_NS), ResolutionState::Bound);
    assert_eq!(state(8, 101 + PID_WINDOW_NS), ResolutionState::Unattributed);
}

#[test]
fn a_reused_pid_and_another_boot_are_other_processes() {
    let bound = ScopeBinding { pid: Some(7), start_ticks: Some(900), boot: Some(BootId("a".into())), ..binding("b") };
    let index = index([bound]);
    let seen = |start, boot: &str| RuntimeIdentity {
        pid: Some(7),
        start_ticks: start,
        boot: Some(BootId(boot.into())),
        ..Default::default()
    };
    assert_eq!(resolve(&index, &seen(Some(900), "a"), 150).method, Method::ProcessKey);
    assert_eq!(resolve(&index, &seen(Some(901), "a"), 150).state, ResolutionState::Unattributed);
    assert_eq!(resolve(&index, &seen(None, "b"), 150).state, ResolutionState::Unattributed);
}

#[test]
fn two_scopes_that_fit_are_both_named() {
    let shared = |name| ScopeBinding { container: Some(HEX.into()), ..binding(name) };
    let index = index([shared("a"), shared("b")]);
    let identity = RuntimeIdentity { container: Some(HEX.into()), ..Default::default() };
    let resolved = index.resolve(&identity, EventTime::from_nanos(150), &Provided::default());
    assert_eq!(resolved.correlation.state, ResolutionState::Ambiguous);
    assert_eq!(resolved.correlation.confidence, Confidence::NONE);
    assert_eq!(resolved.correlation.candidates.len(), 2);
    assert_eq!(resolved.run.as_ref().map(RunId::as_str), Some("r"), "the run is the same in both");
    assert_eq!(resolved.scope.tool_call, None);
    let wanted = ScopeIds { tool_call: ToolCallId::new("a").ok(), ..ScopeIds::default() };
    let provided = Provided { scope: wanted, ..Provided::default() };
    let narrowed = index.resolve(&identity, EventTime::from_nanos(150), &provided);
    assert_eq!(narrowed.correlation.binding.as_ref().map(BindingId::as_str), Some("a"));
}

#[test]
fn authority_comes_before_recency_and_claims_are_capped() {
    let claim = ScopeBinding {
        cgroup: Some("7".into()),
        authority: Authority::Asserted,
        started: EventTime::from_nanos(140),
        ..binding("claim")
    };
    let launched = ScopeBinding { cgroup: Some("7".into()), authority: Authority::Launched, ..binding("launched") };
    let identity = RuntimeIdentity { cgroup: Some("7".into()), ..Default::default() };
    let both = index([claim.clone(), launched]);
    assert_eq!(named(&resolve(&both, &identity, 150)).2, Some("launched"));
    let alone = index([claim]);
    assert_eq!(resolve(&alone, &identity, 150).confidence, Confidence::ASSERTED);
    let weak = index([ScopeBinding {
        cgroup: Some("7".into()),
        confidence: Confidence::from_thousandths(300),
        ..binding("weak")
    }]);
    assert_eq!(resolve(&weak, &identity, 150).confidence.thousandths(), 300);
}

#[test]
fn an_exit_closes_only_its_process() {
    let mut index = index([
        ScopeBinding { pid: Some(7), start_ticks: Some(900), ..binding("this") },
        ScopeBinding { pid: Some(7), start_ticks: Some(100), ..binding("earlier") },
        ScopeBinding { pid: Some(7), ..binding("bare") },
    ]);
    let seen = RuntimeIdentity { pid: Some(7), start_ticks: Some(900), ..Default::default() };
    let ends = index.ends_at_exit(&seen, EventTime::from_nanos(300));
    let ids: Vec<&str> = ends.iter().map(|(_, end)| end.binding.as_str()).collect();
    assert_eq!(ids, ["this"]);
    index.close(&ends[0].1);
    assert_eq!(resolve(&index, &seen, 301).method, Method::Pid, "only the bare pid is left");
    let bare = RuntimeIdentity { pid: Some(7), ..Default::default() };
    assert!(index.ends_at_exit(&bare, EventTime::from_nanos(300)).is_empty());
}

#[test]
fn names_of_containers_are_not_cut() {
    let long = ScopeBinding { container: Some("agentprov-record-a-12".into()), ..binding("long") };
    let index = index([long]);
    let seen = |id: &str| RuntimeIdentity { container: Some(id.into()), ..Default::default() };
    assert_eq!(resolve(&index, &seen("agentprov-record-a-1"), 150).state, ResolutionState::Unattributed);
    assert_eq!(resolve(&index, &seen("agentprov-record-a-12"), 150).state, ResolutionState::Bound);
}

#[test]
fn provided_context_needs_no_binding() {
    let provided = Provided {
        run: RunId::new("r").ok(),
        scope: ScopeIds {
            session: SessionId::new("s").ok(),
            tool_call: ToolCallId::new("t").ok(),
            process: LogicalProcessId::new("p").ok(),
            ..ScopeIds::default()
        },
        asserted: false,
    };
    let found = BindingIndex::default().resolve(&RuntimeIdentity::default(), EventTime::from_nanos(1), &provided);
    assert_eq!(named(&found.correlation), ("provided_context", 1000, None));
    let claimed = Provided { asserted: true, ..provided };
    let found = BindingIndex::default().resolve(&RuntimeIdentity::default(), EventTime::from_nanos(1), &claimed);
    assert_eq!(found.correlation.confidence, Confidence::ASSERTED);
}

#[test]
fn many_windows_of_one_container_are_found_like_by_a_scan() {
    let mut all = Vec::new();
    for n in 0..200i64 {
        let started = (n * 37) % 1000;
        let ended = (n % 5 != 0).then(|| EventTime::from_nanos(started + (n * 13) % 90));
        all.push(ScopeBinding {
            cgroup: Some("c".into()),
            started: EventTime::from_nanos(started),
            ended,
            ..binding(&format!("b{n}"))
        });
    }
    let mut index = index(all.clone());
    let end = BindingEnded { binding: all[5].id.clone(), ended: EventTime::from_nanos(500), why: String::new() };
    index.close(&end);
    all[5].ended = Some(end.ended);
    let identity = RuntimeIdentity { cgroup: Some("c".into()), ..Default::default() };
    for at in (0..1200).step_by(7).map(EventTime::from_nanos) {
        let mut found: Vec<_> = index
            .candidates(Method::Cgroup, &identity, at, &ScopeIds::default())
            .iter()
            .map(|binding| binding.id.clone())
            .collect();
        let mut expected: Vec<_> = all.iter().filter(|binding| binding.covers(at)).map(|b| b.id.clone()).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "at {at}");
    }
}
