//! The contract's documents of what sensors report and what rules say of it, down to their leaves.

use crate::contract_nested::differences;
use crate::place::Place;
use crate::telemetry::row;
use serde_json::Value;

/// A command, lists of its document that must not be empty lest they show nothing, and the document's shape.
const SHAPES: &[(&str, &[&str], &str)] = &[
    (
        "telemetry ingest-jsonl --file rows.jsonl --json",
        &["/row_results", "/event_ids", "/policy_decision_ids", "/errors"],
        INGEST,
    ),
    ("telemetry ingest-jsonl --file none.jsonl --json", &[], INGEST),
    (
        "telemetry ingest-falco --file falco.jsonl --json",
        &["/batch/row_results", "/batch/event_ids"],
        "schema_version batch{INGEST} policy_decisions:i",
    ),
    (
        "telemetry list --run R --limit 2 --json",
        &["/events"],
        "schema_version filter{RunID SessionID Type ToolCallID} result_set_id page_hash limit:i next_cursor has_more:b \
         event_count:i total_count:i events[EVENT]",
    ),
    (
        "telemetry list --run R --type tls_read --json",
        &[],
        "schema_version filter{RunID SessionID Type ToolCallID} H limit:i has_more:b event_count:i total_count:i",
    ),
    ("telemetry correlations --run R --json", &["/correlations"], CORRELATIONS),
    ("telemetry correlations --event E --json", &["/correlations"], CORRELATIONS),
    (
        "telemetry batches --run R --json",
        &["/batches"],
        "schema_version run_id batches[id run_id format path file_sha256 ROWS event_ids_sha256 created_at]",
    ),
    (
        "telemetry windows --run R --session S --tool-call T --type metadata_ip --source agentprov_ebpf --window 60 --json",
        &["/windows"],
        "schema_version filter{run_id session_id tool_call_id type source window_seconds:i} window_count:i H windows[run_id \
         session_id? tool_call_id? source event_type window_seconds:i window_start event_count:i resolved_count:i \
         unresolved_count:i high_risk_count:i updated_at]",
    ),
    ("policy decisions --run R --json", &["/decisions"], "schema_version run_id H count:i decisions[DECISION]"),
    (
        "security risks --run R --json",
        &["/risks"],
        "schema_version run_id H count:i risks[risk{RISK} query{drilldowns[]}]",
    ),
    (
        "security responses --run R --json",
        &["/responses"],
        "schema_version run_id H count:i responses[response{RESP} query{drilldowns[]}]",
    ),
    (
        "security deviations --run R --json",
        &[],
        "schema_version run_id H count:i deviations[deviation{id run_id} query{drilldowns[]}]",
    ),
    ("policy test events.jsonl", &[], "decision event{source event_type run_id dst_ip args[]} reason rule_id"),
    ("adapter inspect filtered-jsonl --json", &["/inputs", "/outputs", "/identity_keys", "/capabilities"], "ADAPTER"),
    (
        "timeline --run R --type metadata_ip --json",
        &["/events"],
        "schema_version run_id events[time type source lane correlation_status id run_id session_id attempt_id \
         tool_call_id process_id object_ref summary evidence:o drilldowns[]]",
    ),
    (
        "timeline --run R --type policy_decision --json",
        &["/events"],
        "schema_version run_id events[time type source lane id run_id session_id attempt_id tool_call_id process_id \
         object_ref summary evidence:o drilldowns[]]",
    ),
    (
        "timeline --run R --type risk_signal --json",
        &["/events"],
        "schema_version run_id events[type session_id attempt_id tool_call_id process_id]",
    ),
    (
        "timeline --run R --type response_action --json",
        &["/events"],
        "schema_version run_id events[type session_id attempt_id tool_call_id process_id]",
    ),
    (
        "observe event --run R --event E --json",
        &["/related_risks", "/related_policies", "/related_responses"],
        "schema_version run_id H event{id type source time summary object_ref? correlation_method \
         correlation_confidence:f evidence:o} context{session_id attempt_id tool_call_id process_id} query{lane \
         correlation_status drilldowns[]} related_risks[EREF] related_policies[EREF] related_responses?[EREF] \
         recommended_views[]",
    ),
    (
        "graph explain --event E --json",
        &["/risks", "/runtime_events", "/responses"],
        "schema_version target{type id run_id} summary[] risks[DECISION] responses[RESP] runtime_events[id run_id \
         session_id tool_call_id process_id event_type source raw_event_id container_id cgroup_id pid:i tgid:i ppid:i payload \
         created_at telemetry?{receiver source_format raw_event_id normalized_event_type schema_status identity_keys[] \
         correlation_method correlation_confidence:f correlation_class correlation_status}]",
    ),
];

