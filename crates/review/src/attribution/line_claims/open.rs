//! Reads a file of claims and checks every signature.

use crate::attribution::evidence::EvidenceError;
use crate::attribution::line_claims::document::{LineClaim, PAYLOAD_TYPE};
use agentprov_attest::{Envelope, Failure, TrustPolicy, json, key_id, verify};
use agentprov_log::VerifierKey;
use agentprov_model::EventTime;

/// Bytes of a file.
const MAX_BYTES: usize = 64 << 20;

/// Claims whose signatures hold.
#[derive(Clone, Debug)]
pub struct LineClaims {
    /// What the file is called in claims.
    pub(super) name: String,
    /// Each with whether its key is one that the reviewer trusts.
    pub(super) claims: Vec<(LineClaim, bool)>,
}

impl LineClaims {
    /// Whether bytes are of this form, to tell files of evidence apart. It checks nothing.
    pub fn are_in(bytes: &[u8]) -> bool {
        let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        Envelope::parse(first).is_ok_and(|envelope| envelope.payload_type == PAYLOAD_TYPE)
    }

    /// Reads a file. `trusted` are the keys that the reviewer believes.
    ///
    /// # Errors
    /// [`EvidenceError`], the reason for which the whole file is refused.
    pub fn open(name: &str, bytes: &[u8], trusted: &[VerifierKey]) -> Result<Self, EvidenceError> {
        if bytes.len() > MAX_BYTES {
            return Err(EvidenceError::Malformed(format!("{} bytes, more than {MAX_BYTES}", bytes.len())));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| EvidenceError::Malformed("it is no UTF-8".into()))?;
        let Some(text) = text.strip_suffix('\n') else {
            return Err(EvidenceError::Truncated("the end of the last line is missing".into()));
        };
        let claims = text.split('\n').enumerate().map(|(at, line)| open(line, at + 1, trusted));
        Ok(Self { name: name.to_owned(), claims: claims.collect::<Result<_, _>>()? })
    }
}

fn open(text: &str, number: usize, trusted: &[VerifierKey]) -> Result<(LineClaim, bool), EvidenceError> {
    let malformed = |why: String| EvidenceError::Malformed(format!("line {number}: {why}"));
    let altered = |why: String| EvidenceError::Altered(format!("line {number}: {why}"));
    let envelope = Envelope::parse(text.as_bytes()).map_err(|error| match Failure::from(error) {
        Failure::Truncated(why) => EvidenceError::Truncated(format!("line {number}: {why}")),
        failure => malformed(failure.to_string()),
    })?;
    // The key is named in what it signs; believed is it only where the reviewer names it too.
    json::parse(&envelope.payload).map_err(|error| malformed(error.to_string()))?;
    let claim: LineClaim = serde_json::from_slice(&envelope.payload).map_err(|error| malformed(error.to_string()))?;
    let key = VerifierKey::parse(&claim.key).map_err(|error| malformed(error.to_string()))?;
    let policy = TrustPolicy::any_of([key.clone()], EventTime::from_nanos(0));
    let verified = verify(&envelope, &policy, &[PAYLOAD_TYPE]).map_err(|failure| altered(failure.to_string()))?;
    let named: Vec<&str> = envelope.signatures.iter().map(|one| one.key_id.as_str()).collect();
    if named.len() != 1 || verified.key_ids != named {
        return Err(altered("the key id beside the signature is another".into()));
    }
    let payload = serde_json::to_vec(&claim).map_err(|error| malformed(error.to_string()))?;
    let written = envelope.to_json().map_err(|error| malformed(error.to_string()))?;
    if payload != envelope.payload || written != text {
        return Err(malformed("it is not spelled as it is written".into()));
    }
    let is_trusted = trusted.iter().any(|one| one.name() == key.name() && key_id(one) == key_id(&key));
    Ok((claim, is_trusted))
}
