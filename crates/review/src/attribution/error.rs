//! Why nothing can be said about authors.

use crate::change::ChangeError;
use agentprov_graph::GraphError;

/// Why nothing can be said about authors.
#[derive(Debug, thiserror::Error)]
pub enum AttributionError {
    /// The recordings could not be read.
    #[error("the recordings could not be read: {0}")]
    Recordings(#[from] GraphError),
    /// Evidence that was handed in does not hold.
    #[error("evidence {name} is refused: {error}")]
    Evidence {
        /// The file.
        name: String,
        /// Why.
        error: super::EvidenceError,
    },
    /// git could not be asked.
    #[error(transparent)]
    Git(#[from] ChangeError),
}
