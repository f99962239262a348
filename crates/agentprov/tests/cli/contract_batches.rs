//! What the contract says of many recordings from one file, and of events that go by age: documents, and what each flag does.

use crate::contract_nested::differences;
use crate::place::{Place, Said};
use crate::telemetry::row;
use agentprov_model::What;
use serde_json::Value;
use std::io::Write;
use std::process::Stdio;

const BATCH: &str = "schema_version batch_id input_sha256 started_at ended_at job_count:i TALLY status_counts:m run_ids[] shards:m \
    items[ITEM] H";

const SUMMARY: &str = "schema_version query{batch_id? run_id? job_id? shard_id? latest:b limit:i} batch_count:i item_count:i TALLY \
    status_counts:m shards:m run_ids[] batches[batch_id input_sha256 started_at ended_at job_count:i TALLY shards:m H created_at] \
    items[ITEM] H";

const RETENTION: &str = "schema_version run_id cutoff max_delete:i scanned:i deleted:i protected:i deleted_ids[]";

const JOBS: &str = r#"{"job_id":"a","shard_id":"s1","run_id":"one","command":["sh","-c","echo x >made"]}
{"job_id":"b","shard_id":"s2","run_id":"two","command":["true"]}
{"job_id":"c","shard_id":"s2","run_id":"three","command":["false"]}
"#;

fn batch(place: &Place, jobs: &str, more: &[&str]) -> Said {
    let file = place.write("../jobs.jsonl", jobs).display().to_string();
    place.run([&["record", "batch", "--file", &file], more].concat())
}

fn jobs_of(document: &Value) -> Vec<&str> {
    let items = document["items"].as_array().expect("items").iter();
    items.map(|item| item["job_id"].as_str().expect("a job")).collect()
}

#[test]
fn documents_of_batches_have_the_shapes_of_the_contract() {
    let place = Place::new();
    let document = batch(&place, JOBS, &["--json"]).ok().json();
    assert_eq!(differences(&document, BATCH), Vec::<String>::new());
    assert_eq!(document["schema_version"], "agentprovenance.record_batch/v1");
    assert_eq!(document["run_ids"], serde_json::json!(["one", "two"]), "sorted, without those that failed");
    let made = &document["items"][0]["changed_files"];
    assert_eq!(made, &serde_json::json!(["made"]));
    let summary = place.run(["evidence", "batch-summary", "--latest", "--json"]).ok().json();
    assert_eq!(differences(&summary, SUMMARY), Vec::<String>::new());
    assert_eq!(summary["schema_version"], "agentprovenance.record_batch_summary/v1");
}

#[test]
fn every_name_narrows_a_summary_of_batches() {
    let place = Place::new();
    let first = batch(&place, JOBS, &["--json"]).ok().json();
    let again = JOBS.replace("\"run_id\":\"", "\"run_id\":\"again-").replace("\"shard_id\":\"s1\",", "");
    let second = batch(&place, &again, &["--json"]).ok().json();
    let id = |document: &Value| document["batch_id"].as_str().expect("an id").to_owned();
    let summary = |more: &[&str]| place.run([&["evidence", "batch-summary", "--json"], more].concat()).ok().json();
    let all = summary(&[]);
    assert_eq!((&all["batch_count"], jobs_of(&all)), (&2.into(), vec!["a", "b", "c", "a", "b", "c"]));
    assert_eq!(all["batches"][0]["batch_id"], id(&second).as_str(), "the newest first");
    for (more, jobs) in [
        (&["--batch", &id(&first), "--job", "a"][..], &["a"][..]),
        (&["--run", "again-two"], &["b"]),
        (&["--job", "c"], &["c", "c"]),
        (&["--shard", "s1"], &["a"]),
        (&["--shard", "s2", "--latest"], &["b", "c"]),
        (&["--limit", "4"], &["a", "b", "c", "a"]),
    ] {
        let document = summary(more);
        assert_eq!(jobs_of(&document), jobs, "{more:?}");
        assert_ne!(document["result_set_id"], all["result_set_id"], "{more:?}");
    }
    assert_eq!(summary(&["--limit", "4"])["item_count"], 6, "a limit lists less and counts all");
    assert_eq!(summary(&["--batch", &id(&first)])["batches"][0]["batch_id"], id(&first).as_str());
}

