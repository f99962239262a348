//! A waiver under a signature, and what is said of one that does not count.
//!
//! A line of a file of waivers is a DSSE envelope whose payload is the waiver: finding, repository, reason, name, time and
//! last day are all signed. What no believed key signed clears nothing. It is still read, for two ends: the review says of
//! which finding it speaks and how to mend it, and a reopening counts whoever wrote it, for it only makes an outcome harder.

use crate::change::RepositoryId;
use crate::finding_id::FindingId;
use crate::governance::waiver::{Waiver, WaiverAction};
use agentprov_attest::{Envelope, Failure, TrustPolicy, json, verify};
use agentprov_log::{SignerKey, VerifierKey};
use agentprov_model::EventTime;
use serde::{Deserialize, Serialize};

/// Type of the payload of a signed waiver.
pub const PAYLOAD_TYPE: &str = "application/vnd.agentprov.waiver.v1+json";

/// A waiver that a believed key signed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SignedWaiver {
    /// What was signed.
    #[serde(flatten)]
    pub word: Waiver,
    /// Id of the key: hex of the SHA-256 of its SPKI.
    pub signed_by: String,
}

/// Why a waiver clears nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Nobody signed it.
    Unsigned,
    /// Signature and content do not fit each other.
    InvalidSignature,
    /// A key signed it that is not believed.
    UnknownKey,
    /// It is about another repository.
    OtherRepository,
    /// Which repository is reviewed can't be told.
    UnknownRepository,
}

impl Refusal {
    /// Why, in words.
    const fn message(self) -> &'static str {
        match self {
            Self::Unsigned => "it is not signed",
            Self::InvalidSignature => {
                "its signature is not by the key that it names, or it was altered after it was signed"
            }
            Self::UnknownKey => "it is signed by no key that is believed here",
            Self::OtherRepository => "it is about another repository",
            Self::UnknownRepository => {
                "which repository this is can't be told: its history was cut off, or has no commit"
            }
        }
    }

    /// What makes it count.
    fn to_clear(self, action: WaiverAction, finding: &FindingId) -> String {
        let again = match action {
            WaiverAction::Waive => format!("agentprov review waive {finding} --reason ... --until DATE"),
            WaiverAction::Suppress => format!("agentprov review suppress {finding} --reason ..."),
            WaiverAction::Reopen => format!("agentprov review reopen {finding} --reason ..."),
        };
        match self {
            Self::Unsigned => format!("sign it by writing it again: `{again}`"),
            Self::InvalidSignature => format!("have whoever answers for it write it again: `{again}`"),
            Self::UnknownKey => format!(
                "believe its key (--waiver-key KEYFILE, or waiver_keys in .agentprov-review.yaml), or write it again: \
                 `{again}`"
            ),
            Self::OtherRepository => format!("answer for the finding here too: `{again}`"),
            Self::UnknownRepository => "fetch the whole history (fetch-depth: 0)".to_owned(),
        }
    }
}

/// A waiver that clears nothing. What it says of itself is not vouched for by anybody.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RefusedWaiver {
    /// The finding that it names.
    pub finding: FindingId,
    /// What it says was decided.
    pub action: WaiverAction,
    /// Who it says decided.
    pub by: String,
    /// When it says that was.
    pub at: String,
    /// Why it does not count.
    pub why: Refusal,
    /// The same in words.
    pub message: String,
    /// What to do about it.
    pub to_clear: String,
}

impl RefusedWaiver {
    /// A word that does not count.
    pub(super) fn new(why: Refusal, finding: FindingId, action: WaiverAction, by: String, at: String) -> Self {
        let (message, to_clear) = (why.message().to_owned(), why.to_clear(action, &finding));
        Self { finding, action, by, at, why, message, to_clear }
    }
}

/// What stands in a line of a file of waivers, after its signature was checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Word {
    /// A believed key signed it.
    Signed(SignedWaiver),
    /// It clears nothing.
    Refused(RefusedWaiver),
}

/// As much as is needed to speak of a word that nobody vouches for.
#[derive(Deserialize)]
struct Bare {
    finding: FindingId,
    action: WaiverAction,
    #[serde(default)]
    by: String,
    #[serde(default)]
    at: String,
}

