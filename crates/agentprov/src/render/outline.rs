//! A document as indented `key: value` lines, for documents that have no table of their own.

use crate::failure::Failure;
use agentprov_graph::timeline::visible_text;
use serde::Serialize;
use serde_json::{Map, Value};
use std::io::{self, Write};

/// Keys that mean nothing to a reader of text.
const FOR_PROGRAMS: [&str; 3] = ["schema_version", "result_set_id", "page_hash"];

/// Writes the document.
pub(crate) fn outline(out: &mut impl Write, document: &impl Serialize) -> Result<(), Failure> {
    let value = serde_json::to_value(document)?;
    match &value {
        Value::Object(map) => write_map(out, map, 0)?,
        other => writeln!(out, "{}", scalar(other))?,
    }
    Ok(())
}

fn write_map(out: &mut impl Write, map: &Map<String, Value>, depth: usize) -> io::Result<()> {
    for (key, value) in map.iter().filter(|(key, _)| !FOR_PROGRAMS.contains(&key.as_str())) {
        write_entry(out, key, value, depth)?;
    }
    Ok(())
}

fn write_entry(out: &mut impl Write, key: &str, value: &Value, depth: usize) -> io::Result<()> {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) if map.is_empty() => writeln!(out, "{indent}{key}: none"),
        Value::Object(map) => {
            writeln!(out, "{indent}{key}:")?;
            write_map(out, map, depth + 1)
        }
        Value::Array(items) if items.is_empty() => writeln!(out, "{indent}{key}: none"),
        Value::Array(items) => {
            writeln!(out, "{indent}{key}:")?;
            items.iter().try_for_each(|item| write_item(out, item, depth + 1))
        }
        other => writeln!(out, "{indent}{key}: {}", scalar(other)),
    }
}

fn write_item(out: &mut impl Write, item: &Value, depth: usize) -> io::Result<()> {
    let indent = "  ".repeat(depth);
    let Value::Object(map) = item else {
        return writeln!(out, "{indent}- {}", scalar(item));
    };
    let flat = map.iter().filter(|(_, value)| !value.is_object() && !value.is_array());
    let line: Vec<String> = flat.map(|(key, value)| format!("{key}={}", scalar(value))).collect();
    writeln!(out, "{indent}- {}", line.join(" "))?;
    let deep = map.iter().filter(|(_, value)| value.is_object() || value.is_array());
    deep.into_iter().try_for_each(|(key, value)| write_entry(out, key, value, depth + 2))
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "not known".to_owned(),
        Value::String(text) => visible_text(text),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => {
                format!("{float:.4}").trim_end_matches('0').trim_end_matches('.').to_owned()
            }
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::outline;
    use serde_json::json;

    #[test]
    fn nested_values_are_indented_and_lists_of_objects_are_rows() {
        let document = json!({"schema_version": "x", "run_id": "r", "counts": {"b": 2}, "ratio": 0.5,
            "rows": [{"id": 1, "name": "a\u{1b}b"}], "none": [], "gone": null});
        let mut out = Vec::new();
        outline(&mut out, &document).expect("memory takes it");
        let text = String::from_utf8(out).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        for expected in ["run_id: r", "counts:", "  b: 2", "ratio: 0.5", "none: none", "gone: not known"] {
            assert!(lines.contains(&expected), "{expected:?} is not in {text}");
        }
        assert!(text.contains("  - id=1 name=") && !text.contains('\u{1b}'), "{text}");
    }
}
