//! Rows for ClickHouse, over its HTTP interface.

use crate::outgoing::{Endpoint, percent_encoded};
use data_encoding::BASE64;
use serde_json::{Value, json};

/// Where rows go.
#[derive(Clone, PartialEq, Eq)]
pub struct ClickHouse {
    /// The server.
    pub endpoint: Endpoint,
    /// The database.
    pub database: String,
    /// The table of all events.
    pub table: String,
    /// User and password, where both are set.
    pub login: Option<(String, String)>,
}

/// Findings have a table of their own too.
const FINDINGS: &str = "findings";

impl ClickHouse {
    /// Hands rows over. All were taken when this returns without an error.
    pub(super) fn send(&self, events: &[Value]) -> Result<(), String> {
        let all: Vec<Value> =
            events.iter().map(|event| json!({"event_time": seconds(event), "payload": event})).collect();
        self.insert(&self.table, &all)?;
        let findings = events.iter().filter(|event| event["event_type"] == "finding");
        let findings: Vec<Value> = findings.map(finding_row).collect();
        if findings.is_empty() { Ok(()) } else { self.insert(FINDINGS, &findings) }
    }

    fn insert(&self, table: &str, rows: &[Value]) -> Result<(), String> {
        let body: String = rows.iter().map(|row| format!("{row}\n")).collect();
        let query = format!("INSERT INTO {}.{} FORMAT JSONEachRow", quoted(&self.database), quoted(table));
        let login = self.login.as_ref().map(|(user, password)| {
            let pair = BASE64.encode(format!("{user}:{password}").as_bytes());
            format!("Basic {pair}")
        });
        self.endpoint
            .post(&format!("/?query={}", percent_encoded(&query)), login.as_deref(), body.as_bytes())
            .map_err(|why| format!("ClickHouse at {}, table {table}: {why}", self.endpoint))
    }
}

fn finding_row(event: &Value) -> Value {
    let mut row = json!({"detected_at": seconds(event), "payload": event});
    for name in ["analysis_id", "repo_id", "pr_number", "rule_key", "severity"] {
        row[name] = event[name].clone();
    }
    row
}

/// A time as a DateTime column reads it by default: UTC, to the second.
fn seconds(event: &Value) -> String {
    let text = event["timestamp"].as_str().unwrap_or_default();
    text.get(..19).unwrap_or(text).replace('T', " ")
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}