impl Waiver {
    /// The line of a file that says this under the signature of a key.
    ///
    /// # Errors
    /// When it can't be written as JSON.
    pub fn sign(&self, key: &SignerKey) -> Result<String, serde_json::Error> {
        Envelope::sign(PAYLOAD_TYPE, serde_json::to_vec(self)?, key).to_json()
    }
}

impl Word {
    /// Reads a line and checks its signature against the keys that are believed.
    ///
    /// # Errors
    /// Why the line says nothing that could be understood.
    pub fn open(line: &str, keys: &[VerifierKey]) -> Result<Self, String> {
        let value = json::parse(line.as_bytes()).map_err(|error| error.to_string())?;
        if value.get("payloadType").is_none() {
            let bare: Bare = serde_json::from_value(value).map_err(|error| error.to_string())?;
            return Ok(bare.refused(Refusal::Unsigned));
        }
        let envelope = Envelope::parse(line.as_bytes()).map_err(|error| error.to_string())?;
        let Err(why) = check(&envelope, line, keys) else {
            return signed(&envelope);
        };
        let value = json::parse(&envelope.payload).map_err(|error| error.to_string())?;
        let bare: Bare = serde_json::from_value(value).map_err(|error| error.to_string())?;
        Ok(bare.refused(why))
    }

    /// When it was said, by its own word.
    pub(super) fn at(&self) -> &str {
        match self {
            Self::Signed(waiver) => &waiver.word.at,
            Self::Refused(waiver) => &waiver.at,
        }
    }

    /// The same word for a review of a repository: a signed one that is about another does not count.
    pub(super) fn in_repository(self, here: Option<&RepositoryId>) -> Self {
        let Self::Signed(waiver) = self else { return self };
        let why = match here {
            None => Refusal::UnknownRepository,
            Some(here) if *here != waiver.word.repository => Refusal::OtherRepository,
            Some(_) => return Self::Signed(waiver),
        };
        let word = waiver.word;
        Self::Refused(RefusedWaiver::new(why, word.finding, word.action, word.by, word.at))
    }
}

impl Bare {
    fn refused(self, why: Refusal) -> Word {
        Word::Refused(RefusedWaiver::new(why, self.finding, self.action, self.by, self.at))
    }
}

/// One signature, by a key that is believed and that it names, over exactly what the line holds.
fn check(envelope: &Envelope, line: &str, keys: &[VerifierKey]) -> Result<(), Refusal> {
    // The keys in question have no end; a time is asked for and changes nothing.
    let policy = TrustPolicy::any_of(keys.iter().cloned(), EventTime::from_nanos(0));
    let verified = verify(envelope, &policy, &[PAYLOAD_TYPE]).map_err(|failure| match failure {
        Failure::Unsigned => Refusal::Unsigned,
        Failure::UnknownKey => Refusal::UnknownKey,
        _ => Refusal::InvalidSignature,
    })?;
    let named: Vec<&str> = envelope.signatures.iter().map(|one| one.key_id.as_str()).collect();
    let one_spelling = envelope.to_json().is_ok_and(|written| written == line);
    if named.len() == 1 && verified.key_ids == named && one_spelling { Ok(()) } else { Err(Refusal::InvalidSignature) }
}

/// The payload of an envelope that was checked.
fn signed(envelope: &Envelope) -> Result<Word, String> {
    json::parse(&envelope.payload).map_err(|error| error.to_string())?;
    let word: Waiver = serde_json::from_slice(&envelope.payload).map_err(|error| error.to_string())?;
    let written = serde_json::to_vec(&word).map_err(|error| error.to_string())?;
    if written != envelope.payload {
        return Err("it says more than a waiver says, or in another order".to_owned());
    }
    if let Some(mistake) = word.mistake() {
        return Err(mistake.to_owned());
    }
    let signed_by = envelope.signatures.first().map(|one| one.key_id.clone()).unwrap_or_default();
    Ok(Word::Signed(SignedWaiver { word, signed_by }))
}
