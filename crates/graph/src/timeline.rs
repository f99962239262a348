//! `timeline/v1`: the facts of a run in order of event time, filtered and paged.

mod evidence;
mod head;
mod lifetime;
mod members;
mod row;
mod sentence;
mod tool_call;
mod totals;

pub use evidence::{Evidence, evidence_of};
pub use lifetime::Lifetime;
pub use row::{RowBuilder, TimelineRow, event_drilldowns};
pub use sentence::{command_line, errno_name, outcome, sentence, shell_word, tool_input, visible, visible_text};
pub use totals::Totals;

pub(crate) use row::SCOPE_BOUNDARY;

use crate::error::GraphError;
use crate::result_set::{Cursor, Mark, Pin, page_hash};
use crate::scope_context::Scopes;
use crate::selection::nearest;
use agentprov_model::{EventType, Fact, ProcessId, schema};
use agentprov_store::{Position, Reader, RunRow, Seq};
use members::Members;
use serde::Serialize;
use std::collections::BTreeMap;
use std::str::FromStr;
use tool_call::CallFacts;

/// What to show of a run.
#[derive(Clone, Debug, Default)]
pub struct TimelineQuery {
    /// Only facts of this tool call.
    pub tool_call: Option<String>,
    /// Only facts of this process.
    pub process: Option<String>,
    /// Only facts of this event type.
    pub kind: Option<String>,
    /// How rows are meant to be shown.
    pub view: TimelineView,
    /// Rows on a page; 0 for all.
    pub limit: u64,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// How rows are meant to be shown. The rows are the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TimelineView {
    /// One line a row.
    #[default]
    Table,
    /// With lanes and the next command to look closer.
    Causality,
}

impl FromStr for TimelineView {
    type Err = GraphError;

    fn from_str(text: &str) -> Result<Self, GraphError> {
        match text {
            "" | "table" => Ok(Self::Table),
            "causality" => Ok(Self::Causality),
            other => Err(GraphError::Argument(format!("no view '{other}'; there are table and causality"))),
        }
    }
}

/// The document.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Timeline {
    /// `agentprovenance.timeline/v1`.
    pub schema_version: String,
    /// The run.
    pub run_id: String,
    /// What was asked.
    pub filter: FilterEcho,
    /// How rows are meant to be shown.
    pub view: TimelineView,
    /// Counts over the whole run, filtered or not.
    pub summary: TimelineSummary,
    /// Names query and state.
    pub result_set_id: String,
    /// Hash over the rows of this page.
    pub page_hash: String,
    /// The cursor that was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// True where more rows follow.
    pub has_more: bool,
    /// Rows that the filter lets through.
    pub total_count: u64,
    /// Rows on this page.
    pub event_count: u64,
    /// Facts that the query sees: later ones are not part of it.
    pub tree_size: u64,
    /// The rows.
    pub events: Vec<TimelineRow>,
}

/// The filter as it was given.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FilterEcho {
    /// Tool call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// Process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_id: Option<String>,
    /// Event type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Rows on a page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Cursor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// View.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view: Option<TimelineView>,
}

/// Counts over a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TimelineSummary {
    /// Facts.
    pub total_events: u64,
    /// Facts by lane.
    pub lane_counts: BTreeMap<String, u64>,
    /// Facts that the kernel or a sensor saw.
    pub runtime_events: u64,
    /// Those of them whose run, session, tool call and process are known.
    pub fully_correlated: u64,
    /// Those of which some of that is known.
    pub partially_correlated: u64,
    /// Those of which only the run is known.
    pub correlation_gaps: u64,
}

/// The filter, checked.
pub(crate) struct TimelineFilter {
    call: Option<CallFacts>,
    process: Option<ProcessId>,
    kind: Option<EventType>,
}

impl TimelineFilter {
    fn parse(
        reader: &Reader,
        run: &RunRow,
        scopes: &Scopes,
        query: &TimelineQuery,
        size: u64,
    ) -> Result<Self, GraphError> {
        let call = query.tool_call.as_deref().map(|id| CallFacts::find(reader, run, scopes, id, size)).transpose()?;
        let process = query.process.as_deref().map(|id| known_process(reader, run, id)).transpose()?;
        let kind = query.kind.as_deref().map(event_type).transpose()?;
        Ok(Self { call, process, kind })
    }

    /// True where the fact really passes: posting keys are hashes.
    fn lets_through(&self, seq: Seq, fact: &Fact) -> bool {
        self.call.as_ref().is_none_or(|call| call.holds(seq, fact))
            && self.process.is_none_or(|process| fact.process == Some(process))
            && self.kind.is_none_or(|kind| fact.event_type() == kind)
    }
}

