//! Errors as problem documents (RFC 9457), with the member `detail` that clients of the existing service read.

use crate::error::ServerError;
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

/// Media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request is not answered with what it asks for.
#[derive(Clone, PartialEq, Debug)]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// A short name of the kind, the end of `type`.
    pub kind: &'static str,
    /// A text, or a list of what is wrong with which field.
    pub detail: Value,
}

impl Problem {
    /// With a text.
    pub fn new(status: u16, kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, detail: Value::from(detail.into()) }
    }

    /// No such thing.
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(404, "not-found", what)
    }

    /// A field of the request can't be taken. `place` is where it stands: `body`, `query` or `header`, then the path.
    pub fn field(place: &[&str], kind: &str, message: impl Into<String>) -> Self {
        let location = place.iter().flat_map(|part| part.split('.'));
        let location: Vec<Value> =
            location.map(|part| part.parse::<u64>().map_or_else(|_| json!(part), |index| json!(index))).collect();
        let detail = json!([{"type": kind, "loc": location, "msg": message.into(), "input": null}]);
        Self { status: 422, kind: "invalid-request", detail }
    }

    /// The same under another status.
    #[must_use]
    pub fn with_status(self, status: u16, kind: &'static str) -> Self {
        Self { status, kind, ..self }
    }

    /// The document.
    pub fn document(&self) -> Value {
        let title = StatusCode::from_u16(self.status).ok().and_then(|status| status.canonical_reason());
        json!({
            "type": format!("urn:agentprov:problem:{}", self.kind),
            "title": title.unwrap_or("Problem"),
            "status": self.status,
            "detail": self.detail,
        })
    }

    /// The response.
    pub fn response(&self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.document().to_string()));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        match self.status {
            401 => {
                let realm = HeaderValue::from_static("Bearer realm=\"agentprov\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, realm);
            }
            429 | 503 => {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        response
    }
}

impl From<ServerError> for Problem {
    fn from(error: ServerError) -> Self {
        // What went wrong inside names files of this host: the log has it, the client gets the kind.
        let full = matches!(&error, ServerError::Store(store) if store.is_full());
        if full {
            return Self::new(503, "store-full", "the store has no room; nothing was accepted");
        }
        Self::new(500, "internal", "the store can't be used; the log of the service says why")
    }
}

impl From<agentprov_store::StoreError> for Problem {
    fn from(error: agentprov_store::StoreError) -> Self {
        ServerError::from(error).into()
    }
}
