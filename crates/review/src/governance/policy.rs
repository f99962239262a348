//! The settings that decide.

use crate::detect::DetectorSetting;
use crate::finding::Severity;
use crate::governance::outcome::Outcome;
use crate::governance::waivers::Waivers;
use agentprov_log::VerifierKey;
use agentprov_model::Basis;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// From which count on something follows. Unset is never; 0 is always.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Warn from here on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn: Option<u64>,
    /// Block from here on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<u64>,
}

impl Limits {
    /// Warns from the first on.
    pub const WARN: Self = Self { warn: Some(1), block: None };
    /// Blocks from the first on.
    pub const BLOCK: Self = Self { warn: None, block: Some(1) };

    /// That this follows from the first on.
    pub const fn first(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Allow => Self { warn: None, block: None },
            Outcome::Warn => Self::WARN,
            Outcome::Block => Self::BLOCK,
        }
    }

    /// What follows from a count, and the threshold that it reached.
    pub fn reached(&self, count: u64) -> Option<(Outcome, u64)> {
        let of = |outcome, limit: Option<u64>| limit.filter(|limit| count >= *limit).map(|limit| (outcome, limit));
        of(Outcome::Block, self.block).or_else(|| of(Outcome::Warn, self.warn))
    }
}

/// The settings that decide.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Label that decisions carry.
    pub label: String,
    /// By severity of open findings.
    pub severity: BTreeMap<Severity, Limits>,
    /// By category of open findings.
    pub category: BTreeMap<String, Limits>,
    /// Lines without an owner.
    pub unknown_lines: Limits,
    /// The weakest ground on which a line counts as owned.
    pub minimum_basis: Basis,
    /// Lines whose claims contradict each other.
    pub contradictions: Limits,
    /// What was not scanned.
    pub coverage_gaps: Limits,
    /// Changes of the policy in the change that it judges.
    pub policy_changes: Limits,
    /// Blocks by bots that were merged over.
    pub bot_block_overrides: Limits,
    /// Forced pushes after an approval.
    pub force_push_after_approval: Limits,
    /// Public keys whose evidence is believed, as C2SP verifier keys.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub evidence_keys: BTreeSet<String>,
    /// Public keys whose waivers count beside those of the store's own key, as C2SP verifier keys.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub waiver_keys: BTreeSet<String>,
    /// Detectors of the user's, beside the engines that are always there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detectors: Vec<DetectorSetting>,
    /// Findings that somebody answered for, as of the time of the review.
    #[serde(default, skip_serializing_if = "Waivers::is_empty")]
    pub waivers: Waivers,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            label: "2024-06-01".into(),
            severity: BTreeMap::from([(Severity::Critical, Limits::BLOCK), (Severity::High, Limits::WARN)]),
            category: BTreeMap::new(),
            unknown_lines: Limits::default(),
            minimum_basis: Basis::Asserted,
            contradictions: Limits::WARN,
            coverage_gaps: Limits::WARN,
            policy_changes: Limits::WARN,
            bot_block_overrides: Limits::WARN,
            force_push_after_approval: Limits::WARN,
            evidence_keys: BTreeSet::new(),
            waiver_keys: BTreeSet::new(),
            detectors: Vec::new(),
            waivers: Waivers::default(),
        }
    }
}

impl Policy {
    /// Blocks from the first line without an owner on, and from the first override of a bot.
    pub fn block_on_unknown(&mut self, block: bool) {
        let limit = block.then_some(1);
        self.unknown_lines.block = limit;
        self.bot_block_overrides.block = limit;
    }

    /// The keys whose waivers count, besides the store's own.
    pub fn waiver_verifiers(&self) -> Vec<VerifierKey> {
        // Whoever sets one has parsed it before.
        self.waiver_keys.iter().filter_map(|key| VerifierKey::parse(key).ok()).collect()
    }

    /// SHA-256 over the settings and the waivers, in hex.
    pub fn digest(&self) -> String {
        let settings = serde_json::to_vec(&(self, &self.waivers)).unwrap_or_default();
        data_encoding::HEXLOWER.encode(&Sha256::digest(settings))
    }

    /// Label and digest: what a decision names as its policy.
    pub fn version(&self) -> String {
        format!("{}+{}", self.label, &self.digest()[..12])
    }

    /// Whether claims on that ground make a line owned.
    pub fn accepts(&self, basis: Basis) -> bool {
        strength(basis) >= strength(self.minimum_basis)
    }
}

/// What was seen is worth more than what was computed from it, and that more than what was said.
const fn strength(basis: Basis) -> u8 {
    match basis {
        Basis::Asserted => 0,
        Basis::Derived => 1,
        Basis::Observed => 2,
    }
}
