//! The shapes of the contract's documents, down to their leaves.

use crate::place::Place;
use serde_json::Value;

/// `key` a string, `:i` an integer, `:f` a number, `:b` a boolean, `:m` a map of integers, `:o` any object; `{..}` an object and `[..]` a list
/// of objects of this shape, `[]` a list of strings; `?` may be absent. Words in capitals stand for the shapes in `NAMED`.
const SHAPES: &[(&str, &str)] = &[
    (
        "timeline --run R --json",
        "schema_version run_id filter{tool_call_id? process_id? type? limit?:i cursor? view?} view summary{total_events:i \
         lane_counts:m runtime_events:i fully_correlated:i partially_correlated:i correlation_gaps:i} H cursor? next_cursor? \
         has_more:b total_count:i event_count:i events[time type source lane? correlation_status? id run_id CTX \
         object_ref? summary evidence?:o risk?:o drilldowns?[]]",
    ),
    (
        "observe summary --run R --json",
        "run_id H event_count:i application{sessions:i attempts:i tool_calls:i processes:i snapshots:i} runtime{events:i \
         events_with_session:i events_with_tool_call:i events_with_process:i tool_call_coverage_ratio:f process_coverage_ratio:f} \
         windows{window_count:i event_count:i resolved_count:i unresolved_count:i high_risk_count:i by_type?:m by_source?:m \
         latest_window_start?} risk{signals:i policy_decisions:i by_severity?:m by_decision?:m} baseline{deviations:i by_status?:m} \
         response{actions:i by_action?:m by_status?:m} signals{total:i by_dimension?:m} event_types:m sources:m \
         top_evidence_refs?[EREF] recommended_views[]",
    ),
    (
        "observe coverage --run R --json",
        "run_id H summary{runtime_events:i fully_correlated:i missing_session:i missing_tool_call:i missing_process:i \
         fully_correlated_ratio:f tool_call_coverage_ratio:f process_coverage_ratio:f correlation_gap_count:i} missing_fields:m \
         by_source:m by_type:m next_steps[]",
    ),
    (
        "observe scopes --run R --json",
        "run_id H scope_count:i scopes[tool_call_id session_id? attempt_id? command? status? started_at? ended_at? \
         process_count:i runtime_events:i runtime_events_by_type?:m risk_signals:i risk_by_severity?:m policy_decisions:i \
         response_actions:i response_by_action?:m evidence_refs?[EREF] recommended_drilldowns[]]",
    ),
    (
        "observe event --run R --event E --json",
        "run_id H event{id type source time summary object_ref? correlation_method? correlation_confidence?:f evidence?:o} \
         context{CTX} query{lane? correlation_status? drilldowns?[]} related_risks?[EREF] related_policies?[EREF] \
         related_responses?[EREF] recommended_views[]",
    ),
    (
        "observe process --run R --process P --json",
        "run_id H process{id started_at? ended_at? summary? evidence?:o object_ref?} context{CTX} query{lane? \
         correlation_status? drilldowns?[]} runtime_events?[EREF] related_risks?[EREF] recommended_views[]",
    ),
    (
        "observe flow --run R --json",
        "run_id H flow_count:i flows[time lane? correlation_status? tool_call_id? process_id? event_id event_type event_source \
         risk_signals?[] policy_decisions?[] response_actions?[] summary drilldowns[]]",
    ),
    ("graph objects --run R --json", "run_id limit:i has_more:b H object_count:i objects[OBJ]"),
    (
        "graph verify --run R --json",
        "run_id status issue_count:i error_count:i warning_count:i issues[severity kind id message]",
    ),
    (
        "graph diff --run R --file app.py --json",
        "run_id file base_snapshot_id base_path base_exists:b base_sha256 attempts[FILEROW file_exists:b file_sha256 unified_diff?[]]",
    ),
    (
        "graph blame --run R --file app.py --json",
        "run_id file base_snapshot_id base_sha256 entries[FILEROW file reason sha256]",
    ),
    ("graph explain --run R --file app.py --json", EXPLAIN),
    ("graph explain --event E --json", EXPLAIN),
    ("graph explain --tool-call T --json", EXPLAIN),
    ("graph explain --process P --json", EXPLAIN),
    ("graph explain --risk D --json", EXPLAIN_RISK),
    (
        "evidence manifest --run R --json",
        "run_id H query_refs?[kind schema_version? command result_set_id? page_hash? has_more?:b] summary:o \
         timeline{schema_version event_count:i H lane_counts?:m query_refs[kind command]} objects{schema_version object_count:i \
         has_more:b H total_bytes:i by_type:m top_refs?[hash type source_id path size_bytes:i]} security{risk_count:i \
         response_count:i risks_result_set_id? risks_page_hash? responses_result_set_id? responses_page_hash?} recommended_views[]",
    ),
    (
        "security risks --run R --json",
        "H count:i risks[risk{id run_id session_id tool_call_id process_id snapshot_id event_id policy_decision_id signal_type \
         severity reason recommended_action payload created_at} query{drilldowns[]}]",
    ),
    ("security responses --run R --json", "H count:i responses[response{RESP} query{drilldowns[]}]"),
];

