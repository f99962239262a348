//! The `--raw -z` output of git's diff commands.

use crate::change::error::ChangeError;
use crate::change::repository::parse_blob;
use agentprov_model::{GitBlobId, OsBytes};

/// One entry: a path and what it was before and after.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RawEntry {
    pub(crate) old_mode: u32,
    pub(crate) new_mode: u32,
    pub(crate) old_blob: Option<GitBlobId>,
    /// None where there is nothing, or where git did not compute it.
    pub(crate) new_blob: Option<GitBlobId>,
    /// `A`, `M`, `D`, `R`, `C`, `T` or `U`.
    pub(crate) status: u8,
    pub(crate) old_path: OsBytes,
    pub(crate) new_path: OsBytes,
}

/// Entries of an output.
pub(crate) fn parse(output: &[u8]) -> Result<Vec<RawEntry>, ChangeError> {
    let mut fields = output.split(|byte| *byte == 0);
    let mut entries = Vec::new();
    while let Some(head) = fields.next() {
        let head = head.strip_prefix(b"\n").unwrap_or(head);
        if head.is_empty() {
            continue;
        }
        entries.push(entry(head, &mut fields).ok_or_else(|| ChangeError::Answer {
            command: "diff",
            what: String::from_utf8_lossy(head).into_owned(),
        })?);
    }
    Ok(entries)
}

/// The entry that begins with this head; its paths follow.
pub(crate) fn entry<'a>(head: &[u8], fields: &mut impl Iterator<Item = &'a [u8]>) -> Option<RawEntry> {
    let head = std::str::from_utf8(head.strip_prefix(b":")?).ok()?;
    let words: Vec<&str> = head.split(' ').collect();
    let [old_mode, new_mode, old_blob, new_blob, status] = words[..] else { return None };
    let status = *status.as_bytes().first()?;
    let old_path = OsBytes::from(fields.next()?);
    let new_path = if matches!(status, b'R' | b'C') { OsBytes::from(fields.next()?) } else { old_path.clone() };
    Some(RawEntry {
        old_mode: u32::from_str_radix(old_mode, 8).ok()?,
        new_mode: u32::from_str_radix(new_mode, 8).ok()?,
        old_blob: blob(old_blob)?,
        new_blob: blob(new_blob)?,
        status,
        old_path,
        new_path,
    })
}

/// A name of zeros stands for nothing.
fn blob(name: &str) -> Option<Option<GitBlobId>> {
    if name.bytes().all(|byte| byte == b'0') {
        return Some(None);
    }
    parse_blob(name).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renames_have_two_paths() {
        let zero = "0".repeat(40);
        let one = "1".repeat(40);
        let output = format!(
            ":000000 100644 {zero} {one} A\0new \"file\0:100644 100755 {one} {one} R100\0a\0b\0:100644 000000 {one} {zero} D\0c\0"
        );
        let entries = parse(output.as_bytes()).unwrap();
        assert_eq!(entries.len(), 3);
        assert_eq!((entries[0].old_blob, entries[0].status), (None, b'A'));
        assert_eq!((entries[1].old_path.as_str(), entries[1].new_path.as_str()), (Some("a"), Some("b")));
        assert_eq!(entries[1].new_mode, 0o100_755);
        assert_eq!(entries[2].new_blob, None);
        assert!(parse(b":1 2 3\0").is_err());
        assert!(parse(b":100644 100644 zz yy M\0x\0").is_err());
    }
}
