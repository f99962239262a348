//! Every flag of every way in has its effect.

use crate::place::Place;
use crate::telemetry::row;
use serde_json::Value;

const RULES: &str = "rules:\n  - id: mine\n    match: {class: metadata}\n    decision: deny\n    reason: not here\n";

/// Ways by which rows come in.
#[derive(Clone, Copy, Debug)]
enum Way {
    Jsonl,
    Falco,
    Spool,
}

const WAYS: [Way; 3] = [Way::Jsonl, Way::Falco, Way::Spool];

impl Way {
    /// One row of pid 42 that connects to a metadata service, with words that it must not use inside.
    fn row(self, id: &str, more: &str) -> String {
        match self {
            Self::Jsonl | Self::Spool => {
                let rest = format!("\"event_type\":\"connect\",\"pid\":42,\"dst_ip\":\"169.254.169.254\"{more}");
                row(id, 6, &rest)
            }
            Self::Falco => format!(
                "{{\"uuid\":\"{id}\",\"rule\":\"r\",\"priority\":\"Notice\",\"time\":\"2026-01-02T03:04:11Z\",\"output\":\"o\"{more},\
                 \"output_fields\":{{\"evt.type\":\"connect\",\"proc.pid\":42,\"fd.name\":\"10.0.0.1:5->169.254.169.254:80\"}}}}\n"
            ),
        }
    }

    /// Takes rows in. What judges is said when they are taken in, everything else when they are handed over.
    fn take(self, place: &Place, rows: &str, more: &[&str], judging: &[&str]) {
        place.write("in.jsonl", rows);
        let run = |words: &[&str], more: &[&[&str]]| place.run([words, &more.concat()[..]].concat()).ok();
        match self {
            Self::Jsonl => run(&["telemetry", "ingest-jsonl", "--file", "in.jsonl"], &[more, judging]),
            Self::Falco => run(&["telemetry", "ingest-falco", "--file", "in.jsonl"], &[more, judging]),
            Self::Spool => {
                run(&["telemetry", "spool", "queue", "--file", "in.jsonl"], &[more]);
                run(&["telemetry", "spool", "process"], &[judging])
            }
        };
    }
}

fn decisions(place: &Place, run: &str) -> Value {
    place.run(["policy", "decisions", "--run", run, "--json"]).ok().json()
}