const INGEST: &str = "batch_id? format path file_sha256? ROWS event_ids?[] event_ids_sha256? excluded?:i \
    dropped_uncorrelated?:i policy_decisions:i policy_decision_ids?[] receiver_summary{detected_formats?:m event_types?:m \
    identity_keys?:m resolved:i unresolved:i skipped:i failed:i} row_results?[line:i status detected_format? event_id? \
    event_type? source? raw_event_id? identity_keys?[] correlation_method? error?] row_results_truncated?:b errors?[]";

const CORRELATIONS: &str = "schema_version run_id? event_id? H count:i correlations[event{id type source raw_event_id? \
    created_at} raw_identity{run_id? process_id? container_id? cgroup_id? pid?:i tgid?:i ppid?:i keys?[]} \
    resolved_context{run_id? CTX} binding?{id BIND identity_keys?[]} match{status method confidence:f binding_id? \
    matched_keys?[] reason time_window?} drilldowns?[]]";

const FALCO: &str = "{\"output\":\"o\",\"priority\":\"Notice\",\"rule\":\"Run shell\",\"time\":\"2026-01-02T03:04:09Z\",\
    \"output_fields\":{\"evt.type\":\"execve\",\"proc.pid\":42,\"proc.cmdline\":\"sh -c true\"}}\n";

const JUDGED: &str = "{\"source\":\"s\",\"event_type\":\"network_connect\",\"run_id\":\"R\",\"dst_ip\":\"169.254.169.254\",\
    \"args\":[\"curl\"]}\n";

fn rows() -> String {
    let metadata = "\"event_type\":\"network_connect\",\"pid\":42,\"dst_ip\":\"169.254.169.254\",\"dst_port\":80";
    [
        row("a", 6, "\"event_type\":\"execve\",\"pid\":42,\"argv\":[\"true\"]"),
        row("b", 7, metadata),
        row("c", 8, "\"event_type\":\"file_write\",\"pid\":42,\"path\":\"/home/u/.ssh/authorized_keys\""),
        "no row\n".to_owned(),
    ]
    .concat()
}

