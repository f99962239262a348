//! What a check can say. Outcomes are never merged: forged is not unsigned, cut is not altered.

use serde::Serialize;

/// The outcome of a check, or of a whole verification.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It holds.
    Valid,
    /// A signature names a trusted key and is not by it.
    InvalidSignature,
    /// There is no signature.
    Unsigned,
    /// It is signed, by no key that is trusted.
    UnknownKey,
    /// It is well signed, for another log.
    SubjectMismatch,
    /// Parts that must fit do not: a hash, a root, a parent, a number.
    BrokenLink,
    /// A fact's bytes are not those that were signed.
    AlteredFact,
    /// A fact's bytes are gone from within the log.
    MissingBody,
    /// The end of the log is gone.
    Truncated,
    /// There is more than was signed.
    ExtraFacts,
    /// A fact stands in the log twice.
    Duplicate,
    /// Facts stand in another order than was signed.
    Reordered,
    /// The log is an older state than one that was seen or sealed.
    Rollback,
    /// The log contradicts a state that was seen or sealed.
    SplitView,
    /// It was removed.
    Removed,
    /// It is not in the ledger.
    Unlisted,
    /// It can't be read as what it should be.
    Malformed,
    /// A kept content has other bytes than its name says.
    CorruptContent,
    /// A kept content is gone.
    MissingContent,
    /// A content that git should hold is gone.
    ExternalMissing,
    /// Bodies of old events are gone by retention, and the log says so.
    Pruned,
    /// Not everything was seen.
    IncompleteCoverage,
    /// The recorder died before it had ended the recording.
    Interrupted,
    /// There is nothing to verify.
    Nothing,
}

impl Outcome {
    /// The name as it stands in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::InvalidSignature => "invalid-signature",
            Self::Unsigned => "unsigned",
            Self::UnknownKey => "unknown-key",
            Self::SubjectMismatch => "subject-mismatch",
            Self::BrokenLink => "broken-link",
            Self::AlteredFact => "altered-fact",
            Self::MissingBody => "missing-body",
            Self::Truncated => "truncated",
            Self::ExtraFacts => "extra-facts",
            Self::Duplicate => "duplicate",
            Self::Reordered => "reordered",
            Self::Rollback => "rollback",
            Self::SplitView => "split-view",
            Self::Removed => "removed",
            Self::Unlisted => "unlisted",
            Self::Malformed => "malformed",
            Self::CorruptContent => "corrupt-content",
            Self::MissingContent => "missing-content",
            Self::ExternalMissing => "external-missing",
            Self::Pruned => "pruned",
            Self::IncompleteCoverage => "incomplete-coverage",
            Self::Interrupted => "interrupted",
            Self::Nothing => "nothing",
        }
    }

    /// How much weight the outcome has.
    pub const fn weight(self) -> Weight {
        match self {
            Self::Valid => Weight::Good,
            Self::Pruned | Self::IncompleteCoverage | Self::Interrupted => Weight::Warning,
            Self::ExternalMissing | Self::Nothing => Weight::Undecided,
            _ => Weight::Bad,
        }
    }
}

/// How much weight an outcome has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Weight {
    /// Nothing is wrong.
    Good,
    /// Nothing is wrong with what is there, but something is to be known.
    Warning,
    /// It can't be told.
    Undecided,
    /// It does not hold.
    Bad,
}

/// What a verification comes to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every check passed or was skipped for a reason that is no failure.
    Verified,
    /// It could not be decided.
    Undecided,
    /// At least one check failed.
    Failed,
}

impl Verdict {
    /// Exit status of a command that prints it.
    pub const fn exit_status(self) -> u8 {
        match self {
            Self::Verified => 0,
            Self::Failed => 1,
            Self::Undecided => 3,
        }
    }

    /// The verdict over findings of these weights; one more never softens it.
    pub fn over(weights: impl Iterator<Item = Weight>) -> Self {
        match weights.max() {
            Some(Weight::Bad) => Self::Failed,
            Some(Weight::Undecided) => Self::Undecided,
            Some(Weight::Good | Weight::Warning) | None => Self::Verified,
        }
    }
}

/// Where something was found.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Place {
    /// First leaf that it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaf: Option<u64>,
    /// One past the last leaf, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaf_end: Option<u64>,
    /// Bytes of the leaf's body, from and to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<(u64, u64)>,
    /// Entry of the ledger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger_entry: Option<u64>,
    /// Name of a thing: a content hash, a process, an attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Place {
    pub(super) fn leaf(leaf: u64) -> Self {
        Self { leaf: Some(leaf), ..Self::default() }
    }

    pub(super) fn leaves(from: u64, to: u64) -> Self {
        Self { leaf: Some(from), leaf_end: Some(to), ..Self::default() }
    }

    pub(super) fn entry(entry: u64) -> Self {
        Self { ledger_entry: Some(entry), ..Self::default() }
    }

    pub(super) fn name(name: impl ToString) -> Self {
        Self { name: Some(name.to_string()), ..Self::default() }
    }
}

/// Something that a check found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// What it is.
    pub outcome: Outcome,
    /// Where.
    pub place: Place,
    /// In words.
    pub message: String,
}

impl Finding {
    pub(super) fn new(outcome: Outcome, place: Place, message: impl Into<String>) -> Self {
        Self { outcome, place, message: message.into() }
    }
}

/// State of a check.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// It was made and nothing is wrong.
    Pass,
    /// It was made, and something is to be known that is no failure.
    Warning,
    /// It could not be decided.
    Undecided,
    /// It failed.
    Fail,
    /// It was not made.
    Skipped,
}

/// One check.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// How it went.
    pub state: CheckState,
    /// What it found; empty where it passed or was skipped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// Findings in all, where not all are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding_count: Option<u64>,
    /// What was examined, or why it was skipped.
    pub note: String,
}

/// Most findings of one check that are listed.
const LISTED: usize = 20;

impl Check {
    /// A check that was made: `examined` says of what.
    pub(super) fn made(name: &'static str, mut findings: Vec<Finding>, examined: impl Into<String>) -> Self {
        let state = match findings.iter().map(|finding| finding.outcome.weight()).max() {
            None | Some(Weight::Good) => CheckState::Pass,
            Some(Weight::Warning) => CheckState::Warning,
            Some(Weight::Undecided) => CheckState::Undecided,
            Some(Weight::Bad) => CheckState::Fail,
        };
        // The heaviest are listed; their order among each other stays.
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.outcome.weight()));
        let count = findings.len();
        findings.truncate(LISTED);
        Self { name, state, findings, finding_count: (count > LISTED).then_some(count as u64), note: examined.into() }
    }

    /// A check that was not made.
    pub(super) fn skipped(name: &'static str, why: impl Into<String>) -> Self {
        Self { name, state: CheckState::Skipped, findings: Vec::new(), finding_count: None, note: why.into() }
    }

    pub(super) fn weight(&self) -> Weight {
        self.findings.iter().map(|finding| finding.outcome.weight()).max().unwrap_or(Weight::Good)
    }
}
