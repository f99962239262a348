//! `graph refs`: names for the things of a run, with the hashes that they stand for.

use crate::diff::{rollout_id, snapshot_id};
use crate::error::GraphError;
use crate::objects::Catalogue;
use crate::result_set::Pin;
use crate::scope_context::Scopes;
use crate::trace::Row;
use agentprov_store::{Reader, RunRow};

/// One row a ref: `ref=<name> target=<id> ...`.
///
/// # Errors
/// What the store says.
pub fn refs(reader: &Reader, run: &RunRow) -> Result<Vec<Row>, GraphError> {
    let pin = Pin::head(run)?;
    let catalogue = Catalogue::load(reader, run)?;
    let object = |id: &str| catalogue.actor(id).map(|object| object.row.hash.clone()).unwrap_or_default();
    let named = |name: String, target: &str| Row::new().put("ref", name).put("target", target);
    let root = format!("sha256:{}", pin.root.to_hex());
    let mut rows = vec![
        named(format!("heads/{}", run.id), &root).put("size", pin.size),
        named(format!("rollouts/{}", rollout_id(run)), run.id.as_str()),
    ];
    for scope in Scopes::load(reader, run)?.iter() {
        let started = &scope.attempt.started;
        let (attempt, tool_call) = (started.attempt_id.as_str(), started.tool_call_id.as_str());
        let status = scope.status();
        rows.push(
            named(format!("attempts/{attempt}"), attempt)
                .put("rollout", rollout_id(run))
                .put("status", status.0)
                .put("state", status.1)
                .put("object", object(attempt)),
        );
        let attempt_of = |row: Row| row.put("attempt", attempt);
        rows.push(attempt_of(named(format!("tool_calls/{tool_call}"), tool_call)).put("object", object(tool_call)));
        rows.push(attempt_of(named(format!("sessions/{}", started.session_id), started.session_id.as_str())));
        rows.push(attempt_of(named(
            format!("snapshots/{}", snapshot_id(&scope.attempt)),
            &snapshot_id(&scope.attempt),
        )));
        if let Some(process) = scope.root() {
            let process = process.to_string();
            rows.push(attempt_of(named(format!("processes/{process}"), &process)).put("object", object(&process)));
        }
    }
    Ok(rows)
}
