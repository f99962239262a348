//! What can go wrong with a query.

use agentprov_store::StoreError;

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
    /// The next step for the user, where one is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { kind: "run", .. } => Some("list them with: agentprov runs".into()),
            Self::NotFound { kind: "file", .. } => Some("files that the run changed: agentprov show RUN".into()),
            Self::NotFound { kind: "event type", .. } => {
                let names: Vec<&str> = agentprov_model::EventType::ALL.iter().map(|kind| kind.name()).collect();
                Some(format!("there are: {}", names.join(" ")))
            }
            Self::NotFound { .. } => Some("ids of the run: agentprov timeline --run RUN".into()),
            Self::NoRuns(_) => Some("record something first: agentprov record -- CMD".into()),
            Self::Removed { .. } => Some("its tombstone is checked by: agentprov verify".into()),
            Self::Store(error) => error.hint(),
            Self::Argument(_) | Self::NoContent { .. } => None,
        }
    }
}
