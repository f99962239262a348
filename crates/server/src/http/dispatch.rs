//! From a request to the handler and back.

use crate::http::call::{Call, Reply, Shared};
use crate::http::guard::Guard;
use crate::http::problem::Problem;
use crate::http::query::{Query, decoded};
use crate::http::routes::{ROUTES, Route, Verb};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::routing::{MethodFilter, MethodRouter, on};
use axum::{Router, body};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Bytes of a body.
const MAX_BODY: usize = 32 << 20;
const MEBI: usize = 1 << 20;
/// Mebibytes of all bodies that are in memory at a time.
const BODIES: usize = 256;
/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);

/// What requests meet.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) shared: Shared,
    pub(crate) guard: Guard,
    bodies: Arc<Semaphore>,
}

impl Service {
    pub(crate) fn new(shared: Shared, guard: Guard) -> Self {
        Self { shared, guard, bodies: Arc::new(Semaphore::new(BODIES)) }
    }
}

/// The router over the table.
pub(crate) fn router(service: Arc<Service>) -> Router {
    let mut router: Router<Arc<Service>> = Router::new();
    let prefix = &service.shared.analyst.settings.prefix;
    for route in ROUTES {
        router = router.route(&prefix.path(route.path), method(route));
    }
    router
        .fallback(|| async { Problem::not_found("there is no such route; see /docs").response() })
        .method_not_allowed_fallback(|| async {
            Problem::new(405, "method-not-allowed", "the route does not know this method; see /docs").response()
        })
        .layer(from_fn_with_state(Arc::clone(&service), guarded))
        .with_state(service)
}

fn method(route: &'static Route) -> MethodRouter<Arc<Service>> {
    let filter = match route.verb {
        Verb::Get => MethodFilter::GET,
        Verb::Post => MethodFilter::POST,
    };
    on(filter, move |State(service): State<Arc<Service>>, request: Request| async move {
        answer(route, service, request).await.unwrap_or_else(|problem| problem.response())
    })
}

/// Checks who asks before anything else of the request is looked at, and marks every answer.
async fn guarded(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response<Body> {
    let path = request.uri().path();
    let open = ROUTES.iter().any(|route| route.open && route.path == path);
    let mut response = match service.guard.check(request.headers(), open) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn answer(route: &'static Route, service: Arc<Service>, request: Request) -> Result<Response<Body>, Problem> {
    let (parts, body) = request.into_parts();
    let mut call = Call {
        id: id_of(route, parts.uri.path()).ok_or_else(|| Problem::not_found("the id is no text"))?,
        query: Query::parse(parts.uri.query().unwrap_or_default())?,
        idempotency_key: idempotency_key(&parts.headers)?,
        base_url: base_url(&service, &parts.headers),
        body: Vec::new(),
    };
    if route.instant {
        return (route.handler)(&service.shared, &call).map(response);
    }
    // Held until the handler is done with the body.
    let held = match route.verb {
        Verb::Post => {
            let size = accepted_size(&parts.headers)?;
            let held = Arc::clone(&service.bodies).acquire_many_owned(size).await;
            call.body = read(body).await?;
            Some(held.map_err(|_| Problem::new(503, "stopping", "the service ends"))?)
        }
        Verb::Get => None,
    };
    let handled = tokio::task::spawn_blocking(move || {
        // The text is made here too: that of a large document would hold up everybody else.
        let handled = (route.handler)(&service.shared, &call).map(response);
        drop(held);
        handled
    });
    match handled.await {
        Ok(handled) => handled,
        Err(_) => Err(Problem::new(500, "internal", "the request could not be answered")),
    }
}

/// What stands for `{id}`: the part of the path between two slashes, decoded. Counted from the end: how the path begins is
/// a setting.
fn id_of(route: &Route, path: &str) -> Option<String> {
    match route.path.rsplit('/').position(|part| part == "{id}") {
        Some(at) => decoded(path.rsplit('/').nth(at)?, false),
        None => Some(String::new()),
    }
}

fn base_url(service: &Service, headers: &HeaderMap) -> String {
    let host = || headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    service.shared.analyst.settings.base_url.clone().unwrap_or_else(|| format!("http://{}", host()))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let refuse = |why: &str| Problem::field(&["header", "Idempotency-Key"], "invalid", why);
    let mut given = headers.get_all("idempotency-key").iter();
    let Some(value) = given.next() else { return Ok(None) };
    let text = value.to_str().map_err(|_| refuse("it is no text"))?;
    let visible = !text.is_empty() && text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii_graphic());
    match visible && given.next().is_none() {
        true => Ok(Some(text.to_owned())),
        false => Err(refuse("it has to be 1 to 255 visible ASCII characters, once")),
    }
}

/// Mebibytes to hold for a body; its type is checked too, so that no form of a web page can hand anything in.
fn accepted_size(headers: &HeaderMap) -> Result<u32, Problem> {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !media.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(415, "media-type", "send Content-Type: application/json"));
    }
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let size = declared.unwrap_or(MAX_BODY as u64);
    if size > MAX_BODY as u64 {
        return Err(too_large());
    }
    Ok((size as usize / MEBI + 1) as u32)
}

fn too_large() -> Problem {
    Problem::new(413, "too-large", format!("a body has {MAX_BODY} bytes at most"))
}

async fn read(body: Body) -> Result<Vec<u8>, Problem> {
    match timeout(BODY_TIME, body::to_bytes(body, MAX_BODY)).await {
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => Err(Problem::new(408, "too-slow", "the body did not arrive in time")),
    }
}

fn response(reply: Reply) -> Response<Body> {
    let (status, media, bytes) = match reply {
        Reply::Json(status, document) => (status, "application/json", document.to_string().into_bytes()),
        Reply::Bytes(media, bytes) => (200, media, bytes),
    };
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response
}
