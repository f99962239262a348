//! From which repository the reviewed files are, for others to find them there.

use crate::change::{ChangeError, Origin, Repository};

/// A repository by the address that others know, without anything that lets one in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VersionControl {
    /// Its address.
    pub repository_uri: String,
    /// The branch that was reviewed.
    pub branch: Option<String>,
}

impl VersionControl {
    /// Of the remote that the repository fetches from by default. None where it has none, or one that is a folder: its path is
    /// nobody else's business.
    ///
    /// # Errors
    /// When git can't be run.
    pub fn of(repository: &Repository, origin: &Origin) -> Result<Option<Self>, ChangeError> {
        let remote = repository.line(&["ls-remote", "--get-url"])?;
        let Some(repository_uri) = remote.as_deref().and_then(public_uri) else { return Ok(None) };
        let current = repository.line(&["symbolic-ref", "--quiet", "--short", "HEAD"])?;
        let branch = match origin {
            Origin::Staged { .. } | Origin::Worktree { .. } => current,
            Origin::Range { head, .. } => branch_at(repository, head, current)?,
            Origin::Diff | Origin::Payload { .. } => None,
        };
        Ok(Some(Self { repository_uri, branch }))
    }
}

/// The branch that ends with a commit: the current one, or the only one.
fn branch_at(repository: &Repository, head: &str, current: Option<String>) -> Result<Option<String>, ChangeError> {
    let format = "--format=%(refname:short)";
    let listed = repository.run(&["for-each-ref", "--points-at", head, format, "refs/heads"])?;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let mut branches = listed.lines().map(str::to_owned);
    if let Some(current) = current.filter(|current| listed.lines().any(|one| one == current)) {
        return Ok(Some(current));
    }
    Ok(branches.next().filter(|_| branches.next().is_none()))
}

/// The address of a remote as a URI without user, password, query and fragment. None where it is no address on a network.
pub fn public_uri(remote: &str) -> Option<String> {
    let (scheme, authority, path) = match remote.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            (scheme.to_ascii_lowercase(), &rest[..end], &rest[end..])
        }
        // As scp writes it: a colon before any slash. Two of them name a program that fetches.
        None => {
            let (authority, path) = remote.split_once(':')?;
            if authority.contains('/') || path.starts_with(':') {
                return None;
            }
            ("ssh".to_owned(), authority, path)
        }
    };
    if !matches!(scheme.as_str(), "https" | "http" | "ssh" | "git") {
        return None;
    }
    let host = authority.rsplit('@').next().unwrap_or_default();
    if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte)) {
        return None;
    }
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path: String = path.trim_matches('/').bytes().map(as_in_uri).collect();
    Some(format!("{scheme}://{host}/{path}"))
}

/// A byte of a path; what is encoded already stays.
fn as_in_uri(byte: u8) -> String {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b'%' | b'@' | b':' | b'+' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    }
}

#[cfg(test)]
mod tests {
    use super::public_uri;

    #[test]
    fn nothing_that_lets_one_in_is_told() {
        for (remote, uri) in [
            ("https://github.com/org/name.git", "https://github.com/org/name.git"),
            ("https://user:secret@github.com/org/name", "https://github.com/org/name"),
            ("https://us@er:sec@ret@host:8443/org/name/", "https://host:8443/org/name"),
            ("https://host/org/name?private_token=secret#x", "https://host/org/name"),
            ("https://host?secret", "https://host/"),
            ("git@github.com:org/name.git", "ssh://github.com/org/name.git"),
            ("ssh://git@[::1]:22/org/a name", "ssh://[::1]:22/org/a%20name"),
        ] {
            assert_eq!(public_uri(remote).as_deref(), Some(uri), "{remote}");
        }
        for local in
            ["/srv/name.git", "../name", "./a:b", "file:///home/jo/name", "origin", "", "ext::sh -c x", "https://"]
        {
            assert_eq!(public_uri(local), None, "{local}");
        }
    }
}