/// Names of all events, whatever log they are in.
fn all_events(place: &Place) -> Vec<String> {
    let runs = place.run(["runs", "--json"]).ok().json();
    let runs =
        runs["runs"].as_array().expect("runs").iter().map(|run| run["run_id"].as_str().expect("an id").to_owned());
    let events = runs.flat_map(|run| place.events(&run, &[]));
    events.map(|event| event["raw_event_id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn rules_of_a_file_judge_whatever_comes_in() {
    for way in WAYS {
        let place = Place::new();
        place.write("rules.yaml", RULES);
        let judged = |run: &str, judging: &[&str]| {
            way.take(&place, &way.row(run, ""), &["--run", run], judging);
            decisions(&place, run)
        };
        let builtin = judged("builtin", &[]);
        assert_eq!(builtin["decisions"][0]["rule_id"], "metadata_ip_dst", "{way:?}");
        let mine = judged("mine", &["--rules", "rules.yaml"]);
        assert_eq!((&mine["count"], &mine["decisions"][0]["rule_id"]), (&1.into(), &"mine".into()), "{way:?}");
        assert_ne!(mine["decisions"][0]["ruleset"], builtin["decisions"][0]["ruleset"], "{way:?}");
        let none = judged("none", &["--no-policy"]);
        assert_eq!((&none["count"], &none["judging"]["state"]), (&0.into(), &"not_judged".into()), "{way:?}");
    }
    let place = Place::new();
    place.write("rules.yaml", RULES);
    let payload = "{\"dst_ip\":\"169.254.169.254\"}";
    let one = [
        "telemetry",
        "ingest",
        "--run",
        "R",
        "--type",
        "network_connect",
        "--payload",
        payload,
        "--rules",
        "rules.yaml",
    ];
    place.run(one).ok();
    assert_eq!(decisions(&place, "R")["decisions"][0]["rule_id"], "mine");
}

#[test]
fn strict_refuses_rows_that_name_context() {
    for way in WAYS {
        let place = Place::new();
        let rows = way.row("plain", "") + &way.row("liar", ",\"x\":{\"tool_call_id\":\"T\"}");
        way.take(&place, &rows, &["--run", "lax"], &[]);
        assert_eq!(place.events("lax", &[]).len(), 2, "{way:?}");
        way.take(&place, &rows, &["--run", "strict", "--strict"], &[]);
        let [event] = &place.events("strict", &[])[..] else { panic!("{way:?}: one event") };
        assert_eq!(event["raw_event_id"], "plain", "{way:?}");
    }
}

#[test]
fn rows_of_no_scope_are_left_out_where_that_is_asked_for() {
    for way in WAYS {
        let place = Place::new();
        place.run(["init"]).ok();
        way.take(&place, &way.row("early", ""), &["--drop-uncorrelated"], &[]);
        assert_eq!(all_events(&place), Vec::<String>::new(), "{way:?}");
        way.take(&place, &way.row("kept", ""), &[], &[]);
        place.bind("R", "T", &["--pid", "42"]);
        way.take(&place, &way.row("bound", ""), &["--drop-uncorrelated"], &[]);
        let mut events = all_events(&place);
        events.sort();
        events.dedup();
        assert_eq!(events, ["bound", "kept"], "{way:?}");
    }
}

#[test]
fn raw_rows_are_kept_unless_told_otherwise() {
    for way in WAYS {
        let place = Place::new();
        let raw = |run: &str| {
            let rows = place.run(["timeline", "--run", run, "--type", "telemetry_raw", "--json"]).ok().json();
            rows["event_count"].as_u64().expect("a number")
        };
        way.take(&place, &way.row("a", ""), &["--run", "kept"], &[]);
        way.take(&place, &way.row("a", ""), &["--run", "left", "--no-raw"], &[]);
        assert_eq!((raw("kept"), raw("left")), (1, 0), "{way:?}");
        assert_eq!(place.events("left", &[]).len(), 1, "{way:?}");
    }
}

#[test]
fn context_of_the_caller_holds_for_every_row() {
    const CONTEXT: [(&str, &str, &str); 5] = [
        ("--attempt", "attempt_id", "A"),
        ("--session", "session_id", "S"),
        ("--tool-call", "tool_call_id", "T"),
        ("--process", "process_id", "P"),
        ("--snapshot", "snapshot_id", "N"),
    ];
    for way in WAYS {
        let place = Place::new();
        for (flag, key, value) in CONTEXT {
            let run = value;
            way.take(&place, &way.row("a", ""), &["--run", run, flag, value], &[]);
            let [event] = &place.events(run, &[])[..] else { panic!("{way:?} {flag}: one event") };
            for (_, other, _) in CONTEXT {
                let expected = if other == key { value } else { "" };
                assert_eq!(event[other], expected, "{way:?} {flag}: {other}");
            }
        }
        way.take(&place, &way.row("a", ""), &["--run", "O", "--rollout", "the-rollout"], &[]);
        let timeline = place.run(["timeline", "--run", "O", "--json"]).ok().stdout;
        assert!(timeline.contains("the-rollout"), "{way:?}: --rollout is ignored");
    }
}

#[test]
fn a_rule_for_users_does_not_take_the_user_asked_for_as_the_one_who_asks() {
    let place = Place::new();
    let rule = "rules:\n  - id: by_root\n    match: {event_type: [setuid, setgid], user: 0}\n    decision: deny\n";
    place.write("rules.yaml", rule);
    let to_root = row("asks", 6, "\"event_type\":\"setuid\",\"pid\":1,\"uid\":0");
    let by_root = row("is", 7, "\"event_type\":\"setgid\",\"pid\":1,\"gid\":5,\"uid\":0");
    place.ingest(&(to_root + &by_root), &["--run", "R", "--rules", "rules.yaml"]);
    let found = decisions(&place, "R");
    let events = place.events("R", &["--type", "setgid"]);
    assert_eq!((&found["count"], &found["decisions"][0]["event_id"]), (&1.into(), &events[0]["id"]));

    // Root that sets its group to root gains nothing; anybody else does, and so does who only claims to be root.
    let group =
        |id: &str, uid: u32| row(id, 8, &format!("\"event_type\":\"setgid\",\"pid\":1,\"gid\":0,\"uid\":{uid}"));
    place.ingest(&(group("root", 0) + &group("other", 1000)), &["--run", "G"]);
    let other = place.events("G", &[]).into_iter().find(|event| event["raw_event_id"] == "other").expect("it is there");
    let found = decisions(&place, "G");
    assert_eq!((&found["count"], &found["decisions"][0]["event_id"]), (&1.into(), &other["id"]));
    let claim = "{\"gid\":0,\"uid\":0}";
    place.run(["telemetry", "ingest", "--run", "C", "--type", "setgid", "--payload", claim]).ok();
    assert_eq!(decisions(&place, "C")["count"], 1);
}
