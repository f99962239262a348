//! Commands, flags and documents that users of the Go tool rely on.

use crate::place::Place;
use serde_json::Value;

/// Every contract command here, with each of its flags in use; `R` the run, `P` a process, `E` a fact, `A` the attempt,
/// `T` the tool call.
const COMMANDS: &[&[&str]] = &[
    &["graph", "trace", "--run", "R"],
    &["graph", "trace", "--attempt", "A"],
    &["graph", "trace", "--tool-call", "T"],
    &["graph", "trace", "--process", "P"],
    &["graph", "trace", "--artifact", "app.py", "--run", "R"],
    &["graph", "refs", "--run", "R"],
    &["graph", "log", "--run", "R"],
    &["graph", "materialize", "--run", "R"],
    &["graph", "verify", "--run", "R"],
    &["graph", "diff", "--run", "R", "--file", "app.py"],
    &["graph", "blame", "--run", "R", "--file", "app.py"],
    &["timeline", "--run", "R", "--view", "causality"],
    &["observe", "summary", "--run", "R"],
    &["evidence", "manifest", "--run", "R"],
    &["telemetry", "list", "--run", "R"],
    &["telemetry", "correlations", "--run", "R"],
    &["telemetry", "batches", "--run", "R"],
    &["telemetry", "windows", "--run", "R"],
    &["telemetry", "bindings", "--run", "R", "--session", "S", "--attempt", "A", "--tool-call", "T", "--process", "P"],
    &["adapter", "list", "--kind", "telemetry"],
    &["adapter", "inspect", "filtered-jsonl"],
];

