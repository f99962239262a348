//! Statements about who wrote or removed a line, with their evidence.

use crate::lines::LineNumber;
use agentprov_model::Basis;
use serde::{Deserialize, Serialize, Serializer};

/// Place of a claim in the table of an attribution.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(transparent)]
pub struct ClaimId(pub(crate) u32);

impl ClaimId {
    /// As an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// How a claim was found, the strongest evidence first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A recorded process wrote the very content in which the line came.
    RecordedVersion,
    /// The line is preserved from a recorded version of the file; the content itself was not recorded.
    PreservedLine,
    /// A claim on this very line that a trusted key signed, by recordings of its own.
    SignedClaim,
    /// A file of evidence whose key is not trusted, or which does not show that the line came with the fact.
    EvidenceFile,
    /// A record of the Agent Trace format, which anybody may write.
    AgentTrace,
    /// A git-ai note, which anybody may write.
    GitAiNote,
    /// A trailer of the commit that brought the line.
    CommitTrailer,
    /// The author of the commit that brought the line is an agent's account.
    CommitAuthor,
    /// Whoever posted the change said so.
    Payload,
}

impl Method {
    /// The name as it stands in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RecordedVersion => "recorded_version",
            Self::PreservedLine => "preserved_line",
            Self::SignedClaim => "signed_claim",
            Self::EvidenceFile => "evidence_file",
            Self::AgentTrace => "agent_trace",
            Self::GitAiNote => "git_ai_note",
            Self::CommitTrailer => "commit_trailer",
            Self::CommitAuthor => "commit_author",
            Self::Payload => "payload",
        }
    }

    /// On what ground claims of this kind stand.
    pub const fn basis(self) -> Basis {
        match self {
            Self::RecordedVersion => Basis::Observed,
            Self::PreservedLine | Self::SignedClaim => Basis::Derived,
            Self::EvidenceFile
            | Self::AgentTrace
            | Self::GitAiNote
            | Self::CommitTrailer
            | Self::CommitAuthor
            | Self::Payload => Basis::Asserted,
        }
    }

    /// How much a claim of this kind is worth.
    pub const fn confidence(self) -> Confidence {
        Confidence(match self {
            Self::RecordedVersion => 100,
            Self::PreservedLine => 90,
            Self::SignedClaim => 80,
            Self::EvidenceFile | Self::AgentTrace | Self::GitAiNote => 60,
            Self::CommitTrailer | Self::CommitAuthor | Self::Payload => 50,
        })
    }
}

/// From 0 to 1, in hundredths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Confidence(u8);

impl Confidence {
    /// As a share of 1.
    pub fn share(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

impl Serialize for Confidence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.share())
    }
}

/// Who is named.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "snake_case")]
pub enum Author {
    /// A coding agent.
    Agent(String),
    /// Somebody says that a person wrote it.
    Human(String),
    /// A recorded command of which it is not known whether it is an agent.
    Command(String),
}

impl Author {
    /// The name.
    pub fn name(&self) -> &str {
        match self {
            Self::Agent(name) | Self::Human(name) | Self::Command(name) => name,
        }
    }

    /// Whether both can't be true of one line.
    pub(crate) fn contradicts(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Agent(a), Self::Agent(b)) => a != b,
            (Self::Agent(_), Self::Human(_)) | (Self::Human(_), Self::Agent(_)) => true,
            // A command may be what an agent or a person ran.
            _ => false,
        }
    }
}

/// A process that may have written.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize)]
pub struct Writer {
    /// Process.
    pub process_id: String,
    /// What it ran, as a shell line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// The recorded deed beneath a claim.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize)]
pub struct Deed {
    /// Run.
    pub run_id: String,
    /// Process; absent where several had the file open for writing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_id: Option<String>,
    /// What it ran, as a shell line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The processes of which one wrote, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<Writer>,
    /// Attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt_id: Option<String>,
    /// Session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Tool call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// The fact.
    pub event_id: String,
    /// Its leaf in the log of the run.
    pub seq: u64,
    /// When, RFC 3339.
    pub at: String,
    /// Path under which it was written.
    pub path: String,
}

/// A statement about who wrote or removed a line.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize)]
pub struct Claim {
    /// How it was found.
    pub method: Method,
    /// On what ground it stands.
    pub basis: Basis,
    /// What it is worth.
    pub confidence: Confidence,
    /// Who.
    pub author: Author,
    /// Session that somebody names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Model that somebody names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The recorded deed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deed: Option<Deed>,
    /// Where it is said: a commit, a trailer, a note.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said_in: Option<String>,
}

impl Claim {
    /// A claim that rests on somebody's word.
    pub(crate) fn said(method: Method, author: Author, said_in: impl Into<String>) -> Self {
        Self {
            method,
            basis: method.basis(),
            confidence: method.confidence(),
            author,
            session: None,
            model: None,
            deed: None,
            said_in: Some(said_in.into()),
        }
    }
}

/// What is known of who wrote or removed a line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LineStatus {
    /// Exactly one author fits the strongest evidence.
    Owned,
    /// Several fit.
    Ambiguous,
    /// There is no evidence. That does not make it a person's.
    Unknown,
}

/// Which side of the change a line is on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineSide {
    /// The change adds it; its number is that after the change.
    Added,
    /// The change removes it; its number is that before the change.
    Removed,
}

/// A changed line and who wrote, or removed, it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LineAttribution {
    /// Number.
    pub line: LineNumber,
    /// Side.
    pub side: LineSide,
    /// What is known.
    pub status: LineStatus,
    /// Everything that is said, the strongest first. The owner is the author of the first where the status says owned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<ClaimId>,
    /// Whose lines a formatter or another author rewrote into this one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<ClaimId>,
    /// The claims name authors that can't all be right.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub contradicted: bool,
    /// The commit of the range that brought or removed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Why nobody is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The changed lines of a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FileAttribution {
    /// The file.
    pub path: String,
    /// Lines that the change adds, then those that it removes, each by number.
    pub lines: Vec<LineAttribution>,
}

impl FileAttribution {
    /// The entry of a line.
    pub fn line(&self, side: LineSide, line: LineNumber) -> Option<&LineAttribution> {
        self.lines.iter().find(|entry| entry.side == side && entry.line == line)
    }
}

/// Who wrote and removed the lines of a change.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Attribution {
    /// What is said, each once.
    pub claims: Vec<Claim>,
    /// Files, in the order of the change.
    pub files: Vec<FileAttribution>,
    /// Sources that could not be read, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
}

impl Attribution {
    /// The claim.
    pub fn claim(&self, id: ClaimId) -> &Claim {
        &self.claims[id.index()]
    }

    /// The claim that names the one owner of a line.
    pub fn owner(&self, line: &LineAttribution) -> Option<&Claim> {
        let first = line.claims.first().filter(|_| line.status == LineStatus::Owned)?;
        Some(self.claim(*first))
    }
}
