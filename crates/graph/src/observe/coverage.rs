//! `observability_coverage/v1`: how well a run was seen, and what therefore may be claimed about it.

use super::{Document, ratio, seqs_of_type};
use crate::attempts::{AttemptState, facts_of_type};
use crate::error::GraphError;
use crate::scope_context::{Scope, Scopes, has_status};
use crate::timeline::Totals;
use agentprov_model::{AttemptNo, ClaimClass, Coverage, EventType, Gap, Level, What};
use agentprov_store::{Reader, RunRow};
use serde::Serialize;
use std::collections::BTreeMap;

/// The body.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CoverageBody {
    /// How much context runtime facts have.
    pub summary: CoverageSummary,
    /// How many runtime facts lack each id.
    pub missing_fields: BTreeMap<&'static str, u64>,
    /// Runtime facts by who reported them.
    pub by_source: BTreeMap<&'static str, u64>,
    /// Runtime facts by type.
    pub by_type: BTreeMap<&'static str, u64>,
    /// Facts that lack an id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<CorrelationGap>,
    /// What to do about it.
    pub next_steps: Vec<String>,
    /// What may be claimed about the whole run: of each class the worst attempt.
    pub claims: Vec<Claim>,
    /// The same by attempt.
    pub attempts: Vec<AttemptCoverage>,
    /// What the recorder could not see, at most as many as gaps were asked for.
    pub losses: Vec<Loss>,
    /// All of them.
    pub loss_count: u64,
}

/// How much context runtime facts have.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CoverageSummary {
    /// All.
    pub runtime_events: u64,
    /// With run, session, tool call and process.
    pub fully_correlated: u64,
    /// Without a session.
    pub missing_session: u64,
    /// Without a tool call.
    pub missing_tool_call: u64,
    /// Without a process.
    pub missing_process: u64,
    /// Share of the fully correlated.
    pub fully_correlated_ratio: f64,
    /// Share with a tool call.
    pub tool_call_coverage_ratio: f64,
    /// Share with a process.
    pub process_coverage_ratio: f64,
    /// Facts that lack an id.
    pub correlation_gap_count: u64,
}

/// A fact that lacks an id.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CorrelationGap {
    /// Its id.
    pub event_id: String,
    /// Who reported it.
    pub source: String,
    /// Event type.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The ids it lacks.
    pub missing: Vec<&'static str>,
    /// How it was tied to what is known.
    pub correlation_method: &'static str,
    /// From 0 to 1.
    pub correlation_confidence: f64,
    /// When it was appended.
    pub created_at: String,
    /// What would close the gap.
    pub suggested_binding: String,
}

/// What may be claimed about one class.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Claim {
    /// The class.
    pub class: ClaimClass,
    /// How much of it was seen.
    pub level: Level,
    /// Why not all.
    pub why: Vec<String>,
    /// Observations known to be lost; null where that was not measured.
    pub lost: Option<u64>,
    /// True only where "it did not happen" may be said.
    pub absence_claimable: bool,
}

/// Coverage of one attempt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AttemptCoverage {
    /// The attempt.
    pub attempt_id: String,
    /// Its tool call.
    pub tool_call_id: String,
    /// Where it stands.
    pub state: &'static str,
    /// How it was observed.
    pub mechanism: &'static str,
    /// Why that way.
    pub mechanism_reason: String,
    /// By class.
    pub claims: Vec<Claim>,
}

/// Something that could not be seen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Loss {
    /// Id of the fact that says so.
    pub event_id: String,
    /// In which attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt_id: Option<String>,
    /// What.
    #[serde(flatten)]
    pub gap: Gap,
}

/// The coverage of a run with at most `limit` gaps.
///
/// # Errors
/// What the store says.
pub fn observe_coverage(reader: &Reader, run: &RunRow, limit: usize) -> Result<Document<CoverageBody>, GraphError> {
    let scopes = Scopes::load(reader, run)?;
    let totals = Totals::load(reader, run, run.size)?;
    let losses: Vec<(String, AttemptNo, Gap)> = facts_of_type(reader, run, EventType::CoverageGap)?
        .into_iter()
        .filter_map(|(_, fact)| match fact.what {
            What::Gap(gap) => Some((fact.id.to_string(), fact.attempt, gap)),
            _ => None,
        })
        .collect();
    let attempts: Vec<AttemptCoverage> = scopes.iter().map(|scope| attempt_coverage(scope, &losses)).collect();
    let claims = worst(&attempts);
    let events = totals.runtime();
    let missing = totals.without_process;
    let body = CoverageBody {
        summary: CoverageSummary {
            runtime_events: events,
            fully_correlated: events.saturating_sub(missing),
            missing_session: 0,
            missing_tool_call: 0,
            missing_process: missing,
            fully_correlated_ratio: ratio(events.saturating_sub(missing), events),
            tool_call_coverage_ratio: ratio(events, events),
            process_coverage_ratio: ratio(events.saturating_sub(missing), events),
            correlation_gap_count: missing,
        },
        missing_fields: BTreeMap::from([("session_id", 0), ("tool_call_id", 0), ("process_id", missing)]),
        by_source: totals.runtime_by_source(),
        by_type: totals.runtime_by_type(),
        gaps: if missing == 0 { Vec::new() } else { gaps(reader, run, &scopes, limit)? },
        next_steps: next_steps(run, &claims, missing),
        claims,
        attempts,
        loss_count: losses.len() as u64,
        losses: losses
            .into_iter()
            .take(limit)
            .map(|(event_id, attempt, gap)| {
                let attempt_id = scopes.of(attempt).map(|scope| scope.attempt.started.attempt_id.to_string());
                Loss { event_id, attempt_id, gap }
            })
            .collect(),
    };
    Document::new("observability_coverage", &[&limit.to_string()], run, body)
}