/// A process that some fact of the run names.
pub(crate) fn known_process(reader: &Reader, run: &RunRow, id: &str) -> Result<ProcessId, GraphError> {
    let unknown = || GraphError::not_in(run, "process", id);
    let process: ProcessId = id.parse().map_err(|_| unknown())?;
    let known = !reader.postings(run.no, members::process_key(&process))?.is_empty();
    if known { Ok(process) } else { Err(unknown()) }
}

fn event_type(name: &str) -> Result<EventType, GraphError> {
    EventType::from_name(name).ok_or_else(|| {
        let names = EventType::ALL.iter().map(|kind| kind.name());
        GraphError::NotFound { kind: "event type", name: name.to_owned(), suggestion: nearest(name, names), run: None }
    })
}

impl TimelineQuery {
    /// What the result depends on: neither page size, nor cursor, nor view.
    fn canonical(&self) -> String {
        let part = |value: &Option<String>| value.clone().unwrap_or_default();
        serde_json::json!(["timeline/v1", part(&self.tool_call), part(&self.process), part(&self.kind)]).to_string()
    }

    fn echo(&self) -> FilterEcho {
        FilterEcho {
            tool_call_id: self.tool_call.clone(),
            process_id: self.process.clone(),
            kind: self.kind.clone(),
            limit: (self.limit > 0).then_some(self.limit),
            cursor: self.cursor.clone(),
            view: Some(self.view),
        }
    }
}

/// A page of a run's timeline.
///
/// # Errors
/// [`GraphError::NotFound`] for a tool call, process or type that does not exist, [`GraphError::Argument`] for a
/// cursor of something else, or what the store says.
pub fn timeline(reader: &Reader, run: &RunRow, query: &TimelineQuery) -> Result<Timeline, GraphError> {
    let canonical = query.canonical();
    let given = query.cursor.as_deref().filter(|text| !text.is_empty());
    let cursor = given.map(|text| Cursor::decode(text, &canonical, run)).transpose()?;
    let pin = cursor.map_or_else(|| Pin::head(run), |cursor| Ok(cursor.pin))?;
    let scopes = Scopes::load(reader, run)?;
    let filter = TimelineFilter::parse(reader, run, &scopes, query, pin.size)?;
    let members = Members::load(reader, run, &scopes, &filter, pin.size)?;
    let limit = if query.limit == 0 { usize::MAX } else { usize::try_from(query.limit).unwrap_or(usize::MAX) };
    let after = cursor.map(|cursor| Position::from(cursor.after));
    let mut rows = RowBuilder::new(reader, run, &scopes, pin.size);
    let (events, next) = fill_page(reader, run, &members, &filter, after, pin.size, limit, &mut rows)?;
    let totals = Totals::load(reader, run, pin.size)?;
    let next_cursor = next.map(|position| Cursor { pin, after: Mark::from(position) }.encode(&canonical, run));
    Ok(Timeline {
        schema_version: schema::v1("timeline"),
        run_id: run.id.to_string(),
        filter: query.echo(),
        view: query.view,
        summary: totals.summary(),
        result_set_id: pin.result_set_id(&canonical, run),
        page_hash: page_hash(&events),
        cursor: query.cursor.clone(),
        has_more: next_cursor.is_some(),
        next_cursor,
        total_count: members.count(pin.size),
        event_count: events.len() as u64,
        tree_size: pin.size,
        events,
    })
}

/// Rows of a page, and the last position where more follow.
#[expect(clippy::too_many_arguments, reason = "one caller; a struct would only give the arguments a second name")]
fn fill_page(
    reader: &Reader,
    run: &RunRow,
    members: &Members,
    filter: &TimelineFilter,
    mut after: Option<Position>,
    size: u64,
    limit: usize,
    builder: &mut RowBuilder<'_>,
) -> Result<(Vec<TimelineRow>, Option<Position>), GraphError> {
    let mut rows: Vec<TimelineRow> = Vec::new();
    let mut last = None;
    loop {
        // One more than wanted tells whether there is a next page.
        let wanted = (limit - rows.len()).saturating_add(1);
        let found = members.page(reader, run, after, size, wanted)?;
        for &position in &found {
            let fact = reader.fact(run.no, position.seq)?;
            if !filter.lets_through(position.seq, &fact) {
                continue;
            }
            if rows.len() == limit {
                return Ok((rows, last));
            }
            rows.push(builder.row(position.seq, &fact)?);
            last = Some(position);
        }
        if found.len() < wanted {
            return Ok((rows, None));
        }
        after = found.last().copied();
    }
}
