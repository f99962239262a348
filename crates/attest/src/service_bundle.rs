//! The decision bundle in the envelope and with the payload keys of the existing review service.
//!
//! The envelope is DSSE with `payloadSha256` beside it. That service signs the payload without its type; here the
//! signature is DSSE's, and the old form verifies as [`Failure::LegacyUnbound`] only.

use crate::base64;
use crate::envelope::{Envelope, EnvelopeError, pae};
use crate::json;
use crate::trust::{TrustPolicy, key_id};
use crate::verify::{Failure, Verified, verify};
use agentprov_log::SignerKey;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// `payloadType` of the bundle.
pub const PAYLOAD_TYPE: &str = "application/provenance.decision+json";

/// The bundle as it is served.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceBundle {
    /// [`PAYLOAD_TYPE`].
    pub payload_type: String,
    /// Base64 of compact JSON with sorted names, ASCII only.
    pub payload: String,
    /// Hex of the payload's SHA-256.
    pub payload_sha256: String,
    /// One a key.
    pub signatures: Vec<BundleSignature>,
}

/// A signature of a bundle.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BundleSignature {
    /// A hint at the key.
    pub keyid: String,
    /// Base64 of 64 bytes.
    pub sig: String,
}

impl ServiceBundle {
    /// Signs a payload with every key.
    pub fn sign(payload: &Value, keys: &[SignerKey]) -> Self {
        let bytes = canonical(payload).into_bytes();
        let message = pae(PAYLOAD_TYPE, &bytes);
        let signatures = keys.iter().map(|key| BundleSignature {
            keyid: key_id(&key.verifier()),
            sig: base64::encode(&key.sign_bytes(&message)),
        });
        Self {
            payload_type: PAYLOAD_TYPE.to_owned(),
            payload_sha256: HEXLOWER.encode(&Sha256::digest(&bytes)),
            payload: base64::encode(&bytes),
            signatures: signatures.collect(),
        }
    }
}

/// Reads a bundle and checks its digest and signatures.
///
/// # Errors
/// [`Failure`].
pub fn verify_bundle(bytes: &[u8], policy: &TrustPolicy) -> Result<Verified, Failure> {
    let envelope = Envelope::parse(bytes)?;
    let document = json::parse(bytes).map_err(EnvelopeError::Json)?;
    let stated = document.get("payloadSha256").and_then(Value::as_str);
    let verified = verify(&envelope, policy, &[PAYLOAD_TYPE])?;
    if stated != Some(HEXLOWER.encode(&Sha256::digest(&verified.payload)).as_str()) {
        return Err(Failure::Malformed("payloadSha256 is not the digest of the payload".into()));
    }
    Ok(verified)
}

/// Compact JSON with sorted names and ASCII only, as the existing service writes it.
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            text.push('{');
            for (index, name) in names.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_text(name, text);
                text.push(':');
                write(&members[name], text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        Value::String(string) => write_text(string, text),
        other => text.push_str(&other.to_string()),
    }
}

fn write_text(string: &str, text: &mut String) {
    let quoted = Value::from(string).to_string();
    for unit in quoted.chars() {
        if unit.is_ascii() {
            text.push(unit);
            continue;
        }
        let mut units = [0; 2];
        for half in unit.encode_utf16(&mut units) {
            text.push_str(&format!("\\u{half:04x}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_sorted_and_everything_is_ascii() {
        let value = json!({"b": [1, 2.5, null, true], "a": "h\u{e9}\u{1f600}\n\"", "A": {}});
        assert_eq!(canonical(&value), r#"{"A":{},"a":"h\u00e9\ud83d\ude00\n\"","b":[1,2.5,null,true]}"#);
    }
}