fn attempt_coverage(scope: &Scope, losses: &[(String, AttemptNo, Gap)]) -> AttemptCoverage {
    let started = &scope.attempt.started;
    let claims = ClaimClass::ALL
        .into_iter()
        .map(|class| {
            let mut coverage = reported(scope, class);
            // The recorder lowers what it reports by its own gaps; a gap fact counts even where it forgot to.
            let own =
                losses.iter().filter(|(_, attempt, gap)| *attempt == scope.attempt.no && gap.classes.contains(&class));
            for (_, _, gap) in own {
                coverage.degrade(gap.detail.clone());
            }
            Claim {
                class,
                absence_claimable: coverage.level == Level::Complete && coverage.lost == Some(0),
                level: coverage.level,
                why: coverage.why,
                lost: coverage.lost,
            }
        })
        .collect();
    AttemptCoverage {
        attempt_id: started.attempt_id.to_string(),
        tool_call_id: started.tool_call_id.to_string(),
        state: scope.status().1,
        mechanism: started.mechanism.name(),
        mechanism_reason: started.mechanism_reason.clone(),
        claims,
    }
}

fn reported(scope: &Scope, class: ClaimClass) -> Coverage {
    let without_end = |why: &str| Coverage { level: Level::Partial, why: vec![why.to_owned()], lost: None };
    match &scope.attempt.state {
        AttemptState::Ended { ended, .. } => {
            ended.coverage.classes.get(&class).cloned().unwrap_or_else(|| Coverage::none("not observed"))
        }
        AttemptState::Interrupted { .. } => without_end("the recorder was found dead: nobody says what it missed"),
        AttemptState::Open => without_end("the attempt has no end yet"),
    }
}

/// Of each class the lowest level of any attempt, with every reason.
fn worst(attempts: &[AttemptCoverage]) -> Vec<Claim> {
    let mut claims: Vec<Claim> = Vec::new();
    for claim in attempts.iter().flat_map(|attempt| &attempt.claims) {
        match claims.iter_mut().find(|known| known.class == claim.class) {
            None => claims.push(claim.clone()),
            Some(known) => {
                known.level = known.level.min(claim.level);
                known.lost = known.lost.zip(claim.lost).map(|(a, b)| a + b);
                known.absence_claimable &= claim.absence_claimable;
                let new: Vec<String> = claim.why.iter().filter(|why| !known.why.contains(why)).cloned().collect();
                known.why.extend(new);
            }
        }
    }
    claims
}

fn gaps(reader: &Reader, run: &RunRow, scopes: &Scopes, limit: usize) -> Result<Vec<CorrelationGap>, GraphError> {
    let mut gaps = Vec::new();
    for seq in seqs_of_type(reader, run, EventType::FileWrite)? {
        if gaps.len() == limit {
            break;
        }
        let fact = reader.fact(run.no, seq)?;
        if fact.process.is_some() || !has_status(fact.lane()) {
            continue;
        }
        let (_, correlation) = scopes.resolve(&fact);
        let suggested_binding = match &fact.what {
            What::FileVersion(version) if !version.writers.is_empty() => {
                format!("one of {} processes that had it open for writing", version.writers.len())
            }
            _ => "record with a back-end that sees writes (agentprov doctor)".to_owned(),
        };
        gaps.push(CorrelationGap {
            event_id: fact.id.to_string(),
            source: fact.source().to_owned(),
            kind: fact.event_type().name(),
            missing: vec!["process_id"],
            correlation_method: correlation.method,
            correlation_confidence: correlation.confidence,
            created_at: fact.recorded.to_rfc3339(),
            suggested_binding,
        });
    }
    Ok(gaps)
}

fn next_steps(run: &RunRow, claims: &[Claim], missing: u64) -> Vec<String> {
    let mut steps = Vec::new();
    if missing > 0 {
        steps.push(format!("timeline --run {} --type file_write --json", run.id));
    }
    let limited =
        |claim: &&Claim| claim.level != Level::Complete && !matches!(claim.class, ClaimClass::Dns | ClaimClass::Tls);
    if claims.iter().any(|claim| limited(&claim)) {
        steps.push("doctor".to_owned());
    }
    steps.push(format!("graph verify --run {} --json", run.id));
    steps
}
