//! What an analysis comes to. It is kept as one document, from which every answer about it is taken.

use crate::analysis::attribution::{Worth, weigh_all};
use crate::analysis::noted::fact_of;
use crate::analysis::tally::{Found, Lines, Tally, agent_name};
use crate::analysis::{Analyst, decide, sarif};
use crate::error::ServerError;
use crate::github::{PullRequest, Summary};
use agentprov_attest::decision::{Outcome, Reason};
use agentprov_attest::service_bundle::ServiceBundle;
use agentprov_log::VerifierKey;
use agentprov_model::{ContentId, EventTime, ReviewDecision};
use agentprov_review::attribution::{Attribution, Evidence, Sources, attribute};
use agentprov_review::change::{Change, ChangedLine, LineChange, Payload, PayloadError, from_payload};
use agentprov_review::detect::Capability;
use agentprov_review::governance::{Policy, PullRequestSignals, Waivers};
use agentprov_review::{Finding, FindingStatus, Review, ReviewedFinding, analyse_with};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The kept document.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// `an_...`
    pub analysis_id: String,
    /// `pd_...`
    pub decision_id: String,
    /// When it was decided, RFC 3339.
    pub decided_at: String,
    /// What was decided.
    pub outcome: Outcome,
    /// The strongest reason.
    pub rationale: String,
    /// Every rule that fired.
    pub reasons: Vec<Reason>,
    /// What was not scanned.
    pub gaps: Vec<String>,
    /// Counts.
    pub risk_summary: Value,
    /// How many lines name an agent, in words.
    pub provenance_status: String,
    /// Mean confidence over the lines; none where there are no lines.
    pub provenance_confidence: Option<f64>,
    /// Label and digest of the policy.
    pub policy_version: String,
    /// The findings, as they are served.
    pub findings: Vec<Value>,
    /// The decision in the form of the existing service.
    pub bundle: ServiceBundle,
    /// The decision as a signed in-toto statement.
    pub statement: Value,
    /// The findings as SARIF.
    pub sarif: Value,
    /// What GitHub said of the pull request when it was decided.
    #[serde(default)]
    pub pull_request: Option<PullRequest>,
    /// Why GitHub was asked in vain.
    #[serde(default)]
    pub asked_in_vain: Option<String>,
}

/// What is computed before anything is signed: the same for the same input, rules and policy.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) payload: Payload,
    pub(crate) change: Change,
    pub(crate) lines: Lines,
    pub(crate) review: Review,
    pub(crate) policy: Policy,
    pub(crate) pull_request: Option<PullRequest>,
    pub(crate) risk_summary: Value,
    pub(crate) capabilities: Vec<Capability>,
    pub(crate) inputs: ContentId,
    pub(crate) lines_digest: ContentId,
    pub(crate) findings_digest: ContentId,
}

/// What an analysis comes to.
#[derive(Debug)]
pub struct Analysed {
    /// All that is asked for.
    pub report: Report,
    /// What is counted.
    pub tally: Tally,
    /// What the log keeps.
    pub decision: ReviewDecision,
}

/// SHA-256 of bytes.
pub fn digest(bytes: &[u8]) -> ContentId {
    ContentId::from_bytes(Sha256::digest(bytes).into())
}

/// The name of the analysis of an input: equal inputs have one analysis.
pub fn analysis_id(inputs: ContentId) -> String {
    named("an", inputs)
}

pub(crate) fn named(prefix: &str, digest: ContentId) -> String {
    let hex = digest.to_hex();
    format!("{prefix}_{}", hex.get(..32).unwrap_or(&hex))
}

impl Analyst {
    /// Analyses an input that was accepted, and signs the decision.
    ///
    /// # Errors
    /// [`ServerError`] when the input can't be read any more or the decision can't be signed.
    pub fn analyse(&self, input: &[u8], created: EventTime, now: EventTime) -> Result<Analysed, ServerError> {
        let waivers = match serde_json::from_slice::<Payload>(input) {
            Ok(payload) => self.words()?.of(&payload.repo, now),
            // That it can't be read is said below.
            Err(_) => Waivers::default(),
        };
        let policy = Policy { waivers, ..self.settings.policy.clone() };
        let (pull_request, asked_in_vain) = match self.ask_github(input) {
            Some(Ok(pull)) => (Some(pull), None),
            Some(Err(why)) => (None, Some(why)),
            None => (None, None),
        };
        let judged = self.judge(input, policy, pull_request)?;
        let id = analysis_id(judged.inputs);
        let findings = served_findings(&judged, &id, now);
        let signed = decide::sign(self, &judged, &id, now)?;
        let (decision, bundle, statement) = (signed.decision, signed.bundle, signed.statement);
        let fact = fact_of(&decision);
        let tally = tally(&judged, decision.outcome);
        let report = Report {
            sarif: sarif::document(&judged, &id, self.repository_uri(&judged.payload.repo), (created, now)),
            provenance_status: provenance_status(&judged.lines),
            provenance_confidence: confidence(&judged.lines),
            analysis_id: id,
            decision_id: decision.decision_id,
            decided_at: decision.decided_at,
            outcome: decision.outcome,
            rationale: decision.rationale,
            reasons: decision.reasons,
            gaps: judged.review.gaps.iter().map(ToString::to_string).collect(),
            risk_summary: decision.risk_summary,
            policy_version: decision.policy_version,
            findings,
            bundle,
            statement,
            pull_request: judged.pull_request,
            asked_in_vain,
        };
        Ok(Analysed { report, tally, decision: fact })
    }

