//! A posted change that came as a unified diff.

use crate::change::content::ChangedFile;
use crate::change::diff_text::from_diff;
use crate::change::payload::{
    ChangedLine, LineChange, MAX_LINES, Payload, PayloadAttribution, PayloadError, ProvenanceData, too_many,
};
use crate::change::{Change, Origin};
use crate::lines::LineNumber;
use agentprov_graph::diff::split_lines;

/// The change of a payload's diff.
///
/// # Errors
/// What is wrong with the diff.
pub(super) fn from_posted_diff(payload: &Payload, diff: &str) -> Result<Change, PayloadError> {
    let refuse = |what: String| PayloadError { field: "diff".into(), what, too_large: false };
    let change = from_diff(diff.as_bytes()).map_err(|error| refuse(error.to_string()))?;
    let lines = change.line_count();
    if lines > MAX_LINES {
        return Err(too_many(lines, "diff"));
    }
    Ok(Change { origin: payload.origin(), ..change })
}

impl Payload {
    /// Where the change comes from.
    pub(super) fn origin(&self) -> Origin {
        Origin::Payload { repo: self.repo.clone(), base: self.base_sha.clone(), head: self.head_sha.clone() }
    }

    /// The same payload with a line for each that its change adds or removes, where it came as a diff.
    #[must_use]
    pub fn with_lines_of(self, change: &Change) -> Self {
        if self.diff.is_none() {
            return self;
        }
        let changed_lines = change.files.iter().flat_map(lines_of).collect();
        Self { provenance_data: ProvenanceData { changed_lines, ..self.provenance_data }, ..self }
    }
}

/// Nobody says who wrote them.
fn lines_of(file: &ChangedFile) -> impl Iterator<Item = ChangedLine> {
    let old = file.old.text().map(|text| split_lines(text)).unwrap_or_default();
    let new = file.new_lines();
    let row = |number: LineNumber, change_type: LineChange, texts: &[&[u8]]| ChangedLine {
        file_path: file.path.clone(),
        line_number: number.get(),
        change_type,
        language: None,
        content: texts.get(number.index()).map(|text| String::from_utf8_lossy(without_end(text)).into_owned()),
        timestamp: None,
        author_identity: None,
        attribution: PayloadAttribution::default(),
        content_sha256: None,
        attestation_signature: None,
    };
    let added = file.added().map(move |line| row(line, LineChange::Added, &new));
    let removed = file.removed().map(move |line| row(line, LineChange::Deleted, &old));
    added.chain(removed)
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use crate::change::{FileContent, LineChange, Payload, from_payload};
    use serde_json::json;

    fn payload(diff: &str) -> Payload {
        let body = json!({"repo": "o/r", "pr_number": 7, "base_sha": "a", "head_sha": "b", "diff": diff});
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn a_diff_has_a_line_for_each_that_came_or_went() {
        let diff = "--- a/x.py\n+++ b/x.py\n@@ -3,2 +3,2 @@\n kept\n-old\n+new\n\\ No newline at end of file\n\
                    --- /dev/null\n+++ b/y.py\n@@ -0,0 +1 @@\n+all\n\\ No newline at end of file\n";
        let posted = payload(diff);
        let change = from_payload(&posted).unwrap();
        let FileContent::Text(text) = &change.files[1].new.content else { panic!("{:?}", change.files[1]) };
        assert_eq!(&text[..], b"all");
        let rows = posted.with_lines_of(&change).provenance_data.changed_lines;
        let rows: Vec<_> =
            rows.iter().map(|row| (row.line_number, row.change_type, row.content.as_deref().unwrap())).collect();
        let expected = [(4, LineChange::Added, "new"), (4, LineChange::Deleted, "old"), (1, LineChange::Added, "all")];
        assert_eq!(rows, expected);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_field() {
        assert_eq!(from_payload(&payload("hello")).unwrap_err().field, "diff");
        let mut both = payload("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n");
        assert!(from_payload(&both).is_ok());
        both.provenance_data.changed_lines =
            both.clone().with_lines_of(&from_payload(&both).unwrap()).provenance_data.changed_lines;
        assert_eq!(from_payload(&both).unwrap_err().field, "diff");
    }
}
