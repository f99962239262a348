//! The body of a request: its form, its packing, and how much of it there may be.

use super::answer::Refused;
use super::records::{Taken, of_logs, of_traces};
use super::wire::{Logs, Traces};
use axum::http::{HeaderMap, header};
use flate2::read::MultiGzDecoder;
use prost::Message;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::io::Read;

/// Bytes of a body, as it comes and unpacked.
pub const MAX_BODY: usize = 16 << 20;

/// How messages are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Protobuf,
    Json,
}

impl Form {
    /// By the header; None where it names neither.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let media = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        match media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/x-protobuf" => Some(Self::Protobuf),
            "application/json" => Some(Self::Json),
            _ => None,
        }
    }

    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// How a body is packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Packing {
    Plain,
    Gzip,
}

impl Packing {
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Refused> {
        let Some(value) = headers.get(header::CONTENT_ENCODING) else { return Ok(Self::Plain) };
        match value.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Plain),
            "gzip" => Ok(Self::Gzip),
            _ => Err(Refused::media("send Content-Encoding: gzip, or none")),
        }
    }

    /// The bytes as they were before they were packed. A few packed bytes must not fill the memory.
    pub(super) fn unpack(self, bytes: &[u8]) -> Result<Cow<'_, [u8]>, Refused> {
        if self == Self::Plain {
            return Ok(Cow::Borrowed(bytes));
        }
        let mut unpacked = Vec::new();
        let read = MultiGzDecoder::new(bytes).take(MAX_BODY as u64 + 1).read_to_end(&mut unpacked);
        read.map_err(|error| Refused::bad(format!("the body is no gzip: {error}")))?;
        if unpacked.len() > MAX_BODY { Err(Refused::too_large()) } else { Ok(Cow::Owned(unpacked)) }
    }
}

/// What is sent to which path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Export {
    Traces,
    Logs,
}

impl Export {
    pub(super) fn read(self, form: Form, bytes: &[u8]) -> Result<Taken, Refused> {
        Ok(match self {
            Self::Traces => of_traces(decoded::<Traces>(form, bytes)?),
            Self::Logs => of_logs(decoded::<Logs>(form, bytes)?),
        })
    }
}

/// What is wrong is said by its place, not by its words: the body may hold secrets.
fn decoded<M: Message + Default + DeserializeOwned>(form: Form, bytes: &[u8]) -> Result<M, Refused> {
    match form {
        Form::Protobuf => M::decode(bytes).map_err(|error| Refused::bad(format!("the body can't be read: {error}"))),
        Form::Json => serde_json::from_slice(bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Refused::bad(format!("the body can't be read at line {line}, column {column}"))
        }),
    }
}
