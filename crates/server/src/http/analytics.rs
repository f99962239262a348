//! Questions about many analyses.

use crate::analytics::metric::Metric;
use crate::analytics::selection::GroupBy;
use crate::analytics::{Filter, Selection, Span, Window, behavior, reviews, summary};
use crate::http::call::{Call, Handled, Shared, with_request_id};
use crate::http::problem::Problem;
use crate::settings::Teams;
use crate::workers::now;
use serde_json::{Value, json};

const NO_PULL_REQUESTS: &str = "no data of pull requests was collected";
const DEFAULT_RATIO: f64 = 0.5;

fn window(shared: &Shared, call: &Call) -> Result<Window, Problem> {
    let span = match call.query.get("time_window") {
        Some(text) => Span::parse(text).map_err(|why| Problem::field(&["query", "time_window"], "time_window", why))?,
        None => shared.analyst.settings.default_window,
    };
    Ok(span.before(now()))
}

fn select(shared: &Shared, call: &Call, window: Window) -> Result<Selection, Problem> {
    let text = |name: &str| call.query.get(name).map(str::to_owned);
    let all_runs = call.query.choice("basis", false, &[("latest", false), ("all_runs", true)])?;
    // Nobody is one key, however it is spelled.
    let agent_id = text("agent_id").map(|agent| crate::analysis::tally::agent_name(&agent).to_owned());
    let filter = Filter { agent_id, category: text("category"), repo: text("repo"), all_runs };
    shared.with_queue(|queue| Ok(Selection::load(queue, window, filter)?))
}

/// `GET /v1/analytics/summary`
pub(crate) fn summary(shared: &Shared, call: &Call) -> Handled {
    let name = call.query.get("metric").unwrap_or(&shared.analyst.settings.default_metric);
    let metric = Metric::find(name)
        .ok_or_else(|| Problem::field(&["query", "metric"], "metric", format!("there is no metric '{name}'")))?;
    let by = call.query.choice("group_by", GroupBy::NAMES[0], &GroupBy::NAMES.map(|entry| (entry.0, entry)))?;
    let zeros = call.query.choice("missing", false, &[("null", false), ("zero", true)])?;
    let window = window(shared, call)?;
    let mut selection = select(shared, call, window)?;
    if metric.is_about_lives() {
        let words = shared.analyst.words()?;
        selection = shared.with_queue(|queue| Ok(selection.with_lives(queue, &words, now())?))?;
    }
    with_request_id(json!({"result": summary::summary(&selection, window, name, metric, by, zeros)}))
}

/// `GET /v1/analytics/agents/behavior`
pub(crate) fn behavior(shared: &Shared, call: &Call) -> Handled {
    let top = call.query.number("top_categories", 3, 1, 10)? as usize;
    let window = window(shared, call)?;
    let selection = select(shared, call, window)?;
    with_request_id(json!({"report": behavior::report(&selection, window, top)}))
}

/// A view over data of pull requests. Where there are none the list is empty, and says that it was not measured.
fn view(shared: &Shared, call: &Call, list: &str, rows: impl FnOnce(&Selection) -> Vec<Value>) -> Handled {
    let window = window(shared, call)?;
    let selection = select(shared, call, window)?;
    let measured = !selection.total().pull_requests.is_empty();
    let (status, reason) = if measured { ("measured", None) } else { ("not_measured", Some(NO_PULL_REQUESTS)) };
    let mut document = json!({"status": status, "reason": reason});
    document[list] = Value::Array(rows(&selection));
    with_request_id(document)
}

/// `GET /v1/analytics/review-alerts`
pub(crate) fn review_alerts(shared: &Shared, call: &Call) -> Handled {
    let threshold = call.query.number("threshold", 1, 1, u64::from(u32::MAX))?;
    view(shared, call, "alerts", |selection| reviews::alerts(selection, threshold))
}

/// `GET /v1/analytics/review-load`
pub(crate) fn review_load(shared: &Shared, call: &Call) -> Handled {
    view(shared, call, "load", |selection| reviews::load(selection, teams(shared)))
}

/// `GET /v1/analytics/review-load/teams`
pub(crate) fn team_load(shared: &Shared, call: &Call) -> Handled {
    view(shared, call, "load", |selection| reviews::teams(selection, teams(shared)))
}

/// `GET /v1/analytics/review-load/teams/alerts`
pub(crate) fn team_alerts(shared: &Shared, call: &Call) -> Handled {
    view(shared, call, "alerts", |selection| reviews::team_alerts(selection, teams(shared)))
}

/// `GET /v1/analytics/ci-failure-heatmap`
pub(crate) fn ci_failures(shared: &Shared, call: &Call) -> Handled {
    let limit = call.query.number("limit", 25, 1, 100)? as usize;
    view(shared, call, "failures", |selection| reviews::ci_failures(selection, limit))
}

/// `GET /v1/analytics/review-drift`
pub(crate) fn review_drift(shared: &Shared, call: &Call) -> Handled {
    let humans = call.query.number("human_threshold", 1, 1, u64::from(u32::MAX))?;
    let ratio = match call.query.get("ratio_threshold") {
        None => DEFAULT_RATIO,
        Some(text) => text.parse::<f64>().ok().filter(|ratio| ratio.is_finite() && *ratio >= 0.0).ok_or_else(|| {
            Problem::field(&["query", "ratio_threshold"], "out_of_bounds", "it has to be a number from 0 on")
        })?,
    };
    view(shared, call, "drifts", |selection| reviews::drift(selection, humans, ratio, teams(shared)))
}

fn teams(shared: &Shared) -> &Teams {
    &shared.analyst.settings.teams
}