#[test]
fn documents_of_telemetry_have_the_shapes_of_the_contract() {
    let place = Place::new();
    let names = ["--session", "S", "--attempt", "A", "--process", "P", "--container-id", "abcdef123456", "--pid", "42"];
    place.bind("R", "T", &names);
    for (name, text) in
        [("rows.jsonl", rows().as_str()), ("none.jsonl", ""), ("falco.jsonl", FALCO), ("events.jsonl", JUDGED)]
    {
        place.write(name, text);
    }
    let mut event = None;
    let mut wrong = Vec::new();
    for (command, full, shape) in SHAPES {
        if event.is_none() && command.contains("--event E") {
            event = place.events("R", &["--type", "metadata_ip"])[0]["id"].as_str().map(str::to_owned);
        }
        let fill = |word| if word == "E" { event.as_deref().unwrap_or_default() } else { word };
        let document = place.run(command.split(' ').map(fill).collect::<Vec<_>>()).ok().json();
        let empty =
            full.iter().filter(|list| document.pointer(list).and_then(Value::as_array).is_none_or(Vec::is_empty));
        wrong.extend(empty.map(|list| format!("{command}: {list} is empty and shows nothing")));
        let shape = shape.replace("INGEST", INGEST);
        wrong.extend(differences(&document, &shape).into_iter().map(|line| format!("{command}: {line}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn adapters_are_a_bare_list_of_what_inspect_shows() {
    let place = Place::new();
    let list = place.run(["adapter", "list", "--json"]).ok().json();
    let list = list.as_array().expect("a bare list");
    let names: Vec<&str> = list.iter().filter_map(|adapter| adapter["name"].as_str()).collect();
    for name in ["zero-sdk-record", "docker", "filtered-jsonl", "local-artifact", "directory-copy"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    for (adapter, name) in list.iter().zip(names) {
        assert_eq!(differences(adapter, "ADAPTER"), Vec::<String>::new(), "{name}");
        assert_eq!(&place.run(["adapter", "inspect", name, "--json"]).ok().json(), adapter);
    }
}

#[test]
fn payloads_are_strings_that_hold_json() {
    let place = Place::new();
    place.bind("R", "T", &["--pid", "42"]);
    place.ingest(&rows(), &[]);
    let mut payloads: Vec<Value> = place.events("R", &[]).iter().map(|event| event["payload"].clone()).collect();
    for (kind, inner) in [("risks", "risk"), ("responses", "response")] {
        let document = place.run(["security", kind, "--run", "R", "--json"]).ok().json();
        let rows = document[kind].as_array().expect("a list");
        assert!(!rows.is_empty(), "no {kind}");
        payloads.extend(rows.iter().map(|row| row[inner]["payload"].clone()));
    }
    place.ingest(&row("d", 9, "\"event_type\":\"policy_verdict\",\"pid\":42,\"decision\":\"deny\""), &[]);
    let verdict = place.events("R", &["--type", "policy_verdict"])[0]["payload"].clone();
    assert!(verdict.as_str().is_some_and(|text| text.contains("\"decision\":\"deny\"")), "{verdict}");
    for payload in payloads {
        let text = payload.as_str().unwrap_or_else(|| panic!("no string: {payload}"));
        assert!(serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object()), "{text}");
    }
}

#[test]
fn judgements_are_found_from_what_they_are_about() {
    let place = Place::new();
    place.bind("R", "T", &["--pid", "42"]);
    place.ingest(&rows(), &[]);
    let observe = |id: &str| place.run(["observe", "event", "--run", "R", "--event", id, "--json"]).ok().json();
    let refs = |document: &Value, key: &str| -> Vec<String> {
        let list = document[key].as_array().into_iter().flatten();
        list.map(|found| found["ref"].as_str().expect("a reference").replace("event/", "")).collect()
    };
    let [event] = &place.events("R", &["--type", "metadata_ip"])[..] else { panic!("one event") };
    let event = event["id"].as_str().expect("an id");
    let related = observe(event);
    let [decision] = &refs(&related, "related_policies")[..] else { panic!("one decision: {related:#}") };
    let [risk] = &refs(&related, "related_risks")[..] else { panic!("one risk: {related:#}") };
    let [response] = &refs(&related, "related_responses")[..] else { panic!("one response: {related:#}") };

    let of_risk = observe(risk);
    assert_eq!(refs(&of_risk, "related_policies"), std::slice::from_ref(decision));
    assert_eq!(refs(&of_risk, "related_responses"), std::slice::from_ref(response));
    assert!(refs(&of_risk, "related_risks").is_empty(), "nothing is related to itself");
    let [unjudged] = &place.events("R", &["--type", "execve"])[..] else { panic!("one event") };
    let unjudged = observe(unjudged["id"].as_str().expect("an id"));
    assert!(unjudged["related_policies"].is_null() && unjudged["related_risks"].is_null(), "{unjudged:#}");

    let told = place.run(["graph", "explain", "--event", event, "--json"]).ok().json();
    let row =
        told["runtime_events"].as_array().expect("rows").iter().find(|row| row["id"] == event).expect("the event");
    assert_eq!((&row["pid"], &row["raw_event_id"]), (&42.into(), &"b".into()));
    assert_eq!(row["telemetry"]["receiver"], "agentprov_sensor");
    assert_eq!(row["telemetry"]["identity_keys"], serde_json::json!(["pid"]));
}

#[test]
fn judgements_are_found_from_who_did_it() {
    let place = Place::with_git(&[(".env", "A=b\n")]);
    let rules = "rules:\n  - id: secret\n    match: {class: secret, access: read}\n    decision: deny\n";
    std::fs::write(place.root().join("rules.yaml"), rules).expect("a rule file");
    place.run(["record", "--run", "R", "--rules", "../rules.yaml", "--", "cat", ".env"]).ok();
    let decisions = place.run(["policy", "decisions", "--run", "R", "--json"]).ok().json();
    let [decision] = &decisions["decisions"].as_array().expect("a list")[..] else { panic!("one: {decisions:#}") };
    let process = decision["process_id"].as_str().expect("a process");
    let seen = place.run(["observe", "process", "--run", "R", "--process", process, "--json"]).ok().json();
    let reference = format!("event/{}", decision["id"].as_str().expect("an id"));
    assert_eq!(seen["related_policies"][0]["ref"], reference.as_str());
    for kind in ["related_risks", "related_responses"] {
        assert_eq!(seen[kind].as_array().map(Vec::len), Some(1), "{kind}: {seen:#}");
    }
}

#[test]
fn without_a_baseline_no_list_of_deviations_is_called_empty() {
    let place = Place::new();
    place.ingest(&rows(), &["--run", "R"]);
    for which in [&["--run", "R"][..], &[]] {
        let command = [&["security", "deviations"], which].concat();
        assert_eq!(place.run(&command).ok().stdout.trim(), "no baseline learned", "{which:?}");
        let document = place.run([&command[..], &["--json"]].concat()).ok().json();
        assert_eq!(document["baseline"]["state"], "no baseline learned", "{which:?}");
    }
}

#[test]
fn the_timeline_of_a_tool_call_holds_what_was_reported_and_judged_of_it() {
    let place = Place::new();
    place.bind("R", "T", &["--pid", "42"]);
    place.bind("R", "U", &["--pid", "43"]);
    let metadata = "\"event_type\":\"network_connect\",\"dst_ip\":\"169.254.169.254\",\"dst_port\":80,\"pid\"";
    let other = [row("x", 7, &format!("{metadata}:43")), row("y", 8, "\"event_type\":\"execve\",\"pid\":43")].concat();
    place.ingest(&[rows(), other].concat(), &[]);
    let timeline = |more: &[&str]| place.run([&["timeline", "--run", "R", "--json"], more].concat()).ok().json();
    let types = |document: &Value| -> Vec<String> {
        let rows = document["events"].as_array().expect("rows").iter();
        let mut types: Vec<String> = rows.map(|row| row["type"].as_str().expect("a type").to_owned()).collect();
        assert_eq!(document["total_count"], types.len());
        types.sort();
        types
    };
    let document = timeline(&["--tool-call", "U"]);
    let expected = ["execve", "metadata_ip", "policy_decision", "response_action", "risk_signal", "scope_bound"];
    assert_eq!(types(&document), expected);
    for row in document["events"].as_array().expect("rows").iter().filter(|row| row["type"] != "scope_bound") {
        assert_eq!(row["tool_call_id"], "U", "{row:#}");
    }
    assert_eq!(types(&timeline(&["--tool-call", "T", "--type", "policy_decision"])), ["policy_decision"; 2]);
    assert_eq!(types(&timeline(&["--tool-call", "U", "--type", "policy_decision"])), ["policy_decision"]);
    let wrong = place.run(["timeline", "--run", "R", "--tool-call", "V"]);
    assert_eq!(wrong.status, 1, "{}", wrong.stderr);
}
