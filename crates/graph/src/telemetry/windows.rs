//! `telemetry windows`: counts per window of time, kept as facts were appended.

use crate::error::GraphError;
use crate::result_set::{Pin, page_hash};
use agentprov_model::index::CountGroup;
use agentprov_model::schema;
use agentprov_model::window::{WINDOW_SECONDS, Window};
use agentprov_store::{Reader, RunRow};
use serde::Serialize;
use std::collections::BTreeMap;

/// What is wanted; empty fields want everything.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct WindowFilter {
    /// Run.
    #[serde(rename = "run_id", skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Session.
    #[serde(rename = "session_id", skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Tool call.
    #[serde(rename = "tool_call_id", skip_serializing_if = "Option::is_none")]
    pub tool_call: Option<String>,
    /// Type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Length; absent for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_seconds: Option<u32>,
}

/// The document.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Windows {
    /// `agentprovenance.telemetry_event_windows/v1`.
    pub schema_version: String,
    /// What was asked.
    pub filter: WindowFilter,
    /// Rows.
    pub window_count: u64,
    /// Names query and state.
    pub result_set_id: String,
    /// Hash over the rows.
    pub page_hash: String,
    /// The rows, oldest first.
    pub windows: Vec<WindowRow>,
}

/// Counts of one window.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct WindowRow {
    /// Run.
    pub run_id: String,
    /// Session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Tool call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// Source.
    pub source: String,
    /// Type.
    pub event_type: String,
    /// Length.
    pub window_seconds: u32,
    /// Its first instant.
    pub window_start: String,
    /// Events.
    pub event_count: u64,
    /// Those tied to a scope when they were appended.
    pub resolved_count: u64,
    /// The others.
    pub unresolved_count: u64,
    /// Those of high risk.
    pub high_risk_count: u64,
    /// When the run was last appended to.
    pub updated_at: String,
}

/// Windows of one run, or of all.
///
/// # Errors
/// [`GraphError::Argument`] for a length that is not kept, or what the store says.
pub fn windows(reader: &Reader, runs: &[RunRow], filter: WindowFilter) -> Result<Windows, GraphError> {
    if let Some(seconds) = filter.window_seconds
        && !WINDOW_SECONDS.contains(&seconds)
    {
        return Err(GraphError::Argument(format!("windows of {seconds} s are not kept; there are 10 and 60")));
    }
    let mut rows = Vec::new();
    for run in runs {
        collect(reader, run, &filter, &mut rows)?;
    }
    rows.sort_by(|a, b| order(a).cmp(&order(b)));
    let query = format!("telemetry_windows|{}", serde_json::to_string(&filter).unwrap_or_default());
    let names: Vec<String> =
        runs.iter().map(|run| Ok(Pin::head(run)?.result_set_id(&query, run))).collect::<Result<_, GraphError>>()?;
    let result_set_id = match &names[..] {
        [one] => one.clone(),
        several => page_hash(&several),
    };
    Ok(Windows {
        schema_version: schema::v1("telemetry_event_windows"),
        window_count: rows.len() as u64,
        result_set_id,
        page_hash: page_hash(&rows),
        windows: rows,
        filter,
    })
}

type Order<'r> = (&'r str, u32, &'r str, &'r str, &'r str, &'r Option<String>, &'r Option<String>);

fn order(row: &WindowRow) -> Order<'_> {
    let place = (row.window_start.as_str(), row.window_seconds, row.run_id.as_str());
    (place.0, place.1, place.2, &row.source, &row.event_type, &row.session_id, &row.tool_call_id)
}

fn collect(reader: &Reader, run: &RunRow, filter: &WindowFilter, rows: &mut Vec<WindowRow>) -> Result<(), GraphError> {
    let mut cells: BTreeMap<Window, (u64, u64, u64)> = BTreeMap::new();
    for (name, count) in reader.tallies(run.no, CountGroup::Window)? {
        let Some(window) = Window::parse(&name).filter(|window| fits(window, filter)) else { continue };
        // Cells that differ in these marks only are one row.
        let (resolved, high_risk) = (window.resolved, window.high_risk);
        let cell = cells.entry(Window { resolved: false, high_risk: false, ..window }).or_default();
        cell.0 += count;
        cell.1 += if resolved { count } else { 0 };
        cell.2 += if high_risk { count } else { 0 };
    }
    rows.extend(cells.into_iter().map(|(window, (events, resolved, high_risk))| WindowRow {
        run_id: run.id.to_string(),
        session_id: window.session.as_ref().map(ToString::to_string),
        tool_call_id: window.tool_call.as_ref().map(ToString::to_string),
        source: window.source.to_string(),
        window_seconds: window.seconds,
        window_start: window.starts_at().to_rfc3339(),
        event_type: window.event_type,
        event_count: events,
        resolved_count: resolved,
        unresolved_count: events - resolved,
        high_risk_count: high_risk,
        updated_at: run.updated.to_rfc3339(),
    }));
    Ok(())
}

fn fits(window: &Window, filter: &WindowFilter) -> bool {
    let fits = |wanted: &Option<String>, value: Option<&str>| wanted.is_none() || wanted.as_deref() == value;
    fits(&filter.session, window.session.as_ref().map(|id| id.as_str()))
        && fits(&filter.tool_call, window.tool_call.as_ref().map(|id| id.as_str()))
        && fits(&filter.kind, Some(&window.event_type))
        && fits(&filter.source, Some(window.source.as_str()))
        && filter.window_seconds.is_none_or(|seconds| seconds == window.seconds)
}
