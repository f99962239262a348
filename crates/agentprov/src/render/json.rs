//! Documents on standard output.

use crate::failure::Failure;
use serde::Serialize;
use std::io::{self, Write};

/// Pretty, two-space indent, one space after the colon.
pub(crate) fn json(document: &impl Serialize) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, document)?;
    writeln!(out)?;
    Ok(())
}

/// A compact document as [`json`] prints it: the members stay in their order, and numbers as they were written.
pub(crate) fn reindented(compact: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(compact.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    let line = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.resize(out.len() + 2 * depth, b' ');
    };
    for (at, byte) in compact.iter().copied().enumerate() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            out.push(byte);
            continue;
        }
        let is_empty = || matches!(compact.get(at + 1), Some(b'}' | b']'));
        match byte {
            b'{' | b'[' => {
                out.push(byte);
                depth += 1;
                if !is_empty() {
                    line(&mut out, depth);
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if !matches!(out.last(), Some(b'{' | b'[')) {
                    line(&mut out, depth);
                }
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                line(&mut out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            other => {
                in_string = other == b'"';
                out.push(other);
            }
        }
    }
    out.push(b'\n');
    out
}

#[cfg(test)]
mod tests {
    use super::reindented;
    use serde_json::{Value, json};

    #[test]
    fn a_compact_document_looks_like_a_printed_one() {
        let document = json!({
            "a": [], "b": {}, "c": [1, -2.5e10, [[]], [{}]], "d": "a\"{[:,\\", "e\\": null, "f": {"g": true},
        });
        for document in [document, json!("x"), json!([]), json!([{"a": "}"}]), Value::Null] {
            let mut printed = serde_json::to_vec_pretty(&document).unwrap();
            printed.push(b'\n');
            assert_eq!(reindented(&serde_json::to_vec(&document).unwrap()), printed);
        }
    }
}
