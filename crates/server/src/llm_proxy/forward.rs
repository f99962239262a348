//! A request goes on to its vendor, and the response back.

use super::passage::{Passage, Text};
use super::scribe::{Caller, Desk};
use super::{LlmProxyError, Prompts, Upstream, headers};
use agentprov_ingest::llm::ReplyReader;
use agentprov_model::llm::LlmVendor;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// A vendor that does not take a connection in this time is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections to vendors are kept for the next call so long.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Forwards calls.
pub(super) struct Forwarder {
    upstreams: Vec<Upstream>,
    secret: String,
    prompts: Prompts,
    desk: Desk,
    client: Client<HttpsConnector<HttpConnector>, Body>,
}

impl Forwarder {
    pub(super) fn new(
        upstreams: Vec<Upstream>,
        secret: String,
        prompts: Prompts,
        desk: Desk,
    ) -> Result<Arc<Self>, LlmProxyError> {
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let https = HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(LlmProxyError::Roots)?
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(https);
        Ok(Arc::new(Self { upstreams, secret, prompts, desk, client }))
    }

    /// Takes in a body with these headers. What is packed is not kept: a secret in it could not be redacted.
    fn text(&self, headers: &HeaderMap) -> Text {
        Text::new(&self.desk, if packing(headers).is_some() { Prompts::Named } else { self.prompts })
    }

    /// Whose call a path is, and the path below the vendor's base.
    fn route<'p>(&self, path: &'p str) -> Option<(&Upstream, &'p str)> {
        let rest = path.strip_prefix('/')?.strip_prefix(self.secret.as_str())?.strip_prefix('/')?;
        let end = rest.find('/').unwrap_or(rest.len());
        let vendor = LlmVendor::from_name(&rest[..end])?;
        let upstream = self.upstreams.iter().find(|upstream| upstream.vendor() == vendor)?;
        Some((upstream, &rest[end..]))
    }
}

/// Forwards one request.
pub(super) async fn handle(
    State(forwarder): State<Arc<Forwarder>>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    request: Request,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let Some((upstream, path)) = forwarder.route(parts.uri.path()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let method = parts.method.to_string();
    let text = forwarder.text(&parts.headers);
    let passage =
        Passage::begin(forwarder.desk.clone(), caller.clone(), upstream.vendor(), method, path.to_owned(), text);
    parts.uri = match upstream.address(path, parts.uri.query()) {
        Ok(address) => address,
        Err(error) => return not_reached(passage, upstream, &error),
    };
    headers::forward(&mut parts.headers);
    parts.version = axum::http::Version::HTTP_11;
    parts.extensions.clear();
    let body = passage.request(body);
    let answered = forwarder.client.request(Request::from_parts(parts, body)).await;
    match answered {
        Ok(response) => {
            let (mut parts, body) = response.into_parts();
            headers::strip(&mut parts.headers);
            let reader = ReplyReader::new(value(&parts.headers, &header::CONTENT_TYPE), packing(&parts.headers));
            let text = forwarder.text(&parts.headers);
            let body = passage.response(parts.status.as_u16(), reader, text, Body::new(body));
            Response::from_parts(parts, body)
        }
        Err(error) => {
            caller.looked_for().await;
            not_reached(passage, upstream, &error)
        }
    }
}

fn value<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// How a body is packed, where it is.
fn packing(headers: &HeaderMap) -> Option<&str> {
    value(headers, &header::CONTENT_ENCODING).filter(|encoding| !encoding.eq_ignore_ascii_case("identity"))
}

fn not_reached(passage: Passage, upstream: &Upstream, error: &dyn Error) -> Response {
    let why = format!("{} can't be reached: {}", upstream.told().origin, chain(error));
    let told = serde_json::json!({"type": "error", "error": {"type": "agentprov_proxy", "message": why}});
    passage.unreachable(why);
    (StatusCode::BAD_GATEWAY, [(header::CONTENT_TYPE, "application/json")], told.to_string()).into_response()
}

/// An error with what caused it; each text once.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let said = next.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = next.source();
    }
    text
}