    /// What GitHub says of the pull request; none where it is not asked.
    fn ask_github(&self, input: &[u8]) -> Option<Result<PullRequest, String>> {
        let settings = self.settings.github.as_ref()?;
        let payload: Payload = serde_json::from_slice(input).ok()?;
        Some(self.github.ask(settings, &payload.repo, &payload.pr_number, &payload.head_sha))
    }

    /// Who wrote the lines of a posted change, by what was said and by the evidence that came with it.
    ///
    /// # Errors
    /// What is wrong with the evidence.
    pub(crate) fn attribution(&self, payload: &Payload, change: &Change) -> Result<Attribution, PayloadError> {
        let refuse = |field: String, what: String| PayloadError { field, what, too_large: false };
        let keys = self.settings.policy.evidence_keys.iter().filter_map(|key| VerifierKey::parse(key).ok());
        let keys: Vec<VerifierKey> = keys.collect();
        let open = |(place, text): (usize, &String)| {
            let opened = Evidence::open(&format!("posted {place}"), text.as_bytes(), &keys);
            opened.map_err(|error| refuse(format!("evidence.{place}"), error.to_string()))
        };
        let evidence = payload.evidence.iter().enumerate().map(open).collect::<Result<Vec<_>, _>>()?;
        let sources = Sources { evidence: &evidence, ..Sources::default() };
        attribute(change, &sources).map_err(|error| refuse("evidence".into(), error.to_string()))
    }

    /// Everything up to the signature.
    pub(crate) fn judge(
        &self,
        input: &[u8],
        policy: Policy,
        pull_request: Option<PullRequest>,
    ) -> Result<Judged, ServerError> {
        let inputs = digest(input);
        let refuse = |why: String| ServerError::Kept { id: analysis_id(inputs), why };
        let mut payload: Payload = serde_json::from_slice(input).map_err(|error| refuse(error.to_string()))?;
        if let Some(pull) = &pull_request {
            name_agents(&mut payload, pull);
        }
        let change = from_payload(&payload).map_err(|error| refuse(error.to_string()))?;
        let attribution = self.attribution(&payload, &change).map_err(|error| refuse(error.to_string()))?;
        let signals = pull_request.as_ref().map(|pull| Summary(pull).signals()).unwrap_or_default();
        let review = analyse_with(&change, &attribution, &self.registry, &policy, signals);
        let mut payload = payload.with_lines_of(&change);
        let changed = &mut payload.provenance_data.changed_lines;
        let worths = weigh_all(changed, &attribution, &self.settings);
        let lines = Lines::of(changed, &worths);
        let findings = serde_json::to_vec(&review.findings).map_err(|error| refuse(error.to_string()))?;
        Ok(Judged {
            risk_summary: risk_summary(&lines, &review, pull_request.as_ref()),
            lines_digest: lines_digest(changed, &worths),
            capabilities: self.registry.capabilities(),
            findings_digest: digest(&findings),
            inputs,
            payload,
            change,
            lines,
            review,
            policy,
            pull_request,
        })
    }
}

fn risk_summary(lines: &Lines, review: &Review, pull_request: Option<&PullRequest>) -> Value {
    let mut by_category: BTreeMap<&str, u64> = BTreeMap::new();
    let mut by_severity: BTreeMap<&str, u64> = BTreeMap::new();
    for one in review.findings.iter().filter(|one| one.status == FindingStatus::Open) {
        *by_category.entry(one.finding.category.as_str()).or_default() += 1;
        *by_severity.entry(one.finding.severity.as_str()).or_default() += 1;
    }
    let mut summary = json!({
        "findings_total": by_severity.values().sum::<u64>(),
        "findings_by_category": by_category,
        "findings_by_severity": by_severity,
        "coverage": {
            "total_lines": lines.total,
            "attributed_lines": lines.attributed,
            "unknown_line_count": lines.total - lines.attributed,
            "coverage_percent": lines.coverage_percent(),
        },
    });
    if let Some(pull) = pull_request.map(Summary) {
        let signals = pull.signals();
        if signals != PullRequestSignals::default() {
            let resolved = pull.blocks().iter().filter(|block| block.resolved).count();
            summary["bot_block_overrides"] = json!(signals.bot_block_overrides);
            summary["bot_block_resolved"] = json!(resolved);
            summary["force_push_after_approval"] = json!(signals.force_push_after_approval > 0);
        }
    }
    summary
}

