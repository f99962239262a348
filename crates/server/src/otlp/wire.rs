//! The messages of the protocol, as far as they are read: one set of types for protobuf and JSON. Fields that are not
//! named here are passed over.

use super::lenient::{base64, hex, number, signed};
use prost::{Message, Oneof};
use serde::Deserialize;

/// `ExportTraceServiceRequest`.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Traces {
    /// By resource.
    #[prost(message, repeated, tag = "1")]
    pub(crate) resource_spans: Vec<ResourceSpans>,
}

/// Spans of one resource.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ResourceSpans {
    /// The resource.
    #[prost(message, optional, tag = "1")]
    pub(crate) resource: Option<Resource>,
    /// By scope.
    #[prost(message, repeated, tag = "2")]
    pub(crate) scope_spans: Vec<ScopeSpans>,
}

/// Spans of one instrumentation.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ScopeSpans {
    /// The spans.
    #[prost(message, repeated, tag = "2")]
    pub(crate) spans: Vec<Span>,
}

/// A span.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Span {
    /// 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    #[serde(deserialize_with = "hex")]
    pub(crate) trace_id: Vec<u8>,
    /// 8 bytes.
    #[prost(bytes = "vec", tag = "2")]
    #[serde(deserialize_with = "hex")]
    pub(crate) span_id: Vec<u8>,
    /// 8 bytes, or none.
    #[prost(bytes = "vec", tag = "4")]
    #[serde(deserialize_with = "hex")]
    pub(crate) parent_span_id: Vec<u8>,
    /// Its name.
    #[prost(string, tag = "5")]
    pub(crate) name: String,
    /// When it began.
    #[prost(fixed64, tag = "7")]
    #[serde(deserialize_with = "number")]
    pub(crate) start_time_unix_nano: u64,
    /// When it ended.
    #[prost(fixed64, tag = "8")]
    #[serde(deserialize_with = "number")]
    pub(crate) end_time_unix_nano: u64,
    /// What it says.
    #[prost(message, repeated, tag = "9")]
    pub(crate) attributes: Vec<KeyValue>,
    /// How it ended.
    #[prost(message, optional, tag = "15")]
    pub(crate) status: Option<Status>,
}

/// How a span ended, and the body of an answer that refuses a request.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    /// The code; 2 is an error.
    #[prost(int32, tag = "3")]
    pub(crate) code: i32,
}

/// `ExportLogsServiceRequest`.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Logs {
    /// By resource.
    #[prost(message, repeated, tag = "1")]
    pub(crate) resource_logs: Vec<ResourceLogs>,
}

/// Log records of one resource.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ResourceLogs {
    /// The resource.
    #[prost(message, optional, tag = "1")]
    pub(crate) resource: Option<Resource>,
    /// By scope.
    #[prost(message, repeated, tag = "2")]
    pub(crate) scope_logs: Vec<ScopeLogs>,
}

/// Log records of one instrumentation.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ScopeLogs {
    /// The records.
    #[prost(message, repeated, tag = "2")]
    pub(crate) log_records: Vec<LogRecord>,
}

/// A log record.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct LogRecord {
    /// When.
    #[prost(fixed64, tag = "1")]
    #[serde(deserialize_with = "number")]
    pub(crate) time_unix_nano: u64,
    /// What it says, for people.
    #[prost(message, optional, tag = "5")]
    pub(crate) body: Option<AnyValue>,
    /// What it says.
    #[prost(message, repeated, tag = "6")]
    pub(crate) attributes: Vec<KeyValue>,
    /// 16 bytes, or none.
    #[prost(bytes = "vec", tag = "9")]
    #[serde(deserialize_with = "hex")]
    pub(crate) trace_id: Vec<u8>,
    /// 8 bytes, or none.
    #[prost(bytes = "vec", tag = "10")]
    #[serde(deserialize_with = "hex")]
    pub(crate) span_id: Vec<u8>,
    /// When it was seen, where nothing says when it was.
    #[prost(fixed64, tag = "11")]
    #[serde(deserialize_with = "number")]
    pub(crate) observed_time_unix_nano: u64,
    /// The event's name.
    #[prost(string, tag = "12")]
    pub(crate) event_name: String,
}

/// Who exports.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
pub(crate) struct Resource {
    /// What is said of it.
    #[prost(message, repeated, tag = "1")]
    pub(crate) attributes: Vec<KeyValue>,
}

/// An attribute.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
pub(crate) struct KeyValue {
    /// Its name.
    #[prost(string, tag = "1")]
    pub(crate) key: String,
    /// Its value.
    #[prost(message, optional, tag = "2")]
    pub(crate) value: Option<AnyValue>,
}

/// A value.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
pub(crate) struct AnyValue {
    /// The value; absent where it is empty.
    #[prost(oneof = "Held", tags = "1, 2, 3, 4, 5, 6, 7")]
    #[serde(flatten)]
    pub(crate) held: Option<Held>,
}

/// The forms of a value.
#[derive(Clone, PartialEq, Oneof, Deserialize)]
pub(crate) enum Held {
    /// Text.
    #[prost(string, tag = "1")]
    #[serde(rename = "stringValue")]
    Text(String),
    /// True or false.
    #[prost(bool, tag = "2")]
    #[serde(rename = "boolValue")]
    Flag(bool),
    /// A whole number.
    #[prost(int64, tag = "3")]
    #[serde(rename = "intValue")]
    Whole(#[serde(deserialize_with = "signed")] i64),
    /// A number.
    #[prost(double, tag = "4")]
    #[serde(rename = "doubleValue")]
    Real(f64),
    /// Several values.
    #[prost(message, tag = "5")]
    #[serde(rename = "arrayValue")]
    Several(Values),
    /// Named values.
    #[prost(message, tag = "6")]
    #[serde(rename = "kvlistValue")]
    Named(Named),
    /// Bytes.
    #[prost(bytes = "vec", tag = "7")]
    #[serde(rename = "bytesValue")]
    Bytes(#[serde(deserialize_with = "base64")] Vec<u8>),
}

/// Several values.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
pub(crate) struct Values {
    /// The values.
    #[prost(message, repeated, tag = "1")]
    pub(crate) values: Vec<AnyValue>,
}

/// Named values.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
pub(crate) struct Named {
    /// The values.
    #[prost(message, repeated, tag = "1")]
    pub(crate) values: Vec<KeyValue>,
}

/// The answer to either request: `partial_success` stands under the same number in both.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Answer {
    /// What was not taken.
    #[prost(message, optional, tag = "1")]
    pub(crate) partial_success: Option<PartialSuccess>,
}

/// What was not taken of a request that was.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PartialSuccess {
    /// How many.
    #[prost(int64, tag = "1")]
    pub(crate) rejected: i64,
    /// Why.
    #[prost(string, tag = "2")]
    pub(crate) error_message: String,
}

/// `google.rpc.Status`: why a request was not taken.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Refusal {
    /// Code of gRPC.
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    /// What is wrong.
    #[prost(string, tag = "2")]
    pub(crate) message: String,
}
