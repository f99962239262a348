//! How the protocol's JSON writes what JSON has no form for: ids in hex, bytes in base64, whole numbers as texts.

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// A number, or its digits.
#[derive(Deserialize)]
#[serde(untagged)]
enum Digits<N> {
    Number(N),
    Text(String),
}

pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match Digits::deserialize(deserializer)? {
        Digits::Number(number) => Ok(number),
        Digits::Text(text) => text.parse().map_err(D::Error::custom),
    }
}

pub(super) fn signed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    match Digits::deserialize(deserializer)? {
        Digits::Number(number) => Ok(number),
        Digits::Text(text) => text.parse().map_err(D::Error::custom),
    }
}

pub(super) fn hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    HEXLOWER_PERMISSIVE.decode(String::deserialize(deserializer)?.as_bytes()).map_err(D::Error::custom)
}

pub(super) fn base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    BASE64.decode(String::deserialize(deserializer)?.as_bytes()).map_err(D::Error::custom)
}
