//! What GitHub knows of a pull request: asked once for each analysis, before it is decided, and kept with it.
//!
//! Invariant: an answer that is missing never costs a decision. What was not learnt is said, and counts as not measured.

mod fetch;
pub mod pull_request;
pub mod summary;

pub use pull_request::PullRequest;
pub use summary::Summary;

use crate::outgoing::Endpoint;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Pull requests that are remembered.
const REMEMBERED: usize = 1000;

/// How GitHub is asked, and what logins mean.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// The API.
    pub endpoint: Endpoint,
    /// The token.
    pub token: String,
    /// What labels that name an agent begin with.
    pub label_prefix: String,
    /// Agents by login or label.
    pub agents: BTreeMap<String, String>,
    /// How long an answer holds.
    pub ttl: Duration,
}

/// Asks, and remembers for a while.
#[derive(Default)]
pub struct GitHub {
    remembered: Mutex<HashMap<(String, String), (Instant, PullRequest)>>,
}

impl std::fmt::Debug for GitHub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GitHub").finish_non_exhaustive()
    }
}

impl GitHub {
    /// What is known of a pull request.
    ///
    /// # Errors
    /// Why nothing could be learnt. An answer that lacks parts is none: it says which, and is not remembered.
    pub fn ask(&self, settings: &Settings, repo: &str, number: &str, head: &str) -> Result<PullRequest, String> {
        let key = (repo.to_owned(), format!("{number} {head}"));
        let remembered = || self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, known)) = remembered().get(&key)
            && at.elapsed() < settings.ttl
        {
            return Ok(known.clone());
        }
        let learnt = fetch::fetch(settings, repo, number, head)?;
        if learnt.missing.is_empty() {
            let mut all = remembered();
            if all.len() >= REMEMBERED {
                all.retain(|_, (at, _)| at.elapsed() < settings.ttl);
            }
            if all.len() < REMEMBERED {
                all.insert(key, (Instant::now(), learnt.clone()));
            }
        }
        Ok(learnt)
    }
}
