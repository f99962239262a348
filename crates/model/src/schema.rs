//! Names of the documents that leave the program.

/// The prefix that every contract document shares.
pub const PREFIX: &str = "agentprovenance.";

/// `agentprovenance.<name>/v1`, the `schema_version` of a contract document.
pub fn v1(name: &str) -> String {
    format!("{PREFIX}{name}/v1")
}