const EXPLAIN: &str = "target{type id? run_id? file?} query{depth:i limit:i next_cursor? result_set_id page_hash truncated:b \
    edge_count:i node_count:i frontier_hit:b} summary[] upstream?[EDGE] downstream?[EDGE] causality_path?[EDGE] evidence?[id \
    run_id rollout_id attempt_id session_id tool_call_id event_type priority:i status payload] objects?[OBJ] risks?[DECISION] \
    responses?[RESP] replay_refs?[kind id ref] process_observations?[pid:i ppid:i command first_seen last_seen outlived_root:b \
    boundary orphan_policy source_event_id process_id tool_call_id] runtime_edges?[EDGE] file_diff?:o file_blame?:o \
    runtime_events?[id run_id event_type source pid:i payload created_at]";

const EXPLAIN_RISK: &str = "target{type id run_id} summary[] upstream[EDGE] downstream[EDGE] risks[DECISION] responses[RESP] \
    runtime_events[id run_id event_type source payload created_at]";

const NAMED: &[(&str, &str)] = &[
    ("H", "result_set_id page_hash"),
    ("CTX", "session_id? attempt_id? tool_call_id? process_id? snapshot_id?"),
    ("EREF", "ref type source summary"),
    ("EDGE", "run_id rollout_id from_id to_id edge_type source_event_id created_at"),
    ("OBJ", "hash type source_id run_id rollout_id path size_bytes:i created_at"),
    (
        "FILEROW",
        "attempt_id rollout_id tool_call_id snapshot_id workspace_path strategy command status is_winner:b artifact_ref? changed:b",
    ),
    (
        "RESP",
        "id run_id session_id process_id snapshot_id risk_signal_id policy_decision_id action_type target_type target_id \
         status result_ref payload created_at",
    ),
    ("TALLY", "passed:i failed:i skipped:i"),
    (
        "ITEM",
        "batch_id? index:i job_id? shard_id? run_id? attempt_id? tool_call_id? process_id? workdir? command? status exit_code:i \
         wall_ms:i changed_file_count:i changed_files?[] error? evidence_manifest_command? explain_command?",
    ),
    ("ROWS", "read:i ingested:i skipped:i failed:i"),
    ("IDS", "run_id session_id tool_call_id process_id snapshot_id"),
    (
        "BIND",
        "run_id session_id? attempt_id? tool_call_id? process_id? container_id? cgroup_id? root_pid?:i pid?:i started_at \
         ended_at? binding_source confidence:f",
    ),
    (
        "EVENT",
        "id IDS raw_event_id correlation_method correlation_confidence:f correlation_class? binding_source? \
         self_launched?:b container_id cgroup_id pid:i tgid:i ppid:i source event_type payload created_at",
    ),
    ("RISK", "id IDS event_id policy_decision_id signal_type severity reason recommended_action payload created_at"),
    (
        "ADAPTER",
        "name kind status available:b boundary inputs[] outputs[] identity_keys[] capabilities[name supported:b level notes]",
    ),
    ("DECISION", "id run_id event_id session_id rule_id decision reason created_at"),
];

