//! Recordings of real sessions: kept by the live tests where `UPDATE_GOLDEN` is set, replayed everywhere.
//!
//! Kept is what the ladder looks at: the messages of hooks and relays as they were stored, processes, written files and
//! connections. Reads and most of the agent's own probes are left out. Paths become those of a made-up
//! home.

use crate::place::{PROGRAM, Place};
use agentprov_graph::processes::ProcessTable;
use agentprov_graph::tool_calls::{BindingState, ToolCalls};
use agentprov_model::{Fact, ProcessId, RunId, What};
use agentprov_store::{Durability, Location, Prepared, Store};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Ancestors of a hook that are kept: the agent is among the nearest.
const ANCESTORS: usize = 4;

/// Longer words of command lines lose their middle.
const LONGEST_WORD: usize = 1000;

/// How many recordings there are at least.
const LEAST: usize = 8;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/agents/golden")
}

/// Writes down the recording of a live session, where that is asked for.
pub(super) fn keep(name: &str, place: &Place, program: &Path) {
    if std::env::var_os("UPDATE_GOLDEN").is_none() {
        return;
    }
    let reader = place.reader();
    let row = reader.run(&RunId::new("r1").expect("a name")).expect("the store answers").expect("the run is there");
    let processes = ProcessTable::load(&reader, &row).expect("processes");
    let calls = ToolCalls::load(&reader, &row, &processes).expect("calls");
    // One session of each agent shows the probes, too.
    let whole = name.ends_with("-sequence");
    let own = |process: &ProcessId| {
        let binding = calls.of_process(process);
        // A server is the agent's own doing as well; what it does is not.
        binding.is_some_and(|own| own.state == BindingState::Scaffolding && own.rule != Some("mcp_server"))
    };
    let mut kept: HashSet<ProcessId> = HashSet::new();
    for process in processes.iter().filter(|process| calls.of_process(&process.id).is_some()) {
        let below_probe = process.started.parent.is_some_and(|parent| own(&parent));
        if !own(&process.id) || whole && !below_probe {
            kept.extend(processes.lineage(&process.id).into_iter().map(|process| process.id));
        }
    }
    let root = place.root().to_string_lossy().into_owned();
    let work = format!("{root}/work/");
    let mut text = String::new();
    for fact in place.facts("r1").into_iter().filter(|fact| matters(fact, &kept, work.as_bytes())) {
        let body = String::from_utf8(fact.to_body()).expect("JSON is text");
        let body = body
            .replace(&*program.to_string_lossy(), "/home/dev/bin/agent")
            .replace(PROGRAM, "/home/dev/bin/agentprov")
            .replace(env!("CARGO_TARGET_TMPDIR"), "/home/dev/packages")
            .replace(&root.replace(['/', '.'], "-"), "-home-dev")
            .replace(&root, "/home/dev");
        let mut body: Value = serde_json::from_str(&body).expect("a fact");
        for what in ["declared", "mcp"] {
            if let Some(Value::Array(ancestors)) = body.pointer_mut(&format!("/what/{what}/anchor/ancestors")) {
                ancestors.truncate(ANCESTORS);
            }
        }
        if let Some(Value::Array(argv)) = body.pointer_mut("/what/process_exec/argv") {
            argv.iter_mut().for_each(shorten);
        }
        if let Some(kernel) = body.pointer_mut("/what/attempt_started/kernel") {
            *kernel = json!("6.12.0");
        }
        text.push_str(&body.to_string());
        text.push('\n');
    }
    std::fs::write(folder().join(format!("{name}.in.jsonl")), &text).expect("a recording can be written");
    let found = format!("{:#}\n", replayed(&text));
    std::fs::write(folder().join(format!("{name}.out.json")), found).expect("an answer can be written");
}

/// Codex hands the settings of a whole shell to each command; what the command is was read before.
fn shorten(word: &mut Value) {
    let Some(text) = word.as_str().filter(|text| text.len() > LONGEST_WORD && text.is_ascii()) else { return };
    *word = json!(format!("{}[...]{}", &text[..LONGEST_WORD / 2], &text[text.len() - LONGEST_WORD / 2..]));
}

