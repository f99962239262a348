//! Ed25519 keys as other tools keep them: PKCS#8 private and SPKI public keys (RFC 8410) in PEM (RFC 7468).
//!
//! Both DER forms have one spelling for Ed25519, so they are compared with it byte by byte; what has another
//! spelling, another algorithm, attributes or encryption is refused.

use data_encoding::BASE64;

use crate::note::{KeyError, KeyType, SignerKey, VerifierKey};

const PRIVATE_LABEL: &str = "PRIVATE KEY";
const PUBLIC_LABEL: &str = "PUBLIC KEY";
/// `OneAsymmetricKey`, version 1: algorithm Ed25519, then the seed.
const PRIVATE_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// `OneAsymmetricKey`, version 2: the same, then the public key.
const PAIR_PREFIX: [u8; 16] =
    [0x30, 0x51, 0x02, 0x01, 0x01, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const PAIR_MIDDLE: [u8; 3] = [0x81, 0x21, 0x00];
/// `SubjectPublicKeyInfo`: algorithm Ed25519, then the public key.
const PUBLIC_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const LINE: usize = 64;

impl SignerKey {
    /// Reads a PKCS#8 private key in PEM.
    ///
    /// # Errors
    /// [`KeyError::Pem`] for another form, [`KeyError::PublicKey`] where the public key in it is of another seed.
    pub fn from_pem(name: &str, text: &str) -> Result<SignerKey, KeyError> {
        let der = decode(text, PRIVATE_LABEL)?;
        if let Some(seed) = der.strip_prefix(&PRIVATE_PREFIX) {
            let seed = seed.try_into().map_err(|_| KeyError::Pem)?;
            return SignerKey::from_seed(name, seed);
        }
        let rest = der.strip_prefix(&PAIR_PREFIX).ok_or(KeyError::Pem)?;
        let (seed, rest) = rest.split_first_chunk::<32>().ok_or(KeyError::Pem)?;
        let public = rest.strip_prefix(&PAIR_MIDDLE).ok_or(KeyError::Pem)?;
        let key = SignerKey::from_seed(name, seed)?;
        if key.public_key() != public { Err(KeyError::PublicKey) } else { Ok(key) }
    }
}

impl VerifierKey {
    /// Reads an SPKI public key in PEM.
    ///
    /// # Errors
    /// [`KeyError::Pem`] for another form, [`KeyError::PublicKey`] for a key that can't be used.
    pub fn from_pem(name: &str, text: &str) -> Result<VerifierKey, KeyError> {
        let der = decode(text, PUBLIC_LABEL)?;
        let public = der.strip_prefix(&PUBLIC_PREFIX).ok_or(KeyError::Pem)?;
        let public = public.try_into().map_err(|_| KeyError::Pem)?;
        VerifierKey::new(name, KeyType::Ed25519, public)
    }

    /// The public key as SPKI in DER, whose SHA-256 names the key in DSSE envelopes.
    pub fn to_spki(&self) -> Vec<u8> {
        [&PUBLIC_PREFIX[..], &self.public_key()].concat()
    }

    /// The public key as SPKI in PEM.
    pub fn to_pem(&self) -> String {
        encode(&self.to_spki(), PUBLIC_LABEL)
    }
}

/// The PKCS#8 text of a seed. The caller wipes it.
pub fn private_pem(seed: &[u8; 32]) -> String {
    encode(&[&PRIVATE_PREFIX[..], seed].concat(), PRIVATE_LABEL)
}

/// Whether the text is meant to be PEM.
pub fn is_pem(text: &str) -> bool {
    text.trim_start().starts_with("-----BEGIN ")
}

fn encode(der: &[u8], label: &str) -> String {
    let body = BASE64.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

/// One block of that label and nothing beside it but blank lines.
fn decode(text: &str, label: &str) -> Result<Vec<u8>, KeyError> {
    let body = text
        .trim()
        .strip_prefix(&format!("-----BEGIN {label}-----"))
        .and_then(|rest| rest.strip_suffix(&format!("-----END {label}-----")))
        .ok_or(KeyError::Pem)?;
    let joined: String = body.lines().map(str::trim).collect();
    BASE64.decode(joined.as_bytes()).map_err(|_| KeyError::Pem)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410, sections 10.1 and 10.3.
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";

    #[test]
    fn the_keys_of_the_rfc_are_a_pair() {
        let signer = SignerKey::from_pem("n", PRIVATE).unwrap();
        let verifier = VerifierKey::from_pem("n", PUBLIC).unwrap();
        assert_eq!(signer.verifier(), verifier);
        assert_eq!(verifier.to_pem(), PUBLIC);
    }

    #[test]
    fn what_is_written_reads_back() {
        let text = private_pem(&[7; 32]);
        let key = SignerKey::from_pem("n", &text).unwrap();
        assert_eq!(key.public_key(), SignerKey::from_seed("n", &[7; 32]).unwrap().public_key());
        let pair = [&PAIR_PREFIX[..], &[7; 32], &PAIR_MIDDLE, &key.public_key()].concat();
        assert!(SignerKey::from_pem("n", &encode(&pair, PRIVATE_LABEL)).is_ok());
        let foreign = [&PAIR_PREFIX[..], &[7; 32], &PAIR_MIDDLE, &[8; 32]].concat();
        assert_eq!(SignerKey::from_pem("n", &encode(&foreign, PRIVATE_LABEL)).unwrap_err(), KeyError::PublicKey);
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            PUBLIC.replace("PUBLIC", "PRIVATE"),
            PUBLIC.replace("MCow", "MCox"),
            PUBLIC.replace("ZuE=", "ZuF="),
            PUBLIC.replace("ZuE=", ""),
            format!("{PUBLIC}{PUBLIC}"),
            format!("x{PUBLIC}"),
            String::new(),
        ] {
            assert_eq!(VerifierKey::from_pem("n", &text), Err(KeyError::Pem), "{text}");
        }
        assert_eq!(SignerKey::from_pem("n", PUBLIC).unwrap_err(), KeyError::Pem);
    }
}