#[test]
fn documents_have_the_shapes_of_the_contract() {
    let place = Place::with_git(&[("app.py", "value = 1\n"), (".env", "A=b\n")]);
    let rules = "rules:\n  - id: secret\n    match: {class: secret, access: read}\n    decision: deny\n";
    std::fs::write(place.root().join("rules.yaml"), rules).expect("a rule file");
    let script = "sed -i s/1/2/ app.py; cat .env >/dev/null";
    let words = ["record", "--run", "R", "--rules", "../rules.yaml", "--json", "--", "sh", "-c", script];
    let manifest = place.run(words).ok().json();
    let decisions = place.run(["policy", "decisions", "--run", "R", "--json"]).ok().json();
    let decision = &decisions["decisions"][0];
    let mut wrong = Vec::new();
    for (command, shape) in SHAPES {
        let arguments: Vec<&str> = command
            .split(' ')
            .map(|word| match word {
                "E" => decision["event_id"].as_str().expect("an event"),
                "D" => decision["id"].as_str().expect("a decision"),
                "T" => manifest["tool_call_id"].as_str().expect("a tool call"),
                "P" => manifest["process_id"].as_str().expect("a process"),
                other => other,
            })
            .collect();
        let document = place.run(arguments).ok().json();
        wrong.extend(differences(&document, shape).into_iter().map(|line| format!("{command}: {line}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where a document does not have a shape.
pub(crate) fn differences(document: &Value, shape: &str) -> Vec<String> {
    let (parsed, rest) = Shape::parse(shape);
    assert!(rest.is_empty(), "the shape goes on: {rest}");
    let mut found = Vec::new();
    parsed.compare(document, "", &mut found);
    found
}

/// The keys of an object.
struct Shape {
    fields: Vec<Field>,
}

struct Field {
    name: String,
    optional: bool,
    kind: Kind,
}

enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
    Counts,
    Object(Option<Shape>),
    List(Option<Shape>),
}

impl Shape {
    /// Reads fields up to a closing bracket, and gives what follows it.
    fn parse(mut text: &str) -> (Self, &str) {
        let mut fields = Vec::new();
        loop {
            text = text.trim_start();
            if text.is_empty() {
                return (Self { fields }, text);
            }
            if let Some(rest) = text.strip_prefix(['}', ']']) {
                return (Self { fields }, rest);
            }
            let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
            let (name, rest) = text.split_at(end);
            if let Some((_, named)) = NAMED.iter().find(|(word, _)| *word == name) {
                fields.extend(Self::parse(named).0.fields);
                text = rest;
                continue;
            }
            let (optional, rest) = rest.strip_prefix('?').map_or((false, rest), |rest| (true, rest));
            let (kind, rest) = Kind::parse(rest);
            fields.push(Field { name: name.to_owned(), optional, kind });
            text = rest;
        }
    }

    fn compare(&self, value: &Value, place: &str, wrong: &mut Vec<String>) {
        if !value.is_object() {
            wrong.push(format!("{place} is no object: {value}"));
            return;
        }
        for field in &self.fields {
            let place = format!("{place}.{}", field.name);
            match value.get(&field.name) {
                None if field.optional => {}
                None => wrong.push(format!("{place} is missing")),
                Some(found) => field.kind.compare(found, &place, wrong),
            }
        }
    }
}

impl Kind {
    fn parse(text: &str) -> (Self, &str) {
        let nested = |rest| {
            let (shape, rest) = Shape::parse(rest);
            ((!shape.fields.is_empty()).then_some(shape), rest)
        };
        if let Some(rest) = text.strip_prefix('{') {
            let (shape, rest) = nested(rest);
            return (Self::Object(shape), rest);
        }
        if let Some(rest) = text.strip_prefix('[') {
            let (shape, rest) = nested(rest);
            return (Self::List(shape), rest);
        }
        match text.strip_prefix(':').and_then(|rest| Some((rest.chars().next()?, &rest[1..]))) {
            Some(('i', rest)) => (Self::Integer, rest),
            Some(('f', rest)) => (Self::Number, rest),
            Some(('b', rest)) => (Self::Boolean, rest),
            Some(('m', rest)) => (Self::Counts, rest),
            Some(('o', rest)) => (Self::Object(None), rest),
            Some((other, _)) => panic!("no kind of field: {other}"),
            None => (Self::Text, text),
        }
    }

    fn compare(&self, value: &Value, place: &str, wrong: &mut Vec<String>) {
        let fits = match self {
            Self::Text => value.is_string(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Counts => value.as_object().is_some_and(|map| map.values().all(Value::is_u64)),
            Self::Object(None) => value.is_object(),
            Self::List(None) => value.as_array().is_some_and(|list| list.iter().all(Value::is_string)),
            Self::Object(Some(shape)) => return shape.compare(value, place, wrong),
            Self::List(Some(shape)) => match value.as_array() {
                Some(list) => {
                    for (index, item) in list.iter().enumerate().take(3) {
                        shape.compare(item, &format!("{place}[{index}]"), wrong);
                    }
                    true
                }
                None => false,
            },
        };
        if !fits {
            wrong.push(format!("{place} has another type: {}", value.to_string().chars().take(80).collect::<String>()));
        }
    }
}
