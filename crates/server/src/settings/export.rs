//! To whom settings hand on what analyses came to.

use crate::error::ServerError;
use crate::export::{ClickHouse, Export, Sink};
use crate::outgoing::Endpoint;
use crate::settings::refusal;
use std::path::PathBuf;

const FILE: &str = "data/timeseries_events.jsonl";
const DATABASE: &str = "provenance";
const TABLE: &str = "analysis_events";
const BATCH: usize = 25;
const MAX_BATCH: usize = 100_000;

/// From the variables, by name without the prefix. Nothing is handed on unless a backend or a file is named.
///
/// # Errors
/// [`ServerError::Setting`].
pub(super) fn export<'v>(get: impl Fn(&str) -> Option<&'v str>) -> Result<Option<Export>, ServerError> {
    let batch = batch(&get)?;
    let path = get("TIMESERIES_PATH").map(PathBuf::from);
    let sink = match (get("TIMESERIES_BACKEND").map(str::to_ascii_lowercase).as_deref(), path) {
        (Some("off" | "none" | "disabled"), _) | (None, None) => return Ok(None),
        (Some("file") | None, path) => Sink::File(path.unwrap_or_else(|| FILE.into())),
        (Some("clickhouse"), _) => Sink::ClickHouse(click_house(&get)?),
        (Some("bigquery" | "snowflake"), _) => {
            let why = "nothing is sent to BigQuery or Snowflake; use file and load it, or clickhouse";
            return Err(refusal("TIMESERIES_BACKEND", why));
        }
        (Some(_), _) => return Err(refusal("TIMESERIES_BACKEND", "it has to be file, clickhouse or off")),
    };
    Ok(Some(Export { sink, batch }))
}

/// Looked at also where nothing is handed on: a value that can't be used is told at once.
fn batch<'v>(get: impl Fn(&str) -> Option<&'v str>) -> Result<usize, ServerError> {
    let Some(text) = get("TIMESERIES_BATCH_SIZE") else { return Ok(BATCH) };
    let count = text.parse().ok().filter(|count| (1..=MAX_BATCH).contains(count));
    count.ok_or_else(|| refusal("TIMESERIES_BATCH_SIZE", format!("it has to be a number from 1 to {MAX_BATCH}")))
}

fn click_house<'v>(get: impl Fn(&str) -> Option<&'v str>) -> Result<ClickHouse, ServerError> {
    const URL: &str = "CLICKHOUSE_URL";
    let url = get(URL).ok_or_else(|| refusal(URL, "the backend clickhouse needs it"))?;
    let login = get("CLICKHOUSE_USER").zip(get("CLICKHOUSE_PASSWORD"));
    Ok(ClickHouse {
        endpoint: Endpoint::parse(url).map_err(|why| refusal(URL, why))?,
        database: get("CLICKHOUSE_DATABASE").unwrap_or(DATABASE).to_owned(),
        table: get("TIMESERIES_TABLE").unwrap_or(TABLE).to_owned(),
        login: login.map(|(user, password)| (user.to_owned(), password.to_owned())),
    })
}