/// Document by command: its schema and the keys that it must have. `:i` integer, `:b` boolean, `:f` number, `[]` list,
/// `{}` object, else a string.
const DOCUMENTS: &[(&[&str], &str, &[&str])] = &[
    (
        &[
            "timeline",
            "--run",
            "R",
            "--tool-call",
            "T",
            "--process",
            "P",
            "--type",
            "execve",
            "--view",
            "causality",
            "--limit",
            "1",
            "--json",
        ],
        "timeline/v1",
        &[
            "run_id",
            "filter{}",
            "view",
            "summary{}",
            "result_set_id",
            "page_hash",
            "has_more:b",
            "total_count:i",
            "event_count:i",
            "events[]",
        ],
    ),
    (
        &["observe", "summary", "--run", "R", "--top", "3", "--json"],
        "observability_summary/v1",
        &[
            "run_id",
            "result_set_id",
            "page_hash",
            "event_count:i",
            "application{}",
            "runtime{}",
            "windows{}",
            "risk{}",
            "baseline{}",
            "response{}",
            "signals{}",
            "event_types{}",
            "sources{}",
            "recommended_views[]",
        ],
    ),
    (
        &["observe", "coverage", "--run", "R", "--limit", "2", "--json"],
        "observability_coverage/v1",
        &["run_id", "summary{}", "missing_fields{}", "by_source{}", "by_type{}", "next_steps[]"],
    ),
    (
        &["observe", "scopes", "--run", "R", "--limit", "1", "--json"],
        "observability_scopes/v1",
        &["scope_count:i", "scopes[]"],
    ),
    (
        &["observe", "event", "--run", "R", "--event", "E", "--json"],
        "observability_event/v1",
        &["event{}", "context{}", "query{}", "recommended_views[]"],
    ),
    (
        &["observe", "process", "--run", "R", "--process", "P", "--json"],
        "observability_process/v1",
        &["process{}", "context{}", "query{}", "recommended_views[]"],
    ),
    (
        &["observe", "flow", "--run", "R", "--limit", "2", "--json"],
        "observability_flow/v1",
        &["flow_count:i", "flows[]"],
    ),
    (
        &["security", "risks", "--run", "R", "--json"],
        "security_risks/v1",
        &["run_id", "result_set_id", "page_hash", "count:i", "risks[]"],
    ),
    (
        &["security", "responses", "--run", "R", "--json"],
        "security_responses/v1",
        &["run_id", "result_set_id", "page_hash", "count:i", "responses[]"],
    ),
    (
        &["security", "deviations", "--run", "R", "--json"],
        "security_deviations/v1",
        &["run_id", "result_set_id", "page_hash", "count:i", "deviations[]"],
    ),
    (
        &["policy", "decisions", "--run", "R", "--json"],
        "policy_decisions/v1",
        &["run_id", "result_set_id", "page_hash", "count:i", "decisions[]"],
    ),
    (
        &["graph", "objects", "--run", "R", "--limit", "2", "--json"],
        "objects/v1",
        &[
            "run_id",
            "limit:i",
            "has_more:b",
            "next_cursor",
            "result_set_id",
            "page_hash",
            "object_count:i",
            "objects[]",
        ],
    ),
    (
        &["graph", "verify", "--run", "R", "--json"],
        "verify/v1",
        &["run_id", "status", "issue_count:i", "error_count:i", "warning_count:i", "issues[]"],
    ),
    (
        &["graph", "diff", "--run", "R", "--file", "app.py", "--json"],
        "diff/v1",
        &["run_id", "file", "base_snapshot_id", "base_path", "base_exists:b", "base_sha256", "attempts[]"],
    ),
    (
        &["graph", "blame", "--run", "R", "--file", "app.py", "--json"],
        "blame/v1",
        &["run_id", "file", "base_snapshot_id", "base_sha256", "entries[]"],
    ),
    (
        &["graph", "explain", "--run", "R", "--file", "app.py", "--depth", "1", "--limit", "5", "--json"],
        "explain/v1",
        &["target{}", "query{}", "summary[]", "upstream[]", "causality_path[]", "file_diff{}", "file_blame{}"],
    ),
    (
        &["graph", "explain", "--artifact", "app.py", "--run", "R", "--json"],
        "explain/v1",
        &["target{}", "query{}", "summary[]"],
    ),
    (&["graph", "explain", "--attempt", "A", "--json"], "explain/v1", &["target{}", "query{}", "summary[]"]),
    (&["graph", "explain", "--tool-call", "T", "--json"], "explain/v1", &["target{}", "query{}", "summary[]"]),
    (&["graph", "explain", "--process", "P", "--json"], "explain/v1", &["target{}", "query{}", "summary[]"]),
    (&["graph", "explain", "--event", "E", "--json"], "explain/v1", &["target{}", "query{}", "summary[]"]),
    (
        &[
            "telemetry",
            "list",
            "--run",
            "R",
            "--session",
            "S",
            "--type",
            "execve",
            "--tool-call",
            "T",
            "--limit",
            "3",
            "--json",
        ],
        "telemetry_events/v1",
        &[
            "filter{}",
            "limit:i",
            "has_more:b",
            "event_count:i",
            "total_count:i",
            "result_set_id",
            "page_hash",
            "events[]",
        ],
    ),
    (
        &["telemetry", "correlations", "--run", "R", "--event", "E", "--json"],
        "telemetry_correlations/v1",
        &["run_id", "event_id", "result_set_id", "page_hash", "count:i", "correlations[]"],
    ),
    (&["telemetry", "batches", "--run", "R", "--json"], "telemetry_batches/v1", &["run_id", "batches[]"]),
    (
        &["telemetry", "windows", "--run", "R", "--window", "60", "--json"],
        "telemetry_event_windows/v1",
        &["filter{}", "window_count:i", "result_set_id", "page_hash", "windows[]"],
    ),
    (
        &["evidence", "manifest", "--run", "R", "--object-limit", "3", "--json"],
        "evidence_manifest/v1",
        &[
            "run_id",
            "result_set_id",
            "page_hash",
            "query_refs[]",
            "summary{}",
            "timeline{}",
            "objects{}",
            "security{}",
            "recommended_views[]",
        ],
    ),
    (
        &[
            "record",
            "--run",
            "again",
            "--name",
            "n",
            "--workdir",
            ".",
            "--post-root-grace-ms",
            "10",
            "--json",
            "--",
            "true",
        ],
        "record/v1",
        &[
            "run_id",
            "rollout_id",
            "base_snapshot_id",
            "attempt_id",
            "session_id",
            "tool_call_id",
            "process_id",
            "workdir",
            "command",
            "status",
            "exit_code:i",
            "wall_ms:i",
            "changed_files[]",
            "changed_file_count:i",
            "context_mode",
            "root_pid:i",
            "observed_processes[]",
            "orphan_policy",
            "sample_interval_ms:i",
            "post_root_grace_ms:i",
            "cwd",
            "process_tree_count:i",
            "time_window{}",
            "scope_inference{}",
        ],
    ),
];

struct Recorded {
    place: Place,
    attempt: String,
    tool_call: String,
    process: String,
    event: String,
}

fn recorded() -> Recorded {
    let place = Place::with_git(&[("app.py", "value = 1\n")]);
    let script = "sed -i s/1/2/ app.py; cat app.py >/dev/null";
    let manifest = place.run(["record", "--run", "R", "--json", "--", "sh", "-c", script]).ok().json();
    let text = |key: &str| manifest[key].as_str().expect("a string").to_owned();
    let rows = place.run(["timeline", "--run", "R", "--type", "execve", "--json"]).ok().json();
    let event = rows["events"][0]["id"].as_str().expect("an id").to_owned();
    Recorded { attempt: text("attempt_id"), tool_call: text("tool_call_id"), process: text("process_id"), event, place }
}

impl Recorded {
    fn arguments(&self, template: &[&str]) -> Vec<String> {
        let fill = |word: &&str| match *word {
            "P" => self.process.clone(),
            "E" => self.event.clone(),
            "A" => self.attempt.clone(),
            "T" => self.tool_call.clone(),
            other => other.to_owned(),
        };
        template.iter().map(fill).collect()
    }
}

