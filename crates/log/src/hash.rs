//! SHA-256 tree hashes with the domain separation of RFC 6962 section 2.1.

use std::fmt;

use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest, Sha256};

/// First byte of what a leaf hashes, so that no leaf can pass for an inner node.
const LEAF_PREFIX: [u8; 1] = [0x00];
/// First byte of what an inner node hashes.
const NODE_PREFIX: [u8; 1] = [0x01];

/// A SHA-256 value: a leaf, an inner node or the root of a tree (RFC 6962 section 2.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

/// Why a text is no [`struct@Hash`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Not the one canonical, padded, standard base64 text of 32 bytes.
    #[error("not the base64 of a 32-byte hash")]
    Base64,
    /// Not 64 lower-case hexadecimal digits.
    #[error("not 64 lower-case hexadecimal digits")]
    Hex,
}

impl Hash {
    /// Standard base64 with padding, as C2SP formats write hashes.
    pub fn to_base64(&self) -> String {
        BASE64.encode(&self.0)
    }

    /// Reads what [`Hash::to_base64`] writes. Only the canonical text is taken (no spaces, no
    /// loose trailing bits), so that a hash has one spelling.
    ///
    /// # Errors
    /// [`HashError::Base64`] for any other text or another length.
    pub fn from_base64(text: &str) -> Result<Hash, HashError> {
        let bytes = BASE64.decode(text.as_bytes()).map_err(|_| HashError::Base64)?;
        Ok(Hash(bytes.try_into().map_err(|_| HashError::Base64)?))
    }

    /// Lower-case hexadecimal, 64 digits.
    pub fn to_hex(&self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// Reads what [`Hash::to_hex`] writes.
    ///
    /// # Errors
    /// [`HashError::Hex`] for upper-case digits, other text or another length.
    pub fn from_hex(text: &str) -> Result<Hash, HashError> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| HashError::Hex)?;
        Ok(Hash(bytes.try_into().map_err(|_| HashError::Hex)?))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The hash of a leaf: SHA-256(0x00 || bytes) (RFC 6962 section 2.1).
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    leaf_hash_parts(&[bytes])
}

/// [`leaf_hash`] of the concatenation of `parts`, without joining them in memory. Where one part
/// ends is not hashed: callers that need that put lengths into the parts.
pub fn leaf_hash_parts(parts: &[&[u8]]) -> Hash {
    let mut digest = Sha256::new();
    digest.update(LEAF_PREFIX);
    for part in parts {
        digest.update(part);
    }
    Hash(digest.finalize().into())
}

/// The hash of an inner node: SHA-256(0x01 || left || right) (RFC 6962 section 2.1).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut digest = Sha256::new();
    digest.update(NODE_PREFIX);
    digest.update(left.0);
    digest.update(right.0);
    Hash(digest.finalize().into())
}

/// The root of the tree without leaves: SHA-256 of nothing (RFC 6962 section 2.1).
pub fn empty_root() -> Hash {
    Hash(Sha256::digest([]).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_round_trip_and_have_one_spelling() {
        let hash = leaf_hash(b"leaf");
        assert_eq!(Hash::from_base64(&hash.to_base64()), Ok(hash));
        assert_eq!(Hash::from_hex(&hash.to_hex()), Ok(hash));
        assert_eq!(format!("{hash:?}"), hash.to_hex());
        assert_eq!(Hash::from_hex(&hash.to_hex().to_uppercase()), Err(HashError::Hex));
        // 32 bytes leave two unused bits in the last digit before the padding: they must be zero.
        let loose = Hash([0; 32]).to_base64().replace("A=", "B=");
        assert_eq!(Hash::from_base64(&loose), Err(HashError::Base64));
        assert_eq!(Hash::from_base64(hash.to_base64().trim_end_matches('=')), Err(HashError::Base64));
        assert_eq!(Hash::from_base64(""), Err(HashError::Base64));
    }

    #[test]
    fn known_values() {
        assert_eq!(empty_root().to_hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(leaf_hash(b"").to_hex(), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        assert_eq!(leaf_hash_parts(&[b"ab", b"", b"c"]), leaf_hash_parts(&[b"abc"]));
    }
}
