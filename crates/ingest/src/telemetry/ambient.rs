//! Logs for what belongs to no run: one per host and source.

use agentprov_model::{RunId, SourceName};

/// First segment of the id of every ambient log.
pub const AMBIENT: &str = "ambient";
/// Longest part of a host name that goes into the id.
const MAX_HOST: usize = 48;

/// The log for rows of a source on a host that bind to no run.
pub fn ambient_run(host: &str, source: &SourceName) -> RunId {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' };
    let mut host: String = host.chars().take(MAX_HOST).map(plain).collect();
    if host.is_empty() {
        host.push('_');
    }
    RunId::new(format!("{AMBIENT}/{host}/{source}")).unwrap_or_else(|_| unknown_source(&host))
}

/// A source's name may be `.` or `..`, which no id may hold as a segment.
fn unknown_source(host: &str) -> RunId {
    RunId::new(format!("{AMBIENT}/{host}/_")).expect("a host in plain characters makes an id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_host_makes_an_id() {
        for host in ["", "..", "a/b", "höst", &"x".repeat(500)] {
            let id = ambient_run(host, &SourceName::FALCO);
            assert!(id.as_str().starts_with("ambient/"), "{id}");
        }
        let dots = SourceName::new("..").expect("a source");
        assert_eq!(ambient_run("h", &dots).as_str(), "ambient/h/_");
    }
}
