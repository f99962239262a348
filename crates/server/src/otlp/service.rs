//! The routes, and a request from its arrival to its answer.

use super::answer::{Refused, taken};
use super::body::{Export, Form, MAX_BODY, Packing};
use crate::http::guard::Guard;
use crate::http::problem::Problem;
use crate::workers::now;
use agentprov_ingest::hooks::drain;
use agentprov_ingest::otel::append;
use agentprov_store::{Store, StoreError};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, header};
use axum::routing::post;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Requests that are read or appended at a time; others are asked to come back.
const AT_A_TIME: usize = 4;
/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);

/// What exports meet.
#[derive(Debug)]
pub(crate) struct Receiver {
    store: Store,
    guard: Guard,
    room: Arc<Semaphore>,
}

impl Receiver {
    pub(crate) fn new(store: Store, guard: Guard) -> Self {
        Self { store, guard, room: Arc::new(Semaphore::new(AT_A_TIME)) }
    }
}

/// The router over the protocol's paths.
pub(crate) fn router(receiver: Arc<Receiver>) -> Router {
    let route = |export: Export| {
        post(move |State(receiver): State<Arc<Receiver>>, request: Request| answer(export, receiver, request))
    };
    Router::new()
        .route("/v1/traces", route(Export::Traces))
        .route("/v1/logs", route(Export::Logs))
        .fallback(|| async {
            Problem::not_found("there is no such route; traces go to /v1/traces, logs to /v1/logs").response()
        })
        .with_state(receiver)
}

async fn answer(export: Export, receiver: Arc<Receiver>, request: Request) -> Response<Body> {
    // Who may not ask gets nothing of the body looked at.
    if let Err(problem) = receiver.guard.check(request.headers(), false) {
        return problem.response();
    }
    // A page can't send either of these types without asking first, and nobody answers it.
    let Some(form) = Form::of(request.headers()) else {
        let why = "send Content-Type: application/x-protobuf or application/json";
        return Refused::media(why).response(Form::Json);
    };
    take(export, form, receiver, request).await.unwrap_or_else(|refused| refused.response(form))
}

async fn take(
    export: Export,
    form: Form,
    receiver: Arc<Receiver>,
    request: Request,
) -> Result<Response<Body>, Refused> {
    let packing = Packing::of(request.headers())?;
    if declared_size(request.headers()).is_some_and(|size| size > MAX_BODY as u64) {
        return Err(Refused::too_large());
    }
    let room = Arc::clone(&receiver.room).try_acquire_owned();
    let room = room.map_err(|_| Refused::later("others export right now"))?;
    let bytes = match timeout(BODY_TIME, to_bytes(request.into_body(), MAX_BODY)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => return Err(Refused::too_large()),
        Err(_) => return Err(Refused::too_slow()),
    };
    let done = tokio::task::spawn_blocking(move || {
        let taken = keep(export, form, packing, &receiver.store, &bytes);
        drop(room);
        taken
    });
    done.await.unwrap_or_else(|_| Err(Refused::broken()))
}

fn declared_size(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Answers once the store has it.
fn keep(export: Export, form: Form, packing: Packing, store: &Store, bytes: &[u8]) -> Result<Response<Body>, Refused> {
    let read = export.read(form, &packing.unpack(bytes)?)?;
    // Hooks tell to which run a session belongs; what they left has to be in the store first. Where that can't be done
    // now, records go to a run of their session.
    let _ = drain(store, now(), &agentprov_capture::is_alive);
    append(store, &read.records, now()).map_err(|error| unkept(&error))?;
    Ok(taken(export, form, read.rejected, read.why))
}

fn unkept(error: &StoreError) -> Refused {
    match error {
        StoreError::Removed(_) => Refused::bad(error.to_string()),
        _ => Refused::later(error.to_string()),
    }
}
