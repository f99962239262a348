//! Names as git writes them into patches (`quote_c_style`).

/// `prefix` and name, in double quotes with C escapes where git would use them.
pub(super) fn quote(prefix: &str, name: &[u8]) -> String {
    let special = |byte: &u8| *byte < 0x20 || *byte >= 0x7f || matches!(byte, b'"' | b'\\');
    if !name.iter().any(special) {
        return format!("{prefix}{}", String::from_utf8_lossy(name));
    }
    let mut text = format!("\"{prefix}");
    for &byte in name {
        match byte {
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            0x07 => text.push_str("\\a"),
            0x08 => text.push_str("\\b"),
            b'\t' => text.push_str("\\t"),
            b'\n' => text.push_str("\\n"),
            0x0b => text.push_str("\\v"),
            0x0c => text.push_str("\\f"),
            b'\r' => text.push_str("\\r"),
            0x20..0x7f => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\{byte:03o}")),
        }
    }
    text.push('"');
    text
}

/// A name for a `---` or `+++` line: git ends one that has a space with a tab, so that its end is seen.
pub(super) fn header_name(prefix: &str, name: &[u8]) -> String {
    let quoted = quote(prefix, name);
    if quoted.contains(' ') && !quoted.starts_with('"') { quoted + "\t" } else { quoted }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(quote("a/", b"plain name"), "a/plain name");
        assert_eq!(quote("a/", b"tab\there"), "\"a/tab\\there\"");
        assert_eq!(quote("b/", "\u{e4}\"".as_bytes()), "\"b/\\303\\244\\\"\"");
        assert_eq!(header_name("a/", b"a b"), "a/a b\t");
    }
}
