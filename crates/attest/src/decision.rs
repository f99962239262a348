//! The decision of a review, as a predicate: what was decided about which commit, from what, by which rules and tools.

use crate::digest::{Algorithm, DigestError, DigestSet};
use crate::statement::{Predicate, Statement, Subject};
use agentprov_model::{ContentId, GitBlobId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

/// A statement that carries a decision.
pub type DecisionStatement = Statement<Decision>;

/// What a decision is about: the head of the change, its tree, and every blob that the change brings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DecisionSubjects {
    /// The repository, as the review names it.
    pub repository: String,
    /// Hex id of the head commit.
    pub commit: String,
    /// Hex id of its tree; unknown for a change that was posted.
    pub tree: Option<String>,
    /// The changed files at the head.
    pub blobs: Vec<ChangedBlob>,
}

/// A changed file at the head. SHA-1 alone is not enough to name it, so the SHA-256 of the bytes stands beside it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangedBlob {
    /// Path from the repository's root.
    pub path: String,
    /// As git names it; unknown for a change that was posted.
    pub git: Option<GitBlobId>,
    /// SHA-256 of the bytes.
    pub sha256: ContentId,
}

impl DecisionSubjects {
    /// As subjects of a statement: commit, tree, then the blobs.
    ///
    /// # Errors
    /// [`DigestError`] where an id is no hex of the right length.
    pub fn to_subjects(&self) -> Result<Vec<Subject>, DigestError> {
        let named = |algorithm, id: &String| {
            Ok(Subject { name: self.repository.clone(), digest: DigestSet::new([(algorithm, id.clone())])? })
        };
        let mut subjects = vec![named(Algorithm::GitCommit, &self.commit)?];
        if let Some(tree) = &self.tree {
            subjects.push(named(Algorithm::GitTree, tree)?);
        }
        for blob in &self.blobs {
            let git = blob.git.as_ref().map(|id| (Algorithm::GitBlob, id.to_string()));
            let digests = git.into_iter().chain([(Algorithm::Sha256, blob.sha256.to_hex())]);
            subjects.push(Subject { name: blob.path.clone(), digest: DigestSet::new(digests)? });
        }
        Ok(subjects)
    }
}

/// What follows from a review, least first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Nothing stands against it.
    Allow,
    /// Somebody has to look.
    Warn,
    /// It must not be merged.
    Block,
}

impl Outcome {
    /// In lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Warn => "warn",
            Self::Block => "block",
        }
    }
}

/// A rule of the policy that fired.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// Which rule.
    pub code: String,
    /// What it demands.
    pub outcome: Outcome,
    /// How often its condition was met.
    pub count: u64,
    /// From how many on it fires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u64>,
    /// In one sentence.
    pub message: String,
    /// What clears it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_clear: Option<String>,
    /// Findings, `path:line@commit`, facts.
    pub evidence: Vec<String>,
}

/// Something named and pinned by its digest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pinned {
    /// What it is called.
    pub name: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// SHA-256 of its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<ContentId>,
}

/// The program that decided, so that somebody else can run it again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// How it was called. Secrets in it were replaced before.
    pub argv: Vec<String>,
}

/// The digests of what went in and what came out between input and decision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Digests {
    /// What was reviewed: bytes that can be fetched again.
    pub inputs: ContentId,
    /// The lines with their owners.
    pub lines: ContentId,
    /// The findings.
    pub findings: ContentId,
    /// The policy.
    pub policy: ContentId,
    /// The rules of all detectors.
    pub rules: ContentId,
}

/// The predicate of a signed decision.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// `pd_...`
    pub decision_id: String,
    /// `an_...`
    pub analysis_id: String,
    /// The repository.
    pub repository: String,
    /// The pull request, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pr_number: Option<String>,
    /// The commit that the change starts from.
    pub base_commit: String,
    /// The commit that was decided about.
    pub head_commit: String,
    /// RFC 3339, UTC.
    pub decided_at: String,
    /// What was decided.
    pub outcome: Outcome,
    /// The strongest reason.
    pub rationale: String,
    /// Every rule that fired.
    pub reasons: Vec<Reason>,
    /// Counts of findings and lines.
    pub risk_summary: Value,
    /// What was not looked at.
    pub gaps: Vec<Value>,
    /// Label of the policy.
    pub policy_version: String,
    /// Every setting that the decision depends on.
    pub settings: Value,
    /// Digests of what went in.
    pub digests: Digests,
    /// The engines that looked.
    pub detectors: Vec<Pinned>,
    /// The program that decided.
    pub tool: Tool,
}

impl Predicate for Decision {
    const TYPE: &'static str = "https://agentprov.dev/attestation/decision/v1";
}

impl Statement<Decision> {
    /// Whether the statement's first subject is the commit that the predicate speaks of: the one must not be swapped
    /// without the other.
    pub fn is_about_its_head(&self) -> bool {
        let mut commits = self.with(Algorithm::GitCommit);
        commits.next().is_some_and(|(_, commit)| commit == self.predicate.head_commit) && commits.next().is_none()
    }
}

/// How a decision differs from one computed anew; empty where it is the same.
pub fn differences(signed: &Decision, computed: &Decision) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, one: String, two: String| {
        if one != two {
            found.push(format!("{what}: signed {one}, computed {two}"));
        }
    };
    compare("base commit", signed.base_commit.clone(), computed.base_commit.clone());
    compare("head commit", signed.head_commit.clone(), computed.head_commit.clone());
    compare("inputs digest", signed.digests.inputs.to_hex(), computed.digests.inputs.to_hex());
    compare("policy digest", signed.digests.policy.to_hex(), computed.digests.policy.to_hex());
    compare("rules digest", signed.digests.rules.to_hex(), computed.digests.rules.to_hex());
    compare("lines digest", signed.digests.lines.to_hex(), computed.digests.lines.to_hex());
    compare("findings digest", signed.digests.findings.to_hex(), computed.digests.findings.to_hex());
    compare("outcome", signed.outcome.as_str().to_owned(), computed.outcome.as_str().to_owned());
    found.extend(members(&signed.risk_summary, &computed.risk_summary));
    let alone = |those: &Decision, others: &Decision, whose: &str| {
        let only = those.reasons.iter().filter(|reason| !others.reasons.contains(reason));
        only.map(|reason| format!("reason only {whose}: {} ({})", reason.code, reason.message)).collect::<Vec<_>>()
    };
    let mut reasons = alone(signed, computed, "signed");
    reasons.extend(alone(computed, signed, "computed"));
    if reasons.is_empty() && signed.reasons != computed.reasons {
        reasons.push("the reasons stand in another order, or more than once".to_owned());
    }
    found.extend(reasons);
    found
}

/// The members that differ, as JSON; all of it at once where one of the two is no object.
fn members(signed: &Value, computed: &Value) -> Vec<String> {
    let differ = |name: &str, one: Option<&Value>, two: Option<&Value>| {
        let text = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
        (one != two).then(|| format!("risk summary{name}: signed {}, computed {}", text(one), text(two)))
    };
    let (Value::Object(first), Value::Object(second)) = (signed, computed) else {
        return differ("", Some(signed), Some(computed)).into_iter().collect();
    };
    let names: BTreeSet<&String> = first.keys().chain(second.keys()).collect();
    names.into_iter().filter_map(|name| differ(&format!(", {name}"), first.get(name), second.get(name))).collect()
}
