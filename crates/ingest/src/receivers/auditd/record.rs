//! One line of the audit log.

use super::super::instant;
use agentprov_model::{EventTime, OsBytes};

/// What the lines of one event share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Serial {
    pub(super) node: Option<String>,
    /// `SECS.MS:SERIAL` as it is written.
    pub(super) stamp: String,
}

impl Serial {
    pub(super) fn time(&self) -> Option<EventTime> {
        instant::parse_text(self.stamp.split(':').next()?)
    }
}

/// A line taken apart.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) kind: String,
    pub(super) node: Option<String>,
    pub(super) serial: Serial,
    /// Keys and values as they are written, quotes included.
    fields: Vec<(String, String)>,
}

/// Between raw and interpreted values.
const ENRICHMENT: char = '\u{1d}';

impl Record {
    pub(super) fn parse(line: &str) -> Option<Self> {
        let (head, rest) = line.split_once("msg=audit(")?;
        let (stamp, rest) = rest.split_once(')')?;
        let rest = rest.strip_prefix(':').unwrap_or(rest);
        let mut kind = None;
        let mut node = None;
        for word in head.split_whitespace() {
            match word.split_once('=') {
                Some(("type", value)) => kind = Some(value.to_owned()),
                Some(("node", value)) => node = Some(value.to_owned()),
                _ => {}
            }
        }
        let serial = Serial { node: node.clone(), stamp: stamp.to_owned() };
        Some(Self { kind: kind?, node, serial, fields: fields(rest) })
    }

    /// The value as it is written.
    pub(super) fn raw(&self, key: &str) -> Option<&str> {
        self.fields.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// A text: quoted, or hex where it was unsafe to print.
    pub(super) fn bytes(&self, key: &str) -> Option<OsBytes> {
        decode(self.raw(key)?)
    }

    pub(super) fn decimal(&self, key: &str) -> Option<i64> {
        self.raw(key)?.parse().ok()
    }

    pub(super) fn hex(&self, key: &str) -> Option<u64> {
        u64::from_str_radix(self.raw(key)?.trim_start_matches("0x"), 16).ok()
    }

    /// Every key with its value as it is written.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// A value without its quotes, or out of hex.
pub(super) fn decode(value: &str) -> Option<OsBytes> {
    if matches!(value, "(null)" | "(none)" | "?" | "") {
        return None;
    }
    if let Some(quoted) = value.strip_prefix('"') {
        return Some(OsBytes::from(quoted.strip_suffix('"').unwrap_or(quoted)));
    }
    let hex = value.len().is_multiple_of(2)
        && value.bytes().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte));
    match data_encoding::HEXUPPER.decode(value.as_bytes()) {
        Ok(bytes) if hex => Some(OsBytes::new(bytes)),
        _ => Some(OsBytes::from(value)),
    }
}

/// `key=value` words; a value may be quoted and hold blanks.
fn fields(text: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let mut rest = text.trim_start();
    while let Some((key, after)) = rest.split_once('=') {
        let key = key.rsplit([' ', ENRICHMENT]).next().unwrap_or(key);
        let end = match after.strip_prefix('"').or_else(|| after.strip_prefix('\'')) {
            Some(inside) => {
                let quote = if after.starts_with('"') { '"' } else { '\'' };
                inside.find(quote).map_or(after.len(), |at| at + 2)
            }
            None => after.find([' ', ENRICHMENT]).unwrap_or(after.len()),
        };
        let (value, remainder) = after.split_at(end);
        fields.push((key.to_owned(), value.to_owned()));
        rest = remainder.trim_start_matches([' ', ENRICHMENT]);
    }
    fields
}
