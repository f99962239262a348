//! What was recorded, over HTTP: the documents that the commands of the same names print with `--json`, made by the same functions.

use crate::http::call::{Call, Handled, Reply, Shared};
use crate::http::problem::Problem;
use crate::http::routes::{Parameter, Shape};
use crate::workers::now;
use agentprov_graph::attempts::attempts;
use agentprov_graph::evidence_manifest::{DEFAULT_OBJECT_LIMIT, evidence_manifest};
use agentprov_graph::explain::{DEFAULT_DEPTH, DEFAULT_LIMIT, ExplainQuery, Target, explain};
use agentprov_graph::observe::observe_summary;
use agentprov_graph::telemetry::{EventFilter, WindowFilter, correlations, events, windows};
use agentprov_graph::verify::{Remembered, VerifyOptions, verify_run};
use agentprov_graph::versions::{FilePath, resolve_file};
use agentprov_graph::{
    GraphError, TimelineQuery, TimelineView, blame, diff, runs, security, select_run, show, timeline,
};
use agentprov_model::{EventId, OsBytes};
use agentprov_store::{Reader, RunRow};
use serde::Serialize;

const fn parameter(name: &'static str, shape: Shape, meaning: &'static str) -> Parameter {
    Parameter { name, shape, meaning }
}

const RUN: Parameter = parameter("run", Shape::Text, "The run. Default: the latest.");
const SESSION: Parameter = parameter("session", Shape::Text, "Only of this session.");
const TYPE: Parameter = parameter("type", Shape::Text, "Only of this event type.");
const TOOL_CALL: Parameter = parameter("tool_call", Shape::Text, "Only of this tool call.");
const CURSOR: Parameter = parameter("cursor", Shape::Text, "Where the page before ended.");
const FILE: Parameter = parameter("file", Shape::Text, "A file that the run changed, below the workspace or absolute.");
const HERE: Parameter = parameter("here", Shape::Text, "The folder from which the file is named, too.");
const LIMIT: Parameter = parameter("limit", Shape::Whole(0, MOST), "How many on a page; 0 for all.");
const MOST: u64 = 1 << 53;

/// Parameters of `observe summary`.
pub(crate) const SUMMARY: &[Parameter] =
    &[RUN, parameter("top", Shape::Whole(0, MOST), "Pieces of evidence that are listed. Default: 8.")];
/// A run by name.
pub(crate) const OF_RUN: &[Parameter] = &[RUN];
/// Parameters of `runs`.
pub(crate) const RUNS: &[Parameter] = &[parameter("all", Shape::OneOf(&["true", "false"]), "Removed runs too.")];
/// Parameters of `show`.
pub(crate) const SHOW: &[Parameter] = &[RUN, parameter("id", Shape::Text, "An id, or a file of the run."), HERE];
/// Parameters of `timeline`.
pub(crate) const TIMELINE: &[Parameter] = &[
    RUN,
    TOOL_CALL,
    parameter("process", Shape::Text, "Only of this process."),
    TYPE,
    LIMIT,
    CURSOR,
    parameter("view", Shape::OneOf(&["table", "causality"]), "How the rows are to be shown. Default: table."),
];
/// Parameters of `telemetry list`.
pub(crate) const EVENTS: &[Parameter] = &[
    RUN,
    SESSION,
    TYPE,
    TOOL_CALL,
    parameter("limit", Shape::Signed, "How many on a page; below 0 for all. Default: 100."),
    CURSOR,
];
/// Parameters of `telemetry windows`.
pub(crate) const WINDOWS: &[Parameter] = &[
    parameter("run", Shape::Text, "Only of this run."),
    SESSION,
    TOOL_CALL,
    TYPE,
    parameter("source", Shape::Text, "Only of this source."),
    parameter("window", Shape::OneOf(&["0", "10", "60"]), "Length in seconds; 0 for both. Default: 0."),
];
/// Parameters of `telemetry correlations`.
pub(crate) const CORRELATIONS: &[Parameter] =
    &[parameter("run", Shape::Text, "The run. Default: that of the event, else the latest."), EVENT];
