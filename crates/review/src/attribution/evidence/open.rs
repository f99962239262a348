//! Reads a file and checks everything that it says of itself.

use crate::attribution::evidence::document::{Document, FilePart, LogPart, PAYLOAD_TYPE, Unsigned, digest, schema};
use crate::attribution::evidence::facts::LogFacts;
use crate::lines::LineNumber;
use agentprov_attest::json::JsonError;
use agentprov_attest::{Envelope, TrustPolicy, base64, json, key_id, verify};
use agentprov_log::proof_file::ProofPolicy;
use agentprov_log::{Hash, ProofFile, SignedNote, VerifierKey, leaf_hash};
use agentprov_model::{EventTime, Fact};

/// Bytes of a file.
const MAX_BYTES: usize = 64 << 20;
/// Keys, logs.
const MAX_PARTS: usize = 10_000;

/// Why a file is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EvidenceError {
    /// It ends in the middle.
    #[error("it was cut: {0}")]
    Truncated(String),
    /// It is not evidence in its one spelling.
    #[error("it is malformed or was altered: {0}")]
    Malformed(String),
    /// What it holds is not what was written.
    #[error("it was altered: {0}")]
    Altered(String),
    /// A fact is not in the log that it names.
    #[error("fact {seq} of run '{run}' is not proved: {why}")]
    Unproved {
        /// Run.
        run: String,
        /// Leaf.
        seq: u64,
        /// What does not hold.
        why: String,
    },
    /// It is about lines of another repository.
    #[error("it is about another repository ({0})")]
    OtherRepository(String),
    /// Its claims are bound to a repository, and nothing tells which one this is.
    #[error("which repository this is can't be told: its history was cut off (fetch-depth: 0)")]
    UnknownRepository,
    /// Its claims are bound to commits, of which the change has none.
    #[error("none of its claims is about a commit of this change")]
    NoCommitOfThis,
    /// It is about something else.
    #[error("it is about another change ({base}..{head}): no file of it is one of this change")]
    Foreign {
        /// Commit before.
        base: String,
        /// Commit after.
        head: String,
    },
}

/// Evidence whose proofs hold.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// What it is called in claims.
    pub(super) name: String,
    pub(super) base: String,
    pub(super) head: String,
    pub(super) logs: Vec<LogFacts>,
    pub(super) files: Vec<FilePart>,
    /// A key that the reviewer trusts signed the file.
    pub(super) signed: bool,
    /// Keys that the file names.
    pub(super) keys: Vec<VerifierKey>,
}

impl Evidence {
    /// Reads a file and checks its digest or signature and every proof in it. `trusted` are the keys that the
    /// reviewer believes.
    ///
    /// # Errors
    /// [`EvidenceError`], the reason for which the whole file is refused.
    pub fn open(name: &str, bytes: &[u8], trusted: &[VerifierKey]) -> Result<Self, EvidenceError> {
        if bytes.len() > MAX_BYTES {
            return Err(EvidenceError::Malformed(format!("{} bytes, more than {MAX_BYTES}", bytes.len())));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("it is no UTF-8"))?;
        // Names that stand twice are refused before anything is read.
        let value = json::parse(bytes).map_err(|error| match error {
            JsonError::Truncated(_) => EvidenceError::Truncated(error.to_string()),
            _ => malformed(error),
        })?;
        let (document, envelope) = match value.get("payloadType") {
            Some(_) => signed(bytes, text)?,
            None => (unsigned(text)?, None),
        };
        if document.schema_version != schema() {
            return Err(malformed(format!("its schema is '{}', not '{}'", document.schema_version, schema())));
        }
        let most = document.keys.len().max(document.logs.len());
        if most > MAX_PARTS {
            return Err(malformed(format!("{most} keys or logs, more than {MAX_PARTS}")));
        }
        let keys = document.keys.iter().map(|key| VerifierKey::parse(key)).collect::<Result<Vec<_>, _>>();
        let keys = keys.map_err(malformed)?;
        if let Some(envelope) = &envelope {
            check_signature(envelope, &keys)?;
        }
        let believed: Vec<VerifierKey> = keys.iter().filter(|key| is_trusted(key, trusted)).cloned().collect();
        let signed = envelope.as_ref().is_some_and(|envelope| is_signed_by(envelope, &believed));
        let logs = document.logs.iter().map(|log| open_log(log, &keys, &believed)).collect::<Result<Vec<_>, _>>()?;
        document.files.iter().try_for_each(|file| check_lines(file, &logs))?;
        let Document { base, head, files, .. } = document;
        Ok(Self { name: name.to_owned(), base, head, logs, files, signed, keys })
    }

    /// Whether the file is signed by a key that the reviewer trusts.
    pub fn is_signed_by_trusted_key(&self) -> bool {
        self.signed
    }
}

fn malformed(why: impl ToString) -> EvidenceError {
    EvidenceError::Malformed(why.to_string())
}

fn unsigned(text: &str) -> Result<Document, EvidenceError> {
    let read: Unsigned = serde_json::from_str(text).map_err(malformed)?;
    one_spelling(&serde_json::to_string(&read).map_err(malformed)?, text)?;
    if read.digest != digest(&read.evidence).map_err(malformed)? {
        return Err(EvidenceError::Altered("its digest is another".into()));
    }
    Ok(read.evidence)
}

