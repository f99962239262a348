//! What can go wrong with a query.

use agentprov_store::{RunRow, StoreError};

/// Failure of a query.
#[derive(Debug, thiserror::Error)]
pub enum GraphError {
    /// A name that stands for nothing.
    #[error("no {kind} '{name}'{}", suggestion.as_ref().map(|near| format!("; did you mean '{near}'?")).unwrap_or_default())]
    NotFound {
        /// What was looked for, such as `run`.
        kind: &'static str,
        /// The name as given.
        name: String,
        /// The nearest name that exists.
        suggestion: Option<String>,
        /// The run in which it was looked for, where it was one.
        run: Option<String>,
    },
    /// The store holds no runs at all.
    #[error("the store at {0} holds no runs")]
    NoRuns(String),
    /// The run's bodies were removed.
    #[error("run '{run}' was removed {at} by {by} ({reason})")]
    Removed {
        /// The run.
        run: String,
        /// When, RFC 3339.
        at: String,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// An argument that can't be used.
    #[error("{0}")]
    Argument(String),
    /// A content whose bytes are not to be had.
    #[error("the content of {what} is not available: {why}")]
    NoContent {
        /// Which file and state.
        what: String,
        /// Why.
        why: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl GraphError {
    /// Nothing in the run has that name.
    pub(crate) fn not_in(run: &RunRow, kind: &'static str, name: impl Into<String>) -> Self {
        Self::NotFound { kind, name: name.into(), suggestion: None, run: Some(run.id.to_string()) }
    }

    /// With the nearest name that exists.
    pub(crate) fn but_near(mut self, near: Option<String>) -> Self {
        if let Self::NotFound { suggestion, .. } = &mut self {
            *suggestion = near;
        }
        self
    }

    /// The next step for the user, where one is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { kind: "run", .. } => Some("list them with: agentprov runs".into()),
            Self::NotFound { kind: "file", run, .. } => {
                Some(format!("files that the run changed: agentprov show {}", run.as_deref().unwrap_or("RUN")))
            }
            Self::NotFound { kind: "event type", .. } => {
                let names: Vec<&str> = agentprov_model::EventType::ALL.iter().map(|kind| kind.name()).collect();
                Some(format!("there are: {}", names.join(" ")))
            }
            Self::NotFound { run, .. } => {
                Some(format!("ids of the run: agentprov timeline --run {}", run.as_deref().unwrap_or("RUN")))
            }
            Self::NoRuns(_) => Some("record something first: agentprov record -- CMD".into()),
            Self::Removed { .. } => Some("its tombstone is checked by: agentprov verify".into()),
            Self::Store(error) => error.hint(),
            Self::Argument(_) | Self::NoContent { .. } => None,
        }
    }
}
