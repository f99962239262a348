//! The DSSE 1.0.2 envelope.

use crate::base64;
use crate::json::{self, JsonError};
use crate::trust::key_id;
use agentprov_log::SignerKey;
use serde::Serialize;
use serde_json::{Map, Value};

/// `payloadType` of an in-toto statement.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";
/// The most signatures that are read.
pub const MAX_SIGNATURES: usize = 100;

/// What a signature covers: `DSSEv1 SP len(type) SP type SP len(body) SP body`.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// Why bytes are no envelope.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// The document is no JSON in which every name has one value.
    #[error("the envelope: {0}")]
    Json(#[from] JsonError),
    /// A member is missing or of another type.
    #[error("the envelope has no usable member {0:?}")]
    Member(&'static str),
    /// The payload or a signature is no base64 in its one spelling.
    #[error("{0:?} is no canonical base64")]
    Base64(&'static str),
    /// More signatures than are read.
    #[error("{0} signatures, more than {MAX_SIGNATURES}")]
    TooManySignatures(usize),
}

/// A payload, its type, and who signed it. Nothing in it is true before it is verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    /// The media type of the payload.
    pub payload_type: String,
    /// The bytes that the signatures cover, together with the type.
    pub payload: Vec<u8>,
    /// The signatures.
    pub signatures: Vec<EnvelopeSignature>,
}

/// One signature of an envelope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EnvelopeSignature {
    /// A hint at the key, which nothing vouches for.
    pub key_id: String,
    /// The signature's bytes.
    pub signature: Vec<u8>,
}

#[derive(Serialize)]
struct Wire<'a> {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: &'a str,
    signatures: Vec<WireSignature<'a>>,
}

#[derive(Serialize)]
struct WireSignature<'a> {
    keyid: &'a str,
    sig: String,
}

impl Envelope {
    /// An envelope with one signature.
    pub fn sign(payload_type: &str, payload: Vec<u8>, key: &SignerKey) -> Self {
        let mut envelope = Self { payload_type: payload_type.to_owned(), payload, signatures: Vec::new() };
        envelope.add_signature(key);
        envelope
    }

    /// Signs it with one more key.
    pub fn add_signature(&mut self, key: &SignerKey) {
        let signature = key.sign_bytes(&pae(&self.payload_type, &self.payload)).to_vec();
        self.signatures.push(EnvelopeSignature { key_id: key_id(&key.verifier()), signature });
    }

    /// Reads an envelope. Members that DSSE does not know are passed over, as it asks.
    ///
    /// # Errors
    /// [`EnvelopeError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let document = json::parse(bytes)?;
        let object = document.as_object().ok_or(EnvelopeError::Member("payload"))?;
        let payload_type = text(object, "payloadType")?.to_owned();
        let payload = base64::decode(text(object, "payload")?).ok_or(EnvelopeError::Base64("payload"))?;
        let listed = match object.get("signatures") {
            None => &[][..],
            Some(Value::Array(list)) => list,
            Some(_) => return Err(EnvelopeError::Member("signatures")),
        };
        if listed.len() > MAX_SIGNATURES {
            return Err(EnvelopeError::TooManySignatures(listed.len()));
        }
        let signatures = listed.iter().map(signature).collect::<Result<_, _>>()?;
        Ok(Self { payload_type, payload, signatures })
    }

    /// One line of JSON.
    ///
    /// # Errors
    /// When it can't be written as JSON.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let signatures = self.signatures.iter();
        serde_json::to_string(&Wire {
            payload: base64::encode(&self.payload),
            payload_type: &self.payload_type,
            signatures: signatures
                .map(|one| WireSignature { keyid: &one.key_id, sig: base64::encode(&one.signature) })
                .collect(),
        })
    }
}

fn signature(value: &Value) -> Result<EnvelopeSignature, EnvelopeError> {
    let object = value.as_object().ok_or(EnvelopeError::Member("signatures"))?;
    // DSSE: a field that is not set and an empty one are the same.
    let key_id = match object.get("keyid") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(id)) => id.clone(),
        Some(_) => return Err(EnvelopeError::Member("keyid")),
    };
    let signature = base64::decode(text(object, "sig")?).ok_or(EnvelopeError::Base64("sig"))?;
    Ok(EnvelopeSignature { key_id, signature })
}

fn text<'v>(object: &'v Map<String, Value>, name: &'static str) -> Result<&'v str, EnvelopeError> {
    object.get(name).and_then(Value::as_str).ok_or(EnvelopeError::Member(name))
}