const EVENT: Parameter = parameter("event", Shape::Text, "A fact, evt-...");
/// Parameters of `graph blame` and `graph diff`.
pub(crate) const OF_FILE: &[Parameter] = &[RUN, FILE, HERE];
/// Parameters of `graph explain`: exactly one of the targets.
pub(crate) const EXPLAIN: &[Parameter] = &[
    parameter("run", Shape::Text, "The run. Default: the one that knows the target."),
    FILE,
    parameter("artifact", Shape::Text, "A content by its SHA-256, or a file by its path."),
    parameter("attempt", Shape::Text, "An attempt."),
    parameter("tool_call", Shape::Text, "A tool call."),
    parameter("process", Shape::Text, "A process, proc-..."),
    EVENT,
    parameter("risk", Shape::Text, "A policy decision."),
    parameter("depth", Shape::Whole(0, u32::MAX as u64), "Steps along edges from the target. Default: 2."),
    parameter("limit", Shape::Whole(0, MOST), "Edges on a page; 0 for all. Default: 100."),
    CURSOR,
];

impl From<GraphError> for Problem {
    fn from(error: GraphError) -> Self {
        match error {
            GraphError::Store(error) => Self::from(error),
            GraphError::Argument(why) => Self::field(&["query"], "invalid", why),
            other => Self::not_found(other.to_string()),
        }
    }
}

/// The store as it is now, with what hooks left in it.
fn reader(shared: &Shared) -> Result<Reader, Problem> {
    // Where that can't be taken in now, the store is read without it.
    drop(agentprov_ingest::hooks::drain(&shared.store, now(), &agentprov_capture::is_alive));
    Ok(shared.store.reader()?)
}

/// A run by the parameter `run`, and the latest without.
fn run_of(reader: &Reader, call: &Call) -> Result<RunRow, Problem> {
    Ok(select_run(reader, given(call, "run").as_deref())?.run)
}

