//! A request that passed the guards, and what handlers give back.

use crate::analysis::Analyst;
use crate::error::ServerError;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::workers::{Caller, Watches, Workers};
use agentprov_store::{Queue, Store};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};

/// Connections that are kept open for the next request.
const KEPT: usize = 8;

/// What all handlers share.
#[derive(Debug)]
pub struct Shared {
    /// The store.
    pub store: Store,
    /// What analyses changes.
    pub analyst: Arc<Analyst>,
    /// Tells the workers that there is work.
    pub caller: Caller,
    /// How many workers there should be.
    pub workers: usize,
    /// How handing over goes, where something is handed over.
    pub watches: Watches,
    queues: Mutex<Vec<Queue>>,
}

impl Shared {
    /// Over a store whose workers run.
    pub fn new(store: Store, analyst: Arc<Analyst>, workers: &Workers, count: usize) -> Self {
        let (caller, watches) = (workers.caller(), workers.watches());
        Self { store, analyst, caller, workers: count, watches, queues: Mutex::new(Vec::new()) }
    }

    /// Lends a connection to the jobs.
    ///
    /// # Errors
    /// As `ask`, or a problem when the store can't be opened.
    pub fn with_queue<T>(&self, ask: impl FnOnce(&mut Queue) -> Result<T, Problem>) -> Result<T, Problem> {
        let kept = self.queues.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut queue = match kept {
            Some(queue) => queue,
            None => self.store.queue()?,
        };
        let answer = ask(&mut queue);
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if queues.len() < KEPT {
            queues.push(queue);
        }
        answer
    }
}

/// A request.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// What stands for `{id}` in the path.
    pub id: String,
    /// The query.
    pub query: Query,
    /// The body.
    pub body: Vec<u8>,
    /// The name that the client gave to the request.
    pub idempotency_key: Option<String>,
    /// How the client reaches the service.
    pub base_url: String,
}

/// An answer.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    /// A JSON document.
    Json(u16, Value),
    /// Bytes of another type.
    Bytes(&'static str, Vec<u8>),
}

/// What a handler gives.
pub type Handled = Result<Reply, Problem>;

/// A 200 with a fresh request id.
///
/// # Errors
/// A problem when no random bytes can be had.
pub fn with_request_id(mut document: Value) -> Handled {
    document["request_id"] = json!(request_id()?);
    Ok(Reply::Json(200, document))
}

fn request_id() -> Result<String, Problem> {
    let mut random = [0u8; 16];
    getrandom::fill(&mut random).map_err(|error| {
        Problem::from(ServerError::System { action: "draw random bytes", source: std::io::Error::other(error) })
    })?;
    Ok(format!("rq_{}", HEXLOWER.encode(&random)))
}