fn matters(fact: &Fact, kept: &HashSet<ProcessId>, work: &[u8]) -> bool {
    let known = fact.process.is_some_and(|process| kept.contains(&process));
    match &fact.what {
        What::AttemptStarted(_) | What::AttemptEnded(_) | What::Bound(_) | What::Gap(_) => true,
        What::Declared(_) | What::Mcp(_) => true,
        What::ProcessStarted(_) | What::ProcessExec(_) | What::ProcessExited(_) | What::Network(_) => known,
        What::FileVersion(version) => known && version.workspace_path.is_some(),
        What::FileOpened(open) => {
            let path = open.path.as_bytes();
            let of_store = path.strip_prefix(work).is_some_and(|name| name.starts_with(b".agentprov/"));
            known && open.access.writes() && path.starts_with(work) && !of_store
        }
        _ => false,
    }
}

/// What is made of a recording, in short.
fn replayed(text: &str) -> Value {
    let place = Place::new();
    let store = Store::create(Location::chosen(place.data_dir())).expect("a store");
    let facts: Vec<Prepared> = text
        .lines()
        .map(|line| Prepared::new(&Fact::from_body(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"))))
        .collect();
    let mut writer = store.writer().expect("a writer");
    writer
        .transaction(Durability::Process, |batch| {
            let run = batch.open_run(&RunId::new("r1").expect("a name"))?;
            facts.iter().try_for_each(|fact| batch.append(run, fact).map(drop))
        })
        .expect("facts can be appended");
    drop(writer);
    short(&place.run(["reconcile", "r1", "--json"]).ok().json())
}

/// A comparison without ids and times.
fn short(document: &Value) -> Value {
    let rows = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let link = |row: &Value, name: &str| {
        let root = if row["root"] == true { " root" } else { "" };
        let ground = format!("{} {}{root}", row["state"].as_str().unwrap_or("?"), row["rung"].as_str().unwrap_or("-"));
        json!([row[name], ground, row["alternatives"]])
    };
    let calls = rows(&document["calls"]).into_iter().map(|call| {
        json!({
            "id": call["tool_call_id"],
            "tool": call["tool"],
            "state": call["state"],
            "status": call["status"],
            "processes": rows(&call["processes"]).iter().map(|row| link(row, "process_id")).collect::<Vec<_>>(),
            "files": rows(&call["files"]).iter().map(|row| link(row, "path")).collect::<Vec<_>>(),
            "mcp": rows(&call["mcp"]).iter().map(|row| link(row, "tool")).collect::<Vec<_>>(),
            "differences": rows(&call["differences"]).iter().map(|row| row["kind"].clone()).collect::<Vec<_>>(),
        })
    });
    let undeclared =
        rows(&document["undeclared"]).into_iter().map(|row| json!([row["kind"], row["what"], row["effects"]]));
    let scaffolding = rows(&document["scaffolding"]).into_iter().map(|row| {
        json!([row["rule"], row["processes"].as_array().map(Vec::len), row["effects"].as_array().map(Vec::len)])
    });
    json!({
        "verdict": document["verdict"],
        "calls": calls.collect::<Vec<_>>(),
        "undeclared": undeclared.collect::<Vec<_>>(),
        "scaffolding": scaffolding.collect::<Vec<_>>(),
    })
}

#[test]
fn recordings_of_real_sessions_are_bound_as_they_were() {
    let entries = std::fs::read_dir(folder()).expect("recordings are there");
    let mut recordings: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().ends_with(".in.jsonl"))
        .collect();
    recordings.sort();
    assert!(recordings.len() >= LEAST, "{} recordings, {LEAST} are due", recordings.len());
    for path in recordings {
        let text = std::fs::read_to_string(&path).expect("a recording");
        let expected = path.to_string_lossy().replace(".in.jsonl", ".out.json");
        let expected: Value =
            serde_json::from_str(&std::fs::read_to_string(expected).expect("an answer")).expect("a document");
        let found = replayed(&text);
        assert_eq!(found, expected, "{}: {found:#}", path.display());
    }
}
