//! A change from a posted payload.

use crate::change::content::{ChangeKind, ChangedFile, FileContent, Side};
use crate::change::payload::{ChangedLine, LineChange, Payload, PayloadError};
use crate::change::posted_diff::from_posted_diff;
use crate::change::span::Span;
use crate::change::{AssertedLine, Change};
use crate::lines::LineNumber;
use agentprov_model::OsBytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Unknown lines that are held as empty ones, over all files.
const MAX_FILL: usize = 16_000_000;

/// The change that a payload tells of. Its lines are what the caller says they are.
///
/// # Errors
/// The first value that can't be taken: nothing is kept then.
pub fn from_payload(payload: &Payload) -> Result<Change, PayloadError> {
    payload.check()?;
    if let Some(diff) = &payload.diff {
        return from_posted_diff(payload, diff);
    }
    let mut by_path: BTreeMap<&str, Vec<(usize, &ChangedLine)>> = BTreeMap::new();
    for (index, line) in payload.provenance_data.changed_lines.iter().enumerate() {
        by_path.entry(&line.file_path).or_default().push((index, line));
    }
    let mut change =
        Change { origin: payload.origin(), files: Vec::with_capacity(by_path.len()), asserted: Vec::new() };
    let mut filled = 0;
    for (path, rows) in by_path {
        let file = change.files.len();
        let mut sides: [BTreeMap<LineNumber, &ChangedLine>; 2] = Default::default();
        let mut whole_file = false;
        for (index, row) in &rows {
            let removed = row.change_type == LineChange::Deleted;
            let Some(line) = LineNumber::new(row.line_number as usize) else {
                whole_file = true;
                continue;
            };
            let other = sides[usize::from(removed)].insert(line, row);
            if other.is_some_and(|other| other != *row) {
                let field = format!("provenance_data.changed_lines.{index}.line_number");
                let what = "the line is there twice with different values".into();
                return Err(PayloadError { field, what, too_large: false });
            }
            let by = row.attribution.clone();
            change.asserted.push(AssertedLine { file, line, removed, by });
        }
        filled += sides.iter().filter_map(|side| side.keys().next_back()).map(|last| last.index()).sum::<usize>();
        if filled > MAX_FILL {
            let what = "the line numbers are too large".into();
            return Err(PayloadError { field: "provenance_data.changed_lines".into(), what, too_large: true });
        }
        change.files.push(changed_file(path, &rows, &sides, whole_file));
    }
    Ok(change)
}

fn changed_file(
    path: &str,
    rows: &[(usize, &ChangedLine)],
    [new, old]: &[BTreeMap<LineNumber, &ChangedLine>; 2],
    whole_file: bool,
) -> ChangedFile {
    let side = |lines: &BTreeMap<LineNumber, &ChangedLine>| {
        let absent = lines.values().any(|line| line.content.is_none());
        let content = if whole_file || absent {
            FileContent::Unavailable("the content of changed lines was not posted".into())
        } else {
            FileContent::Fragment(fragment(lines))
        };
        Side { mode: 0, blob: None, content }
    };
    let mut spans: Vec<Span> = Vec::new();
    let places = |lines: &BTreeMap<LineNumber, &ChangedLine>| lines.keys().map(|line| line.index()).collect::<Vec<_>>();
    let runs = |places: Vec<usize>| {
        places.chunk_by(|a, b| a + 1 == *b).map(|run| run[0]..run[0] + run.len()).collect::<Vec<_>>()
    };
    // Nobody says which removed lines an added one took the place of, so they stand side by side.
    spans.extend(runs(places(old)).into_iter().map(|old| Span { new: old.start..old.start, old }));
    spans.extend(runs(places(new)).into_iter().map(|new| Span { old: new.start..new.start, new }));
    let only_removed = new.is_empty() && !old.is_empty() && !whole_file;
    let raw_path = OsBytes::from(path);
    ChangedFile {
        path: path.to_owned(),
        raw_path,
        old_path: None,
        kind: ChangeKind::Modified,
        old: if old.is_empty() { Side::absent() } else { side(old) },
        new: if only_removed { Side::absent() } else { side(new) },
        spans,
        language: rows.iter().find_map(|(_, row)| row.language.clone()),
    }
}

fn fragment(lines: &BTreeMap<LineNumber, &ChangedLine>) -> Arc<[u8]> {
    let mut bytes = Vec::new();
    let mut next = 0;
    for (line, row) in lines {
        bytes.resize(bytes.len() + line.index() - next, b'\n');
        bytes.extend_from_slice(row.content.as_deref().unwrap_or_default().as_bytes());
        bytes.push(b'\n');
        next = line.index() + 1;
    }
    Arc::from(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change(lines: serde_json::Value) -> Result<Change, PayloadError> {
        let body = json!({"repo": "o/r", "pr_number": "7", "base_sha": "a", "head_sha": "b",
                          "provenance_data": {"changed_lines": lines}});
        from_payload(&serde_json::from_value(body).unwrap())
    }

    fn line(path: &str, number: u32, kind: &str, content: Option<&str>) -> serde_json::Value {
        json!({"file_path": path, "line_number": number, "change_type": kind, "content": content,
               "attribution": {"agent_id": "codex"}})
    }

    #[test]
    fn lines_become_files_with_holes() {
        let lines = [
            line("b.py", 3, "added", Some("x")),
            line("b.py", 4, "modified", Some("y")),
            line("b.py", 9, "deleted", Some("z")),
            line("a.py", 1, "added", None),
        ];
        let change = change(json!(lines)).unwrap();
        assert_eq!(change.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["a.py", "b.py"]);
        let file = &change.files[1];
        assert_eq!(file.added().map(LineNumber::get).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(file.removed().map(LineNumber::get).collect::<Vec<_>>(), [9]);
        assert_eq!(file.new.text().map(|text| text.to_vec()), Some(b"\n\nx\ny\n".to_vec()));
        assert!(matches!(change.files[0].new.content, FileContent::Unavailable(_)));
        assert_eq!((change.line_count(), change.asserted.len()), (4, 4));
    }

    #[test]
    fn the_same_line_twice_has_to_say_the_same() {
        let same = line("a", 1, "added", Some("x"));
        assert!(change(json!([same, same])).is_ok());
        let other = line("a", 1, "added", Some("y"));
        assert!(change(json!([same, other])).unwrap_err().field.ends_with("1.line_number"));
    }
}
