//! Contents that are not what they look like, and those that need no look.

/// The encoding that a Python file declares in its first two lines, if code read as ASCII differs from what is run.
pub(super) fn foreign_encoding(text: &str) -> Option<String> {
    let declared = text.lines().take(2).filter(|line| line.trim_start().starts_with('#')).find_map(coding)?;
    let name = declared.to_ascii_lowercase().replace('_', "-");
    let superset_of_ascii = matches!(name.as_str(), "ascii" | "us-ascii" | "utf8" | "utf-8" | "utf-8-sig" | "latin1")
        || ["utf-8-", "latin-", "iso-8859-", "iso8859-", "cp125", "windows-125", "koi8-", "mac-"]
            .iter()
            .any(|prefix| name.starts_with(prefix));
    (!superset_of_ascii).then_some(declared)
}

/// The word after `coding:` or `coding=`, as PEP 263 has it.
fn coding(line: &str) -> Option<String> {
    let (_, after) = line.split_once("coding")?;
    let value = after.strip_prefix([':', '='])?.trim_start();
    let name: String = value.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
    (!name.is_empty()).then_some(name)
}

/// What git LFS leaves in the repository instead of the file.
pub(super) fn is_large_file_pointer(bytes: &[u8]) -> bool {
    bytes.len() < 1024 && bytes.starts_with(b"version https://git-lfs.github.com/spec/v1\noid ")
}

/// Images and fonts by extension and first bytes: nothing runs them.
pub(super) fn is_known_binary(path: &str, bytes: &[u8]) -> bool {
    let extension = path.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default();
    let starts: &[&[u8]] = match extension.as_str() {
        "png" => &[b"\x89PNG\r\n\x1a\n"],
        "jpg" | "jpeg" => &[b"\xff\xd8\xff"],
        "gif" => &[b"GIF87a", b"GIF89a"],
        "webp" => &[b"RIFF"],
        "ico" => &[b"\0\0\x01\0"],
        "woff" => &[b"wOFF"],
        "woff2" => &[b"wOF2"],
        "ttf" => &[b"\0\x01\0\0"],
        _ => &[],
    };
    starts.iter().any(|start| bytes.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_encodings_that_hide_code_are_foreign() {
        assert_eq!(foreign_encoding("# -*- coding: utf-8 -*-\n"), None);
        assert_eq!(foreign_encoding("#!/usr/bin/python\n# vim: set fileencoding=latin-1 :\n"), None);
        assert_eq!(foreign_encoding("# coding: utf_7\n").as_deref(), Some("utf_7"));
        assert_eq!(foreign_encoding("\n# coding=unicode_escape\n").as_deref(), Some("unicode_escape"));
        assert_eq!(foreign_encoding("x\ny\n# coding: utf-7\n"), None);
        assert_eq!(foreign_encoding("coding = 'rot13'\n"), None);
    }

    #[test]
    fn a_name_alone_makes_no_picture() {
        assert!(is_known_binary("a/b.PNG", b"\x89PNG\r\n\x1a\n\0\0"));
        assert!(!is_known_binary("a/b.png", b"#!/bin/sh\n"));
    }
}