/// A parameter; one that is empty was not given.
fn given(call: &Call, name: &str) -> Option<String> {
    call.query.get(name).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The members in the order in which commands print them.
fn document(document: &impl Serialize) -> Handled {
    let bytes = serde_json::to_vec(document)
        .map_err(|error| Problem::new(500, "internal", format!("the document can't be written: {error}")))?;
    Ok(Reply::Bytes("application/json", bytes))
}

/// `GET /v1/runs`
pub(crate) fn list(shared: &Shared, call: &Call) -> Handled {
    let all = call.query.choice("all", false, &[("true", true), ("false", false)])?;
    document(&runs::runs(&reader(shared)?, all, &agentprov_capture::is_alive)?)
}

/// `GET /v1/show`
pub(crate) fn show_any(shared: &Shared, call: &Call) -> Handled {
    let reader = reader(shared)?;
    let here = given(call, "here").map(|here| OsBytes::from(here.into_bytes()));
    let target = match given(call, "id") {
        None => show::Target::Run(run_of(&reader, call)?),
        Some(id) => {
            let within = given(call, "run").map(|name| select_run(&reader, Some(&name))).transpose()?;
            show::resolve_id(
                &reader,
                within.as_ref().map(|selected| &selected.run),
                &OsBytes::from(id.into_bytes()),
                here.as_ref(),
            )?
        }
    };
    document(&show::show(&reader, &target, &agentprov_capture::is_alive)?)
}

/// `GET /v1/timeline`
pub(crate) fn facts(shared: &Shared, call: &Call) -> Handled {
    let reader = reader(shared)?;
    let views = [("table", TimelineView::Table), ("causality", TimelineView::Causality)];
    let query = TimelineQuery {
        tool_call: given(call, "tool_call"),
        process: given(call, "process"),
        kind: given(call, "type"),
        view: call.query.choice("view", TimelineView::Table, &views)?,
        limit: call.query.number("limit", 0, 0, MOST)?,
        cursor: given(call, "cursor"),
    };
    document(&timeline(&reader, &run_of(&reader, call)?, &query)?)
}

/// `GET /v1/telemetry/events`
pub(crate) fn telemetry_events(shared: &Shared, call: &Call) -> Handled {
    let reader = reader(shared)?;
    let limit = call.query.signed("limit", 100)?;
    let run = run_of(&reader, call)?;
    let text = |name: &str| given(call, name).unwrap_or_default();
    let filter = EventFilter {
        run: run.id.to_string(),
        session: text("session"),
        kind: text("type"),
        tool_call: text("tool_call"),
    };
    document(&events(&reader, &run, filter, limit, given(call, "cursor"))?)
}

/// `GET /v1/telemetry/windows`
pub(crate) fn telemetry_windows(shared: &Shared, call: &Call) -> Handled {
    let reader = reader(shared)?;
    let seconds = call.query.choice("window", None, &[("0", None), ("10", Some(10)), ("60", Some(60))])?;
    let rows = match given(call, "run") {
        Some(_) => vec![run_of(&reader, call)?],
        None => reader.runs()?.into_iter().filter(|run| run.removed.is_none()).collect(),
    };
    let filter = WindowFilter {
        run: given(call, "run"),
        session: given(call, "session"),
        tool_call: given(call, "tool_call"),
        kind: given(call, "type"),
        source: given(call, "source"),
        window_seconds: seconds,
    };
    document(&windows(&reader, &rows, filter)?)
}

/// `GET /v1/telemetry/correlations`
pub(crate) fn telemetry_correlations(shared: &Shared, call: &Call) -> Handled {
    let reader = reader(shared)?;
    let unknown = |name: &str| Problem::not_found(format!("no event '{name}'"));
    let event = match given(call, "event") {
        Some(name) => Some(name.parse::<EventId>().map_err(|_| unknown(&name))?),
        None => None,
    };
    let run = match (&event, given(call, "run")) {
        (Some(id), None) => reader.find_event(id)?.ok_or_else(|| unknown(&id.to_string()))?.0,
        _ => run_of(&reader, call)?,
    };
    document(&correlations(&reader, &run, event)?)
}

/// `GET /v1/graph/verify`: 200 also where it does not hold.
pub(crate) fn verify(shared: &Shared, call: &Call) -> Handled {
    let reader = reader(shared)?;
    let options = VerifyOptions {
        remembered: Remembered::load(reader.store()),
        keys: Vec::new(),
        threads: 1,
        alive: &agentprov_capture::is_alive,
    };
    document(&verify_run(&reader, &run_of(&reader, call)?, &options)?.document())
}

/// A parameter that names what is to be explained.
type TargetParameter = (&'static str, fn(String) -> Target);

/// `GET /v1/graph/explain`
pub(crate) fn explained(shared: &Shared, call: &Call) -> Handled {
    let reader = reader(shared)?;
    let kinds: [TargetParameter; 7] = [
        ("file", |name| Target::File(OsBytes::from(name.into_bytes()))),
        ("artifact", Target::Artifact),
        ("attempt", Target::Attempt),
        ("tool_call", Target::ToolCall),
        ("process", Target::Process),
        ("event", Target::Event),
        ("risk", Target::Risk),
    ];
    let mut targets = kinds.iter().filter_map(|(name, target)| Some(target(given(call, name)?)));
    let query = |target| -> Result<ExplainQuery, Problem> {
        let depth = call.query.number("depth", u64::from(DEFAULT_DEPTH), 0, u64::from(u32::MAX))?;
        Ok(ExplainQuery {
            depth: u32::try_from(depth).unwrap_or(u32::MAX),
            limit: call.query.number("limit", DEFAULT_LIMIT, 0, MOST)?,
            cursor: given(call, "cursor"),
            ..ExplainQuery::new(target)
        })
    };
    let (Some(target), None) = (targets.next(), targets.next()) else {
        // Without a run there is nothing to name either.
        run_of(&reader, call)?;
        let why = "name exactly one of: file, artifact, attempt, tool_call, process, event, risk";
        return Err(Problem::field(&["query"], "missing", why));
    };
    let run = match (&target, given(call, "run")) {
        (_, Some(_)) => run_of(&reader, call)?,
        (Target::File(_), None) => target.newest_run(&reader)?,
        _ => target.find_run(&reader)?,
    };
    document(&explain(&reader, &run, &query(target)?)?)
}

/// A file by the parameters `file` and `here`.
fn file_of(reader: &Reader, run: &RunRow, call: &Call) -> Result<Option<FilePath>, Problem> {
    let Some(name) = given(call, "file") else { return Ok(None) };
    let here = given(call, "here").map(|here| OsBytes::from(here.into_bytes()));
    let attempts = attempts(reader, run)?;
    Ok(Some(resolve_file(reader, run, &attempts, &OsBytes::from(name.into_bytes()), here.as_ref())?))
}

/// `GET /v1/graph/blame`
pub(crate) fn blamed(shared: &Shared, call: &Call) -> Handled {
    let reader = reader(shared)?;
    let run = run_of(&reader, call)?;
    let file = file_of(&reader, &run, call)?
        .ok_or_else(|| Problem::field(&["query", "file"], "missing", "name a file that the run changed"))?;
    document(&blame::blame(&reader, &run, &file, None)?)
}

/// `GET /v1/graph/diff`
pub(crate) fn changes(shared: &Shared, call: &Call) -> Handled {
    let reader = reader(shared)?;
    let run = run_of(&reader, call)?;
    match file_of(&reader, &run, call)? {
        Some(file) => document(&diff::file_diff(&reader, &run, &file)?),
        None => document(&diff::run_diff(&reader, &run, None)?),
    }
}

/// The run of a listing that is over all runs where none is named.
fn one_or_all(reader: &Reader, call: &Call) -> Result<Option<RunRow>, Problem> {
    given(call, "run").map(|_| run_of(reader, call)).transpose()
}

/// `GET /v1/observe/summary`
pub(crate) fn summary(shared: &Shared, call: &Call) -> Handled {
    let reader = reader(shared)?;
    let top = usize::try_from(call.query.number("top", 8, 0, MOST)?).unwrap_or(usize::MAX);
    document(&observe_summary(&reader, &run_of(&reader, call)?, top)?)
}

/// `GET /v1/evidence/manifest`: in a member of its own, as clients of the existing daemon read it.
pub(crate) fn manifest(shared: &Shared, call: &Call) -> Handled {
    #[derive(Serialize)]
    struct Manifest<T> {
        manifest: T,
    }
    let reader = reader(shared)?;
    let manifest = evidence_manifest(&reader, &run_of(&reader, call)?, DEFAULT_OBJECT_LIMIT)?;
    document(&Manifest { manifest })
}

/// `GET /v1/security/risks`
pub(crate) fn risks(shared: &Shared, call: &Call) -> Handled {
    let reader = reader(shared)?;
    document(&security::security_risks(&reader, one_or_all(&reader, call)?.as_ref())?)
}

/// `GET /v1/security/responses`
pub(crate) fn responses(shared: &Shared, call: &Call) -> Handled {
    let reader = reader(shared)?;
    document(&security::security_responses(&reader, one_or_all(&reader, call)?.as_ref())?)
}

/// `GET /v1/security/deviations`
pub(crate) fn deviations(shared: &Shared, call: &Call) -> Handled {
    let reader = reader(shared)?;
    document(&security::security_deviations(&reader, one_or_all(&reader, call)?.as_ref())?)
}