#[test]
fn every_flag_of_a_batch_has_its_effect() {
    let place = Place::new();
    let started = |run: &str| {
        let mut facts = place.facts(run).into_iter();
        let found =
            facts.find_map(|fact| if let What::AttemptStarted(started) = fact.what { Some(started) } else { None });
        found.expect("an attempt")
    };
    std::fs::create_dir(place.work().join("below")).expect("a folder");
    let jobs = "{\"run_id\":\"all\",\"command\":[\"true\"]}\n\
                {\"run_id\":\"own\",\"workdir\":\"below\",\"post_root_grace_ms\":40,\"command\":[\"true\"]}\n\
                {\"name\":\"named\",\"command\":[\"true\"]}\n";
    let quiet = batch(&place, jobs, &["--post-root-grace-ms", "30", "--json"]).ok();
    assert_eq!((started("all").grace_ms, started("own").grace_ms), (30, 40));
    assert!(started("own").workdir.lossy().ends_with("/below"), "{:?}", started("own").workdir);
    let named = quiet.json()["items"][2]["run_id"].as_str().expect("a run").to_owned();
    assert_eq!((started("all").name.as_str(), started(&named).name.as_str()), ("record", "named"));

    // The ptrace back-end samples nothing and says so; the other one takes the pause.
    let sampled = batch(&place, "{\"command\":[\"true\"]}\n", &["--sample-interval-ms", "5"]).ok();
    let said = |said: &Said| said.stderr.contains("--sample-interval-ms");
    let procfs = sampled.stderr.contains("procfs");
    assert!(!said(&quiet) && (said(&sampled) || procfs), "{}", sampled.stderr);

    // Each waits for the other.
    let wait = |own: &str, other: &str| {
        let script = format!("touch {own}; for i in $(seq 100); do [ -e {other} ] && exit 0; sleep 0.1; done; exit 1");
        format!("{{\"command\":[\"sh\",\"-c\",\"{script}\"]}}\n")
    };
    let both = batch(&place, &(wait("x", "y") + &wait("y", "x")), &["--concurrency", "2", "--json"]).ok().json();
    assert_eq!(both["passed"], 2, "{both:#}");

    let mut command = place.command(["record", "batch", "--file", "-", "--json"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(JOBS.as_bytes()).expect("it reads");
    let said = Said::of(&child.wait_with_output().expect("it ends")).ok();
    assert_eq!(jobs_of(&said.json()), ["a", "b", "c"]);
}

#[test]
fn retention_has_the_shape_of_the_contract_and_keeps_to_its_flags() {
    let place = Place::new();
    let rows: String = (0..3)
        .map(|n| row(&format!("e{n}"), 6 + n, "\"event_type\":\"execve\",\"pid\":42,\"argv\":[\"true\"]"))
        .collect();
    for (run, pid) in [("R", "42"), ("S", "43")] {
        place.bind(run, "T", &["--pid", pid]);
        place.ingest(&rows.replace("\"pid\":42", &format!("\"pid\":{pid}")), &[]);
    }
    let prune = |more: &[&str]| place.run([&["telemetry", "prune", "--json"], more].concat()).ok().json();
    assert_eq!(prune(&["--older-than", "999999h"])["scanned"], 0);
    let dry = prune(&["--dry-run"]);
    assert_eq!((&dry["scanned"], &dry["deleted"]), (&6.into(), &6.into()));
    assert!(dry.get("run_id").is_none(), "of no run in particular");
    let document = prune(&["--run", "R", "--older-than", "10m", "--max-delete", "2"]);
    assert_eq!(differences(&document, RETENTION), Vec::<String>::new());
    assert_eq!(document["schema_version"], "agentprovenance.telemetry_retention/v1");
    assert_eq!((&document["max_delete"], &document["deleted"]), (&2.into(), &2.into()));
    assert_eq!((place.events("R", &[]).len(), place.events("S", &[]).len()), (1, 3));
    let text = place.run(["telemetry", "prune", "--run", "R"]).ok().stdout;
    assert!(text.starts_with("cutoff=") && text.contains(" deleted=1 "), "{text}");
}