/// Names the agents of lines that nobody claims: by their commit, else by the label of the pull request. What the sender
/// said stays.
fn name_agents(payload: &mut Payload, pull: &PullRequest) {
    for line in &mut payload.provenance_data.changed_lines {
        let by = &mut line.attribution;
        if !by.agent_id.is_empty() {
            continue;
        }
        let commit = by.commit_sha.as_ref().and_then(|sha| pull.commits.iter().find(|commit| commit.sha == *sha));
        let (agent, source) = match (commit.and_then(|commit| commit.agent.as_ref()), &pull.label_agent) {
            (Some(agent), _) => (agent, "commit"),
            (None, Some(agent)) => (agent, "label"),
            (None, None) => continue,
        };
        by.agent_id.clone_from(agent);
        let marker = || json!({"agent_id": agent, "sources": [{"source": source}]}).to_string();
        by.provenance_marker.get_or_insert_with(marker);
    }
}

fn provenance_status(lines: &Lines) -> String {
    format!("{:.2}% lines attributed", lines.coverage_percent())
}

pub(crate) fn confidence(lines: &Lines) -> Option<f64> {
    (lines.total > 0).then(|| lines.confidence / lines.total as f64)
}

fn lines_digest(lines: &[ChangedLine], worths: &[Worth]) -> ContentId {
    let mut hash = Sha256::new();
    for (line, worth) in lines.iter().zip(worths) {
        for part in [line.file_path.as_str(), line.attribution.agent_id.as_str()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.update(line.line_number.to_be_bytes());
        hash.update([line.change_type as u8, worth.basis as u8]);
    }
    ContentId::from_bytes(hash.finalize().into())
}

/// The posted line that stands at a place after the change.
pub(crate) fn lines_by_place(payload: &Payload) -> HashMap<(&str, u32), &ChangedLine> {
    let kept = payload.provenance_data.changed_lines.iter().filter(|line| line.change_type != LineChange::Deleted);
    kept.map(|line| ((line.file_path.as_str(), line.line_number), line)).collect()
}

/// The posted line that a finding stands on: the first of its lines that belongs to the change.
pub(crate) fn owner<'p>(finding: &Finding, lines: &HashMap<(&str, u32), &'p ChangedLine>) -> Option<&'p ChangedLine> {
    (finding.line.get()..=finding.end_line.get()).find_map(|line| lines.get(&(finding.path.as_str(), line)).copied())
}

fn served_findings(judged: &Judged, analysis: &str, now: EventTime) -> Vec<Value> {
    let lines = lines_by_place(&judged.payload);
    let served = |one: &ReviewedFinding| {
        let finding = &one.finding;
        let by = owner(finding, &lines).map(|line| &line.attribution);
        json!({
            "finding_id": one.finding_id,
            "analysis_id": analysis,
            "repo_id": judged.payload.repo,
            "pr_number": judged.payload.pr_number,
            "file_path": finding.path,
            "line_number": finding.line,
            "end_line": finding.end_line,
            "start_column": finding.start_column,
            "end_column": finding.end_column,
            "rule_key": finding.rule,
            "rule_version": finding.rule_version,
            "category": finding.category,
            "severity": finding.severity,
            "cwe": finding.cwe,
            "engine_name": finding.engine,
            "message": finding.message,
            "help": finding.help,
            "fingerprint": finding.fingerprint,
            "detected_at": now.to_rfc3339(),
            "status": one.status,
            "attribution": by,
            "suppressed_by_author": finding.suppressed_by_author,
            "suppression": null,
            "remediated_at": null,
            "remediation_analysis_id": null,
        })
    };
    judged.review.findings.iter().map(served).collect()
}

fn tally(judged: &Judged, decided: Outcome) -> Tally {
    let mut agents = judged.lines.agents.clone();
    let lines = lines_by_place(&judged.payload);
    let mut found = Vec::with_capacity(judged.review.findings.len());
    for one in &judged.review.findings {
        let finding = &one.finding;
        let agent = owner(finding, &lines).map_or("", |line| line.attribution.agent_id.as_str());
        found.push(Found {
            finding_id: one.finding_id.clone(),
            category: finding.category.as_str().to_owned(),
            agent: agent_name(agent).to_owned(),
            path: finding.path.clone(),
        });
        if one.status != FindingStatus::Open {
            continue;
        }
        let tally = agents.entry(agent_name(agent).to_owned()).or_default();
        let severities = tally.findings.entry(finding.category.as_str().to_owned()).or_default();
        *severities.entry(finding.severity.as_str().to_owned()).or_default() += 1;
    }
    Tally {
        repo: judged.payload.repo.clone(),
        pr_number: judged.payload.pr_number.clone(),
        branch: judged.payload.branch.clone(),
        outcome: decided.as_str().to_owned(),
        agents,
        found,
        pull_request: judged.pull_request.clone().map(Arc::new),
        unscanned: judged.review.gaps.iter().filter(|gap| gap.is_loss()).map(|gap| gap.path.clone()).collect(),
    }
}
