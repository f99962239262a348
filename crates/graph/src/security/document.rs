//! The head that all of these documents share, and the facts behind them.

use crate::attempts::facts_of_type;
use crate::error::GraphError;
use crate::result_set::{Pin, page_hash};
use crate::scope_context::{Context, Scopes};
use agentprov_model::{AttemptNo, EventType, Fact, RuleMode, What, schema};
use agentprov_store::{Reader, RunRow, Seq};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// A document about one run, or all of them.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SecurityDocument<B> {
    /// Name of the schema.
    pub schema_version: String,
    /// The run, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// Names query and state.
    pub result_set_id: String,
    /// Hash over the body.
    pub page_hash: String,
    /// Whether rules judged what this is about.
    pub judging: Judging,
    /// The rest.
    #[serde(flatten)]
    pub body: B,
}

/// Whether rules judged a run. That nothing was found says something only where they did.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Judging {
    /// `judged`, `partly_judged` or `not_judged`.
    pub state: &'static str,
    /// Attempts that rules judged.
    pub judged_attempts: u64,
    /// Attempts that they did not.
    pub unjudged_attempts: u64,
    /// Logs with telemetry that rules judged.
    pub judged_telemetry: u64,
    /// Logs with telemetry that they did not.
    pub unjudged_telemetry: u64,
    /// Modes in which the rules ran.
    pub modes: Vec<RuleMode>,
    /// Digests of the rule sets.
    pub rulesets: Vec<String>,
}

/// Commands that look closer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Query {
    /// Fragments of the command line.
    pub drilldowns: Vec<String>,
}

/// One fact with its run and context.
pub(super) struct Found<'r> {
    pub(super) run: &'r RunRow,
    pub(super) seq: Seq,
    pub(super) fact: Fact,
    pub(super) context: Context,
}

/// The facts of a type in these runs, newest first.
pub(super) fn found<'r>(reader: &Reader, runs: &'r [RunRow], kind: EventType) -> Result<Vec<Found<'r>>, GraphError> {
    let mut all = Vec::new();
    for run in runs.iter().filter(|run| run.removed.is_none()) {
        let facts = facts_of_type(reader, run, kind)?;
        if facts.is_empty() {
            continue;
        }
        let scopes = Scopes::load(reader, run)?;
        for (seq, fact) in facts {
            let (context, _) = scopes.resolve_judged(reader, run, &fact)?;
            all.push(Found { run, seq, fact, context });
        }
    }
    all.sort_by(|a, b| (b.fact.at, b.seq, &b.run.id).cmp(&(a.fact.at, a.seq, &a.run.id)));
    Ok(all)
}

/// The run asked for, or every run.
pub(super) fn runs_of(reader: &Reader, run: Option<&RunRow>) -> Result<Vec<RunRow>, GraphError> {
    Ok(match run {
        Some(run) => vec![run.clone()],
        None => reader.runs()?,
    })
}

pub(super) fn judging(reader: &Reader, runs: &[RunRow]) -> Result<Judging, GraphError> {
    let mut judging = Judging::default();
    let (mut modes, mut rulesets) = (BTreeSet::new(), BTreeSet::new());
    for run in runs.iter().filter(|run| run.removed.is_none()) {
        let started = facts_of_type(reader, run, EventType::ToolCallStart)?.len() as u64;
        let mut judged = BTreeSet::new();
        for (_, fact) in facts_of_type(reader, run, EventType::PolicyRules)? {
            if let What::RulesApplied(applied) = fact.what {
                judged.insert(fact.attempt);
                modes.insert(applied.mode);
                rulesets.insert(applied.ruleset);
            }
        }
        // What was taken in as telemetry stands outside all attempts.
        let telemetry_judged = judged.remove(&AttemptNo(0));
        if telemetry_judged {
            judging.judged_telemetry += 1;
        } else if !facts_of_type(reader, run, EventType::TelemetryBatch)?.is_empty() {
            judging.unjudged_telemetry += 1;
        }
        judging.judged_attempts += judged.len() as u64;
        judging.unjudged_attempts += started.saturating_sub(judged.len() as u64);
    }
    judging.modes = modes.into_iter().collect();
    judging.rulesets = rulesets.into_iter().collect();
    let judged = judging.judged_attempts + judging.judged_telemetry;
    judging.state = match (judged, judging.unjudged_attempts + judging.unjudged_telemetry) {
        (0, _) => "not_judged",
        (_, 0) => "judged",
        _ => "partly_judged",
    };
    Ok(judging)
}

impl<B: Serialize> SecurityDocument<B> {
    pub(super) fn new(
        name: &str,
        reader: &Reader,
        run: Option<&RunRow>,
        runs: &[RunRow],
        body: B,
    ) -> Result<Self, GraphError> {
        Ok(Self {
            schema_version: schema::v1(name),
            run_id: run.map(|run| run.id.to_string()),
            result_set_id: result_set_id(name, runs)?,
            page_hash: page_hash(&body),
            judging: judging(reader, runs)?,
            body,
        })
    }
}

/// One run's own, or a hash over those of all runs.
fn result_set_id(name: &str, runs: &[RunRow]) -> Result<String, GraphError> {
    let canonical = serde_json::json!([name]).to_string();
    if let [run] = runs {
        return Ok(Pin::head(run)?.result_set_id(&canonical, run));
    }
    let mut hasher = Sha256::new();
    for run in runs.iter().filter(|run| run.removed.is_none()) {
        hasher.update(Pin::head(run)?.result_set_id(&canonical, run));
    }
    Ok(format!("sha256:{}", data_encoding::HEXLOWER.encode(&hasher.finalize())))
}
