//! Answers in the form of the request.

use super::body::{Export, Form, MAX_BODY};
use super::wire::{Answer, PartialSuccess, Refusal};
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use prost::Message;
use serde_json::json;

/// Codes of gRPC, which the protocol's refusals carry.
const INVALID_ARGUMENT: i32 = 3;
const RESOURCE_EXHAUSTED: i32 = 8;
const INTERNAL: i32 = 13;
const UNAVAILABLE: i32 = 14;
/// Seconds after which an exporter is asked to come back.
const COME_BACK: &str = "2";

/// Why a request is not taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Refused {
    status: StatusCode,
    code: i32,
    message: String,
}

impl Refused {
    /// It can't be read; sending it again does not help.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: INVALID_ARGUMENT, message: message.into() }
    }

    pub(super) fn media(message: &str) -> Self {
        Self { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, ..Self::bad(message) }
    }

    pub(super) fn too_large() -> Self {
        let message = format!("a body has {MAX_BODY} bytes at most, unpacked too: export smaller batches");
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, code: RESOURCE_EXHAUSTED, message }
    }

    pub(super) fn too_slow() -> Self {
        Self { status: StatusCode::REQUEST_TIMEOUT, ..Self::bad("the body did not arrive in time") }
    }

    /// It can be taken later.
    pub(super) fn later(message: impl Into<String>) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, code: UNAVAILABLE, message: message.into() }
    }

    pub(super) fn broken() -> Self {
        let message = "the request could not be taken".to_owned();
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, code: INTERNAL, message }
    }

    pub(super) fn response(self, form: Form) -> Response<Body> {
        let body = match form {
            Form::Protobuf => Refusal { code: self.code, message: self.message }.encode_to_vec(),
            Form::Json => json!({"code": self.code, "message": self.message}).to_string().into_bytes(),
        };
        let mut response = with_body(self.status, form, body);
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(COME_BACK));
        }
        response
    }
}

/// The answer to a request that was taken, but for what was rejected.
pub(super) fn taken(export: Export, form: Form, rejected: u64, why: Option<&str>) -> Response<Body> {
    let why = why.filter(|_| rejected > 0);
    let body = match form {
        Form::Protobuf => {
            let rejected = i64::try_from(rejected).unwrap_or(i64::MAX);
            let partial_success = why.map(|why| PartialSuccess { rejected, error_message: why.to_owned() });
            Answer { partial_success }.encode_to_vec()
        }
        Form::Json => {
            let name = match export {
                Export::Traces => "rejectedSpans",
                Export::Logs => "rejectedLogRecords",
            };
            let document = why.map_or_else(
                || json!({}),
                |why| json!({"partialSuccess": {name: rejected.to_string(), "errorMessage": why}}),
            );
            document.to_string().into_bytes()
        }
    };
    with_body(StatusCode::OK, form, body)
}

fn with_body(status: StatusCode, form: Form, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(form.media_type()));
    response
}
