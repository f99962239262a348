//! Responses to reported events: they act on exactly known processes of this host, and on nobody else.

use crate::place::Place;
use crate::telemetry::row;
use serde_json::{Value, json};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

const RULES: &str = "rules:
  - id: end_it
    match: {class: secret}
    decision: kill
    response: [kill, export, taint]
";

/// A process of this test, ended when the test is over.
struct Victim(Child);

impl Victim {
    fn new() -> Self {
        Self(Command::new("sleep").arg("60").spawn().expect("sleep starts"))
    }

    fn start_ticks(&self) -> u64 {
        let line = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).expect("it is alive");
        let (_, after) = line.rsplit_once(") ").expect("a stat line");
        after.split(' ').nth(19).and_then(|field| field.parse().ok()).expect("a start time")
    }

    fn lives(&mut self) -> bool {
        self.0.try_wait().expect("it can be asked").is_none()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("the boot id").trim().to_owned()
}

/// A report that a process read a secret.
fn read_of(id: &str, identity: &Value) -> String {
    let mut rest = serde_json::to_string(identity).expect("JSON");
    rest.pop();
    row(id, 6, &format!("\"event_type\":\"file_open\",\"path\":\"/w/.env\",{}", &rest[1..]))
}

fn take(place: &Place, rows: &str, mode: &str) -> Value {
    let rules = place.root().join("rules.yaml");
    std::fs::write(&rules, RULES).expect("a rule file");
    place.ingest(rows, &["--run", "R", "--rules", &rules.display().to_string(), "--mode", mode])
}

/// Actions and their last states, and the evidence of the kill.
fn responses(place: &Place) -> (Vec<(String, String)>, String) {
    let document = place.run(["security", "responses", "--run", "R", "--json"]).ok().json();
    let list: Vec<&Value> =
        document["responses"].as_array().expect("a list").iter().map(|item| &item["response"]).collect();
    let word = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
    let mut states: Vec<_> = list.iter().map(|item| (word(item, "action_type"), word(item, "state"))).collect();
    states.sort();
    let kill = list.iter().find(|item| item["action_type"] == "kill");
    (states, kill.map(|item| item.to_string()).unwrap_or_default())
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(action, state)| ((*action).to_owned(), (*state).to_owned())).collect()
}

#[test]
fn the_process_that_was_reported_is_ended_and_that_is_on_record() {
    let place = Place::new();
    let mut victim = Victim::new();
    let rows = read_of("a", &json!({"boot_id": boot(), "pid": victim.0.id(), "start_ticks": victim.start_ticks()}));
    take(&place, &rows, "detect");
    assert!(victim.lives(), "in mode detect nothing is done");
    let (states, _) = responses(&place);
    assert_eq!(states, pairs(&[("audit", "confirmed")]));

    let place = Place::new();
    take(&place, &rows, "enforce");
    let until = Instant::now() + Duration::from_secs(10);
    while victim.lives() {
        assert!(Instant::now() < until, "it still runs");
        std::thread::sleep(Duration::from_millis(5));
    }
    let (states, kill) = responses(&place);
    assert_eq!(states, pairs(&[("export", "confirmed"), ("kill", "confirmed"), ("taint", "confirmed")]), "{kill}");
    assert!(kill.contains("reports its end"), "{kill}");
    let exports = place.data_dir().join("responses/telemetry/exports");
    assert_eq!(std::fs::read_dir(exports).expect("the folder of exports").count(), 1);
    place.run(["verify", "R"]).ok();

    // The same rows again are the same facts, and nobody is looked for a second time.
    let facts = place.run(["show", "R", "--json"]).ok().json()["facts"].clone();
    let again = take(&place, &rows, "enforce");
    assert_eq!(again["already_known"].as_u64().or(again["known"].as_u64()), Some(1), "{again}");
    assert_eq!(responses(&place).0, states);
    assert_eq!(place.run(["show", "R", "--json"]).ok().json()["facts"], facts);
}

#[test]
fn nobody_else_is_touched() {
    let mut victim = Victim::new();
    let (pid, start) = (victim.0.id(), victim.start_ticks());
    let elsewhere = "11111111-2222-3333-4444-555555555555";
    let cases = [
        (json!({"boot_id": elsewhere, "pid": pid, "start_ticks": start}), "another boot or another host"),
        (json!({"boot_id": boot(), "pid": pid, "start_ticks": start - 1}), "another process now"),
        (json!({"boot_id": boot(), "pid": pid}), "a bare pid is no identity"),
    ];
    for (identity, why) in cases {
        let place = Place::new();
        take(&place, &read_of("a", &identity), "enforce");
        assert!(victim.lives(), "{identity}");
        let (states, kill) = responses(&place);
        assert!(states.contains(&("kill".to_owned(), "unsupported".to_owned())), "{states:?}");
        assert!(kill.contains(why), "{kill}");
    }
}

#[test]
fn steps_stand_in_the_log_of_their_event() {
    let place = Place::new();
    let victim = Victim::new();
    let identity = json!({"boot_id": boot(), "pid": victim.0.id(), "start_ticks": victim.start_ticks()});
    place.bind("R", "T", &["--session", "S", "--pid", &victim.0.id().to_string()]);
    let rules = place.root().join("rules.yaml");
    std::fs::write(&rules, RULES).expect("a rule file");
    // The second row belongs to no run; the steps of the first one's responses come after it.
    let rows = read_of("a", &identity) + &read_of("b", &json!({"pid": 99_999_999}));
    place.ingest(&rows, &["--rules", &rules.display().to_string(), "--mode", "enforce"]);
    let (states, _) = responses(&place);
    assert_eq!(states, pairs(&[("export", "confirmed"), ("kill", "confirmed"), ("taint", "confirmed")]));
    place.run(["verify", "--all"]).ok();
}

#[test]
fn only_rules_that_were_named_act() {
    let place = Place::new();
    let file = place.write("rows.jsonl", "");
    let said = place.run(["telemetry", "ingest-jsonl", "--file", &file.display().to_string(), "--mode", "enforce"]);
    assert_eq!(said.status, 2, "{}", said.stderr);
    assert!(said.stderr.contains("--rules"), "{}", said.stderr);
}
