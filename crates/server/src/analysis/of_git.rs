//! Decisions about commits of a repository, signed where they were made.

use crate::analysis::decide::{outcome, pinned, reason, rules_digest};
use crate::analysis::report::{digest, named};
use crate::error::ServerError;
use agentprov_attest::decision::{ChangedBlob, Decision, DecisionStatement, DecisionSubjects, Digests, Tool};
use agentprov_attest::envelope::IN_TOTO;
use agentprov_attest::{Envelope, Statement};
use agentprov_log::SignerKey;
use agentprov_model::ContentId;
use agentprov_review::Review;
use agentprov_review::change::{Change, Origin};
use agentprov_review::detect::Capability;
use agentprov_review::governance::Policy;
use serde_json::json;

/// How the ids of such analyses begin: their input lies in git, not in a store.
const PREFIX: &str = "rv";

/// A review of commits, with all that its decision depends on.
#[derive(Clone, Debug)]
pub struct Reviewed<'a> {
    /// Name of the repository, for people.
    pub repository: String,
    /// What was reviewed.
    pub change: &'a Change,
    /// What came of it.
    pub review: &'a Review,
    /// Under which policy.
    pub policy: &'a Policy,
    /// By which engines.
    pub capabilities: Vec<Capability>,
    /// How the program was called.
    pub argv: Vec<String>,
}

/// Whether a decision is about commits of a repository, not about an input that was posted.
pub fn is_of_git(decision: &Decision) -> bool {
    decision.analysis_id.strip_prefix(PREFIX).is_some_and(|rest| rest.starts_with('_'))
}

impl Reviewed<'_> {
    /// The decision as a statement about the head commit, its tree and the changed files.
    ///
    /// # Errors
    /// [`ServerError::Statement`] where the change is no range of commits: what has no name can't be signed.
    pub fn statement(&self, decided_at: &str) -> Result<DecisionStatement, ServerError> {
        let Origin::Range { base, head, tree } = &self.change.origin else {
            return Err(ServerError::Statement("only commits can be named in a signed decision".into()));
        };
        let refuse = |error: agentprov_attest::digest::DigestError| ServerError::Statement(error.to_string());
        let subjects = DecisionSubjects {
            repository: self.repository.clone(),
            commit: head.clone(),
            tree: Some(tree.clone()),
            blobs: self.blobs(),
        };
        let subjects = subjects.to_subjects().map_err(refuse)?;
        Ok(Statement { subjects, predicate: self.decision((base, head, tree), decided_at)? })
    }

    fn blobs(&self) -> Vec<ChangedBlob> {
        let files = self.change.files.iter().filter_map(|file| Some((file, file.new.text()?)));
        files
            .map(|(file, text)| ChangedBlob { path: file.path.clone(), git: file.new.blob, sha256: digest(text) })
            .collect()
    }

    fn decision(&self, (base, head, tree): (&str, &str, &str), decided_at: &str) -> Result<Decision, ServerError> {
        let review = self.review;
        let refuse = |error: serde_json::Error| ServerError::Statement(error.to_string());
        let inputs = self.inputs(base, head, tree);
        let policy = self.policy.digest().parse().unwrap_or_else(|_| digest(json!(self.policy).to_string().as_bytes()));
        let rules = rules_digest(&self.capabilities);
        let identity = [inputs, policy, rules].map(|one: ContentId| one.to_hex()).concat();
        Ok(Decision {
            decision_id: named("pd", digest(identity.as_bytes())),
            analysis_id: named(PREFIX, inputs),
            repository: self.repository.clone(),
            pr_number: None,
            base_commit: base.to_owned(),
            head_commit: head.to_owned(),
            decided_at: decided_at.to_owned(),
            outcome: outcome(review.outcome),
            rationale: review.rationale.clone(),
            reasons: review.reasons.iter().map(reason).collect(),
            risk_summary: json!({"counts": review.counts, "coverage": review.coverage}),
            gaps: review.gaps.iter().map(|gap| json!(gap)).collect(),
            policy_version: review.policy_version.clone(),
            settings: json!(self.policy),
            digests: Digests {
                inputs,
                lines: digest(&serde_json::to_vec(&review.attribution).map_err(refuse)?),
                findings: digest(&serde_json::to_vec(&review.findings).map_err(refuse)?),
                policy,
                rules,
            },
            detectors: self.capabilities.iter().map(pinned).collect(),
            tool: Tool {
                name: "agentprov".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                argv: self.argv.clone(),
            },
        })
    }

    /// Both ends, and every file of the change before and after.
    fn inputs(&self, base: &str, head: &str, tree: &str) -> ContentId {
        let blob = |blob: Option<agentprov_model::GitBlobId>| blob.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let files = self.change.files.iter();
        let files = files.map(|file| format!("{} {} {}\n", blob(file.old.blob), blob(file.new.blob), file.path));
        digest(format!("{base}\n{head}\n{tree}\n{}", files.collect::<String>()).as_bytes())
    }
}

/// The envelope of a statement (DSSE), signed.
///
/// # Errors
/// [`ServerError::Statement`] where it can't be written.
pub fn seal(statement: &DecisionStatement, key: &SignerKey) -> Result<String, ServerError> {
    let refuse = |error: &dyn std::fmt::Display| ServerError::Statement(error.to_string());
    let payload = statement.to_bytes().map_err(|error| refuse(&error))?;
    let mut envelope = Envelope { payload_type: IN_TOTO.to_owned(), payload, signatures: Vec::new() };
    envelope.add_signature(key);
    envelope.to_json().map_err(|error| refuse(&error))
}