#[test]
fn commands_and_flags_of_the_contract_are_taken() {
    let recorded = recorded();
    for template in COMMANDS {
        let said = recorded.place.run(recorded.arguments(template)).ok();
        assert!(!said.stdout.is_empty(), "{template:?} printed nothing");
    }
}

#[test]
fn documents_have_the_keys_of_the_contract() {
    let recorded = recorded();
    for (template, schema, keys) in DOCUMENTS {
        let said = recorded.place.run(recorded.arguments(template)).ok();
        let document = said.json();
        assert_eq!(document["schema_version"], format!("agentprovenance.{schema}"), "{template:?}");
        for key in *keys {
            assert!(has_type(&document, key), "{template:?} lacks {key}: {document:#}");
        }
        assert!(said.stdout.contains("\"schema_version\": \""), "two spaces of indent, one after the colon");
    }
}

fn has_type(document: &Value, key: &str) -> bool {
    let split = key.find([':', '[', '{']).unwrap_or(key.len());
    let value = &document[&key[..split]];
    match &key[split..] {
        ":i" => value.is_i64() || value.is_u64(),
        ":b" => value.is_boolean(),
        ":f" => value.is_number(),
        "[]" => value.is_array(),
        "{}" => value.is_object(),
        _ => value.is_string(),
    }
}

#[test]
fn global_flags_stand_before_or_after_the_command() {
    let recorded = recorded();
    let dir = recorded.place.data_dir().display().to_string();
    recorded.place.run(["--data-dir", &dir, "timeline", "--run", "R"]).ok();
    recorded.place.run(["timeline", "--run", "R", "--data-dir", &dir]).ok();
    let said = recorded.place.run(["--daemon-url", "http://127.0.0.1:1", "timeline", "--run", "R"]);
    assert_eq!(said.status, 2, "a flag that can't be honoured is refused: {}", said.stderr);
}

#[test]
fn filters_and_limits_have_an_effect() {
    let recorded = recorded();
    let count = |arguments: &[&str]| {
        let all = [&["timeline", "--run", "R", "--json"], arguments].concat();
        recorded.place.run(recorded.arguments(&all)).ok().json()["event_count"].as_u64().expect("a number")
    };
    let all = count(&[]);
    for narrower in [&["--type", "execve"][..], &["--process", "P"], &["--limit", "3"]] {
        assert!((1..all).contains(&count(narrower)), "{narrower:?} changed nothing");
    }
    assert_eq!(recorded.place.run(["timeline", "--run", "R", "--type", "execv"]).status, 1);
    assert_eq!(recorded.place.run(["timeline", "--run", "R", "--cursor", "garbage"]).status, 2);
    assert_eq!(recorded.place.run(["timeline", "--run", "R", "--no-such-flag"]).status, 2);
}

#[test]
fn pages_make_up_the_whole() {
    let recorded = recorded();
    let whole = recorded.place.run(["timeline", "--run", "R", "--json"]).ok().json();
    let ids = |document: &Value| -> Vec<String> {
        document["events"].as_array().expect("rows").iter().map(|row| row["id"].to_string()).collect()
    };
    let (mut pages, mut cursor, mut hashes) = (Vec::new(), None::<String>, Vec::new());
    for _ in 0..1000 {
        let mut arguments = vec!["timeline", "--run", "R", "--limit", "7", "--json"];
        if let Some(cursor) = &cursor {
            arguments.extend(["--cursor", cursor]);
        }
        let page = recorded.place.run(&arguments).ok().json();
        assert_eq!(page["result_set_id"], whole["result_set_id"]);
        hashes.push(page["page_hash"].to_string());
        pages.extend(ids(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(pages, ids(&whole));
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), pages.len().div_ceil(7), "pages share a hash");
}

#[test]
fn a_patch_is_taken_by_git_and_gives_the_recorded_state() {
    let recorded = recorded();
    let patch = recorded.place.run(["graph", "diff", "--run", "R", "--file", "app.py"]).ok().stdout;
    recorded.place.git(&["checkout", "--quiet", "app.py"]);
    recorded.place.write("p.patch", patch);
    recorded.place.git(&["apply", "p.patch"]);
    assert_eq!(recorded.place.read("app.py"), "value = 2\n");
}

#[test]
fn completions_man_pages_and_help_are_there() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(place.run(["completions", shell]).ok().stdout.contains("agentprov"));
    }
    place.run(["man", "man"]).ok();
    assert!(place.work().join("man/agentprov-record.1").exists());
    let page = place.read("man/agentprov-mcp-wrap.1");
    assert!(page.contains("[OPTIONS] \\-\\- <SERVER>..."), "the synopsis has what the usage has: {page}");
    assert!(page.contains("\"agentprov 0.") && page.contains("AGENTPROV_DATA_DIR"), "{page}");
    assert!(place.run(["--help"]).ok().stdout.contains("record"));
}