fn signed(bytes: &[u8], text: &str) -> Result<(Document, Option<Envelope>), EvidenceError> {
    let envelope = Envelope::parse(bytes).map_err(malformed)?;
    one_spelling(&envelope.to_json().map_err(malformed)?, text)?;
    json::parse(&envelope.payload).map_err(malformed)?;
    let document = serde_json::from_slice(&envelope.payload).map_err(malformed)?;
    Ok((document, Some(envelope)))
}

/// Nothing stands in a file that no digest or signature covers.
fn one_spelling(written: &str, text: &str) -> Result<(), EvidenceError> {
    match text.strip_suffix('\n') {
        Some(line) if line == written => Ok(()),
        None if text == written => Err(EvidenceError::Truncated("the end of the line is missing".into())),
        _ => Err(malformed("it is not spelled as it is written")),
    }
}

/// Every signature is by a key that the file names, and says so.
fn check_signature(envelope: &Envelope, keys: &[VerifierKey]) -> Result<(), EvidenceError> {
    let policy = TrustPolicy::any_of(keys.iter().cloned(), EventTime::from_nanos(0));
    let verified = verify(envelope, &policy, &[PAYLOAD_TYPE]);
    let verified = verified.map_err(|failure| EvidenceError::Altered(failure.to_string()))?;
    let claimed: Vec<&str> = envelope.signatures.iter().map(|one| one.key_id.as_str()).collect();
    if claimed.len() != 1 || verified.key_ids != claimed {
        return Err(EvidenceError::Altered("the key id beside the signature is another".into()));
    }
    Ok(())
}

fn is_signed_by(envelope: &Envelope, keys: &[VerifierKey]) -> bool {
    let policy = TrustPolicy::any_of(keys.iter().cloned(), EventTime::from_nanos(0));
    verify(envelope, &policy, &[PAYLOAD_TYPE]).is_ok_and(|verified| !verified.key_ids.is_empty())
}

fn is_trusted(key: &VerifierKey, trusted: &[VerifierKey]) -> bool {
    trusted.iter().any(|one| one.name() == key.name() && key_id(one) == key_id(key))
}

fn open_log(log: &LogPart, keys: &[VerifierKey], believed: &[VerifierKey]) -> Result<LogFacts, EvidenceError> {
    let note = SignedNote::parse(&log.checkpoint)
        .map_err(|error| EvidenceError::Altered(format!("the head of run '{}' can't be read: {error}", log.run_id)))?;
    let trusted = believed.iter().any(|key| {
        let origin = origin(key, &log.run_id);
        agentprov_log::Checkpoint::open_note(&note, Some(&origin), std::slice::from_ref(key)).is_ok()
    });
    let mut facts = LogFacts::new(log.run_id.clone(), trusted);
    let mut next = 0;
    for part in &log.facts {
        let unproved = |why: String| EvidenceError::Unproved { run: log.run_id.clone(), seq: part.seq, why };
        if part.seq < next {
            return Err(unproved("the facts are not in their order".into()));
        }
        next = part.seq.saturating_add(1);
        let body = base64::decode(&part.body).ok_or_else(|| unproved("its bytes are no base64".into()))?;
        let proof = part.proof.iter().map(|hash| Hash::from_base64(hash)).collect::<Result<Vec<_>, _>>();
        let proof = proof.map_err(|error| unproved(error.to_string()))?;
        let file = ProofFile { extra: None, index: part.seq, proof, checkpoint: note.clone() };
        check_proof(&file, &body, keys, &log.run_id).map_err(unproved)?;
        let fact = Fact::from_body(&body).map_err(|error| unproved(error.to_string()))?;
        facts.add(part.seq, fact);
    }
    Ok(facts)
}

/// The log of a run has the name of its store's key and of the run, so that no proof serves for another run.
fn origin(key: &VerifierKey, run: &str) -> String {
    format!("{}/run/{run}", key.name())
}

fn check_proof(file: &ProofFile, body: &[u8], keys: &[VerifierKey], run: &str) -> Result<(), String> {
    let leaf = leaf_hash(body);
    let mut why = "the file names no key".to_owned();
    for key in keys {
        let origin = origin(key, run);
        let log_keys = std::slice::from_ref(key);
        let policy = ProofPolicy { origin: &origin, log_keys, witnesses: &[], quorum: 0 };
        match file.verify(&leaf, &policy) {
            Ok(_) => return Ok(()),
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}

/// Ranges are in order, and what they name is there.
fn check_lines(file: &FilePart, logs: &[LogFacts]) -> Result<(), EvidenceError> {
    let wrong = |what: &str| malformed(format!("{}: {what}", file.path));
    let mut before: Option<(crate::attribution::LineSide, LineNumber)> = None;
    for part in &file.lines {
        let in_order = before.is_none_or(|last| last < (part.side, part.first));
        if part.last < part.first || !in_order {
            return Err(wrong("lines are not in their order"));
        }
        before = Some((part.side, part.last));
        if part.claims.is_empty() {
            return Err(wrong("lines without a fact"));
        }
        for one in part.claims.iter().chain(&part.earlier) {
            if logs.get(one.log).and_then(|log| log.version(one.seq)).is_none() {
                return Err(wrong("a fact that is named is not in the file"));
            }
        }
    }
    Ok(())
}
