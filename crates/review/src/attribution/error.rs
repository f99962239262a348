//! Why nothing can be said about authors.

use crate::change::ChangeError;
use agentprov_graph::GraphError;

/// Why nothing can be said about authors.
#[derive(Debug, thiserror::Error)]
pub enum AttributionError {
    /// The recordings could not be read.
    #[error("the recordings could not be read: {0}")]
    Recordings(#[from] GraphError),
    /// git could not be asked.
    #[error(transparent)]
    Git(#[from] ChangeError),
}
