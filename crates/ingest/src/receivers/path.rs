//! Normalising paths by name. The file system is never asked: it is another host's, and has changed since.

use agentprov_model::OsBytes;
use agentprov_model::telemetry::TelemetryFlag;

/// A path made comparable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Normalised {
    /// Without `.`, empty segments, and `..` where a segment before it could be taken away.
    pub path: OsBytes,
    /// As it came, where that differs.
    pub given: Option<OsBytes>,
    /// What was odd about it.
    pub flags: Vec<TelemetryFlag>,
}

/// Normalises a path, below `cwd` where it is relative.
pub fn normalise(given: &[u8], cwd: Option<&[u8]>) -> Normalised {
    if is_normal(given) {
        return Normalised { path: OsBytes::from(given), given: None, flags: Vec::new() };
    }
    let absolute = given.first() == Some(&b'/');
    let base = cwd.filter(|cwd| !absolute && cwd.first() == Some(&b'/'));
    let rooted = absolute || base.is_some();
    let mut flags = Vec::new();
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in base.unwrap_or_default().split(is_slash).chain(given.split(is_slash)) {
        match segment {
            b"" | b"." => {}
            b".." if segments.last().is_some_and(|last| *last != b"..") => {
                segments.pop();
            }
            // Above the root is the root.
            b".." if rooted => {}
            name => segments.push(name),
        }
    }
    if given.split(is_slash).any(|segment| segment == b"..") {
        flags.push(TelemetryFlag::PathTraversal);
    }
    if !rooted {
        flags.push(TelemetryFlag::RelativePath);
    }
    let mut path = segments.join(&b'/');
    if rooted {
        path.insert(0, b'/');
    } else if path.is_empty() {
        path.push(b'.');
    }
    let changed = path != given;
    Normalised { path: OsBytes::new(path), given: changed.then(|| OsBytes::from(given)), flags }
}

/// True for absolute paths in which nothing is to be taken away: most are.
fn is_normal(path: &[u8]) -> bool {
    let Some((b'/', below)) = path.split_first() else { return false };
    below.split(is_slash).all(|segment| !matches!(segment, b"" | b"." | b".."))
}

fn is_slash(byte: &u8) -> bool {
    *byte == b'/'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_by_name() {
        let cases = [
            ("/a/./b//c/", None, "/a/b/c"),
            ("/a/../../etc/shadow", None, "/etc/shadow"),
            ("../../.ssh/id_rsa", Some("/home/u/w/x"), "/home/u/.ssh/id_rsa"),
            ("../x", None, "../x"),
            ("a/../b", None, "b"),
            ("", None, "."),
            ("/", None, "/"),
            ("x", Some("relative"), "x"),
        ];
        for (given, cwd, expected) in cases {
            let found = normalise(given.as_bytes(), cwd.map(str::as_bytes));
            assert_eq!(found.path, OsBytes::from(expected), "{given}");
        }
    }

    #[test]
    fn oddities_are_flagged() {
        let found = normalise(b"../x", None);
        assert_eq!(found.flags, [TelemetryFlag::PathTraversal, TelemetryFlag::RelativePath]);
        assert_eq!(normalise(b"/x", None), Normalised { path: "/x".into(), given: None, flags: vec![] });
    }
}
