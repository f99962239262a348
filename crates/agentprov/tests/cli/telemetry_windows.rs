//! Windows are kept as counters; here they are counted again from the events.

use crate::place::Place;
use crate::telemetry::row;
use serde_json::Value;
use std::collections::BTreeMap;

/// Length, first second, session, tool call, source and type.
type Cell = (i64, i64, String, String, String, String);
/// All, resolved, unresolved, of high risk.
type Counts = (u64, u64, u64, u64);

const HIGH_RISK: [&str; 5] =
    ["metadata_ip", "private_cidr", "secret_path", "abnormal_process_tree", "resource_pressure"];

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn recounted(events: &[Value]) -> BTreeMap<Cell, Counts> {
    let mut cells: BTreeMap<Cell, Counts> = BTreeMap::new();
    for event in events {
        let at: i64 = text(&event["event_time_ns"]).parse().expect("nanoseconds");
        let second = at.div_euclid(1_000_000_000);
        for length in [10, 60] {
            let names =
                [&event["session_id"], &event["tool_call_id"], &event["source"], &event["event_type"]].map(text);
            let [session, tool_call, source, kind] = names;
            let high_risk = u64::from(HIGH_RISK.contains(&kind.as_str()));
            let resolved = u64::from(event["state"] == "bound");
            let cell = cells
                .entry((length, second - second.rem_euclid(length), session, tool_call, source, kind))
                .or_default();
            *cell = (cell.0 + 1, cell.1 + resolved, cell.2 + 1 - resolved, cell.3 + high_risk);
        }
    }
    cells
}

fn shown(place: &Place, run: &str) -> BTreeMap<Cell, Counts> {
    let document = place.run(["telemetry", "windows", "--run", run, "--json"]).ok().json();
    let windows = document["windows"].as_array().expect("windows");
    assert_eq!(document["window_count"].as_u64(), Some(windows.len() as u64));
    let number = |value: &Value| value.as_u64().expect("a number");
    let cell = |window: &Value| {
        let start: Vec<i64> =
            text(&window["window_start"])[11..19].split(':').map(|part| part.parse().expect("a number")).collect();
        // All rows are of one day.
        let start = DAY + start[0] * 3600 + start[1] * 60 + start[2];
        let length = number(&window["window_seconds"]).cast_signed();
        let names =
            [&window["session_id"], &window["tool_call_id"], &window["source"], &window["event_type"]].map(text);
        let [session, tool_call, source, kind] = names;
        let counts =
            ["event_count", "resolved_count", "unresolved_count", "high_risk_count"].map(|key| number(&window[key]));
        ((length, start, session, tool_call, source, kind), (counts[0], counts[1], counts[2], counts[3]))
    };
    let cells: BTreeMap<Cell, Counts> = windows.iter().map(cell).collect();
    assert_eq!(cells.len(), windows.len(), "no cell stands twice");
    cells
}

/// 2026-01-02T00:00:00Z.
const DAY: i64 = 1_767_312_000;

#[test]
fn windows_are_what_counting_the_events_gives() {
    let place = Place::new();
    place.bind("R", "T1", &["--session", "S1", "--pid", "1"]);
    place.bind("R", "T2", &["--session", "S2", "--pid", "2"]);
    let kinds = [
        "\"event_type\":\"execve\",\"argv\":[\"x\"]",
        "\"event_type\":\"connect\",\"dst_ip\":\"169.254.169.254\"",
        "\"event_type\":\"connect\",\"dst_ip\":\"10.0.0.1\"",
        "\"event_type\":\"file_write\",\"path\":\"/srv/f\"",
        "\"event_type\":\"resource_pressure\"",
    ];
    // Neither in the order of their time nor each window in one piece; pid 3 is nobody's.
    let rows: String = (0..200)
        .map(|n| row(&format!("n{n}"), 6 + n * 37 % 190, &format!("{},\"pid\":{}", kinds[n % 5], 1 + n % 3)))
        .collect();
    place.ingest(&rows, &["--run", "R"]);
    let first = shown(&place, "R");
    assert_eq!(first, recounted(&place.events("R", &[])));
    assert_eq!(first.values().map(|counts| counts.0).sum::<u64>(), 400);
    assert!(first.values().any(|counts| counts.2 > 0), "some of them are nobody's");
    let short: Vec<_> = first.keys().filter(|cell| cell.0 == 10).collect();
    assert!(short.len() > 100, "they lie in many windows");

    place.ingest(&rows, &["--run", "R"]);
    assert_eq!(shown(&place, "R"), first, "what is known already is not counted again");
    let later = row("late", 6, &format!("{},\"pid\":1", kinds[1]));
    place.ingest(&later, &["--run", "R"]);
    assert_eq!(shown(&place, "R"), recounted(&place.events("R", &[])), "what comes late is counted where it belongs");
}
