//! A change from the text of a unified diff.
//!
//! Hunk headers say how many lines follow, so that a removed line that looks like a header is not taken for one.

use crate::change::content::{ChangeKind, ChangedFile, FileContent, Side};
use crate::change::error::ChangeError;
use crate::change::payload::check_path;
use crate::change::span::Span;
use crate::change::{Change, Origin};
use agentprov_model::OsBytes;
use std::sync::Arc;

/// Highest line number that is taken: unknown lines before it are held as empty ones.
pub(super) const MAX_LINE: usize = 2_000_000;
/// Bytes of a diff.
const MAX_DIFF: usize = 256 << 20;

/// Reads a diff as git, `diff -u` and forges write it.
///
/// # Errors
/// [`ChangeError::Diff`] with the line that is wrong.
pub fn from_diff(text: &[u8]) -> Result<Change, ChangeError> {
    if text.len() > MAX_DIFF {
        return Err(ChangeError::TooLarge(format!("the diff has more than {MAX_DIFF} bytes")));
    }
    let mut parser = Parser { lines: agentprov_graph::diff::split_lines(text), at: 0, files: Vec::new(), total: 0 };
    while parser.at < parser.lines.len() {
        parser.step()?;
    }
    let mut files: Vec<ChangedFile> = Vec::with_capacity(parser.files.len());
    for draft in parser.files {
        files.push(draft.finish()?);
    }
    if files.is_empty() && !text.iter().all(u8::is_ascii_whitespace) {
        return Err(ChangeError::Diff { line: 1, what: "it names no file" });
    }
    files.sort_by(|a, b| a.raw_path.cmp(&b.raw_path));
    Ok(Change { origin: Origin::Diff, files, asserted: Vec::new() })
}

/// A file that is being read.
#[derive(Default)]
struct Draft {
    line: usize,
    old_path: Option<Vec<u8>>,
    new_path: Option<Vec<u8>>,
    created: bool,
    deleted: bool,
    renamed: bool,
    binary: bool,
    modes: (u32, u32),
    old: Lines,
    new: Lines,
    spans: Vec<Span>,
}

/// Lines of one side, those in between unknown.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    count: usize,
}

impl Lines {
    fn fill(&mut self, count: usize) -> usize {
        let missing = count.saturating_sub(self.count);
        if missing > 0 && self.count > 0 && !self.bytes.ends_with(b"\n") {
            self.bytes.push(b'\n');
        }
        self.bytes.resize(self.bytes.len() + missing, b'\n');
        self.count += missing;
        missing
    }

    fn push(&mut self, line: &[u8]) {
        if !self.bytes.is_empty() && !self.bytes.ends_with(b"\n") {
            self.bytes.push(b'\n');
        }
        self.bytes.extend_from_slice(line);
        if !line.ends_with(b"\n") {
            self.bytes.push(b'\n');
        }
        self.count += 1;
    }

    /// The last line has no end.
    fn open_end(&mut self) {
        if self.bytes.ends_with(b"\n") {
            self.bytes.pop();
        }
    }
}

impl Draft {
    fn finish(self) -> Result<ChangedFile, ChangeError> {
        let wrong = |what| ChangeError::Diff { line: self.line, what };
        let kind = match () {
            () if self.created => ChangeKind::Added,
            () if self.deleted => ChangeKind::Deleted,
            () if self.renamed => ChangeKind::Renamed,
            () => ChangeKind::Modified,
        };
        let (old, new) = (self.old_path.map(OsBytes::new), self.new_path.map(OsBytes::new));
        let path = if self.deleted { old.clone() } else { new };
        let path = path.ok_or_else(|| wrong("a file without a name"))?;
        check_path(&path).map_err(|_| wrong("a path that leads out of the repository"))?;
        let side = |present: bool, mode: u32, lines: Vec<u8>, whole: bool| match (present, self.binary) {
            (false, _) => Side::absent(),
            (true, true) => {
                let why = "the diff has no content of binary files".to_owned();
                Side { mode, blob: None, content: FileContent::Unavailable(why) }
            }
            (true, false) => {
                let text = Arc::from(lines);
                let content = if whole { FileContent::Text(text) } else { FileContent::Fragment(text) };
                Side { mode, blob: None, content }
            }
        };
        Ok(ChangedFile {
            path: path.lossy().into_owned(),
            old_path: old.filter(|old| *old != path && !self.created),
            raw_path: path,
            kind,
            old: side(!self.created, self.modes.0, self.old.bytes, self.deleted),
            new: side(!self.deleted, self.modes.1, self.new.bytes, self.created),
            spans: self.spans,
            language: None,
        })
    }
}

struct Parser<'a> {
    lines: Vec<&'a [u8]>,
    at: usize,
    files: Vec<Draft>,
    total: usize,
}

impl<'a> Parser<'a> {
    fn wrong(&self, what: &'static str) -> ChangeError {
        ChangeError::Diff { line: self.at, what }
    }

    fn step(&mut self) -> Result<(), ChangeError> {
        let line = self.lines[self.at];
        let text = line.trim_ascii_end();
        self.at += 1;
        if let Some(names) = text.strip_prefix(b"diff --git ") {
            let (old, new) = header_names(names).unzip();
            self.files.push(Draft { line: self.at, old_path: old, new_path: new, ..Draft::default() });
        } else if line.starts_with(b"@@ ") {
            self.hunk(text)?;
        } else if text.starts_with(b"--- ") && self.lines.get(self.at).is_some_and(|next| next.starts_with(b"+++ ")) {
            self.names(text)?;
        } else if let Some(draft) = self.files.last_mut() {
            extended(draft, text);
        }
        Ok(())
    }

    /// `---` and `+++`.
    fn names(&mut self, text: &'a [u8]) -> Result<(), ChangeError> {
        let name = |line: &'a [u8]| file_name(line.trim_ascii_end().get(4..).unwrap_or_default());
        let (old, new) = (name(text), name(self.lines[self.at]));
        self.at += 1;
        // Without git's header, or after the hunks of a file, this begins the next one.
        if self.files.last().is_none_or(|draft| !draft.spans.is_empty() || draft.old.count + draft.new.count > 0) {
            self.files.push(Draft { line: self.at, ..Draft::default() });
        }
        let wrong = self.wrong("names that are not understood");
        let Some(draft) = self.files.last_mut() else { return Err(wrong) };
        match (old, new) {
            (None, None) => return Err(wrong),
            (None, Some(new)) => (draft.created, draft.new_path) = (true, Some(strip(&new, b"b/"))),
            (Some(old), None) => (draft.deleted, draft.old_path) = (true, Some(strip(&old, b"a/"))),
            (Some(old), Some(new)) => {
                (draft.old_path, draft.new_path) = (Some(strip(&old, b"a/")), Some(strip(&new, b"b/")));
            }
        }
        Ok(())
    }

    fn hunk(&mut self, text: &[u8]) -> Result<(), ChangeError> {
        let ((old_start, mut old_left), (new_start, mut new_left)) =
            ranges(text).ok_or_else(|| self.wrong("a hunk header that is not understood"))?;
        if old_start.max(new_start) + old_left.max(new_left) > MAX_LINE {
            return Err(self.wrong("a line number that is too large"));
        }
        let Some(mut draft) = self.files.pop() else { return Err(self.wrong("a hunk without a file")) };
        // A range of no lines names the line before it.
        let before = |start: usize, count: usize| if count == 0 { start } else { start.saturating_sub(1) };
        let (old_before, new_before) = (before(old_start, old_left), before(new_start, new_left));
        if old_before < draft.old.count || new_before < draft.new.count {
            return Err(self.wrong("a hunk that overlaps the one before it"));
        }
        self.total += draft.old.fill(old_before) + draft.new.fill(new_before);
        if self.total > 8 * MAX_LINE {
            return Err(self.wrong("unknown lines beyond what is taken"));
        }
        let mut last = b' ';
        while old_left + new_left > 0 || self.lines.get(self.at).is_some_and(|line| line.starts_with(b"\\")) {
            let Some(line) = self.lines.get(self.at) else { return Err(self.wrong("a hunk that ends early")) };
            self.at += 1;
            let (mark, rest) = line.split_first().unwrap_or((&b' ', &[]));
            let (old, new) = (draft.old.count, draft.new.count);
            match mark {
                b' ' | b'\n' | b'\r' if old_left > 0 && new_left > 0 => {
                    let kept = if *mark == b' ' { rest } else { line };
                    draft.old.push(kept);
                    draft.new.push(kept);
                    (old_left, new_left) = (old_left - 1, new_left - 1);
                }
                b'-' if old_left > 0 => {
                    draft.old.push(rest);
                    old_left -= 1;
                    extend(&mut draft.spans, old..old + 1, new..new);
                }
                b'+' if new_left > 0 => {
                    draft.new.push(rest);
                    new_left -= 1;
                    extend(&mut draft.spans, old..old, new..new + 1);
                }
                b'\\' => {
                    let sides = [(&mut draft.old, b'+'), (&mut draft.new, b'-')];
                    sides.into_iter().filter(|(_, other)| last != *other).for_each(|(side, _)| side.open_end());
                }
                _ => return Err(self.wrong("a line that belongs to no hunk")),
            }
            last = *mark;
        }
        self.files.push(draft);
        Ok(())
    }
}

/// Adds a line to the last span, or begins the next.
fn extend(spans: &mut Vec<Span>, old: std::ops::Range<usize>, new: std::ops::Range<usize>) {
    match spans.last_mut() {
        Some(last) if last.old.end == old.start && last.new.end == new.start => {
            (last.old.end, last.new.end) = (old.end, new.end);
        }
        _ => spans.push(Span { old, new }),
    }
}

/// The lines of git between its header and the hunks.
fn extended(draft: &mut Draft, text: &[u8]) {
    let mode = |digits: &[u8]| {
        std::str::from_utf8(digits).ok().and_then(|digits| u32::from_str_radix(digits, 8).ok()).unwrap_or(0)
    };
    if let Some(digits) = text.strip_prefix(b"new file mode ") {
        (draft.created, draft.modes.1) = (true, mode(digits));
    } else if let Some(digits) = text.strip_prefix(b"deleted file mode ") {
        (draft.deleted, draft.modes.0) = (true, mode(digits));
    } else if let Some(digits) = text.strip_prefix(b"old mode ") {
        draft.modes.0 = mode(digits);
    } else if let Some(digits) = text.strip_prefix(b"new mode ") {
        draft.modes.1 = mode(digits);
    } else if let Some(name) = text.strip_prefix(b"rename from ") {
        (draft.renamed, draft.old_path) = (true, Some(unquote(name)));
    } else if let Some(name) = text.strip_prefix(b"rename to ") {
        (draft.renamed, draft.new_path) = (true, Some(unquote(name)));
    } else if text.starts_with(b"Binary files ") || text == b"GIT binary patch" {
        draft.binary = true;
    }
}

/// `a/X b/X`; only names that are equal can be split without doubt, others follow in lines of their own.
fn header_names(names: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    if names.starts_with(b"\"") {
        let end = 1 + names[1..].windows(2).position(|pair| pair[1] == b'"' && pair[0] != b'\\')? + 2;
        let (old, new) = (unquote(&names[..end]), unquote(names.get(end + 1..)?));
        return Some((strip(&old, b"a/"), strip(&new, b"b/")));
    }
    let half = names.len() / 2;
    let (old, new) = (names.get(..half)?, names.get(half + 1..)?);
    let (old, new) = (strip(old, b"a/"), strip(new, b"b/"));
    (old == new).then_some((old, new))
}

/// The name in a `---` or `+++` line; None for `/dev/null`.
fn file_name(text: &[u8]) -> Option<Vec<u8>> {
    // `diff -u` puts a time after a tab.
    let name = if text.starts_with(b"\"") { text } else { text.split(|byte| *byte == b'\t').next()? };
    (name != b"/dev/null").then(|| unquote(name))
}

fn strip(name: &[u8], prefix: &[u8]) -> Vec<u8> {
    name.strip_prefix(prefix).unwrap_or(name).to_vec()
}

/// Takes git's C-style quotes off.
fn unquote(name: &[u8]) -> Vec<u8> {
    let Some(inner) = name.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) else { return name.to_vec() };
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            plain.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'n') => plain.push(b'\n'),
            Some(b't') => plain.push(b'\t'),
            Some(b'r') => plain.push(b'\r'),
            Some(b'a') => plain.push(7),
            Some(b'b') => plain.push(8),
            Some(b'v') => plain.push(11),
            Some(b'f') => plain.push(12),
            Some(digit @ b'0'..=b'7') => {
                let mut value = u32::from(digit - b'0');
                for _ in 0..2 {
                    if let Some(digit) = bytes.next_if(|digit| matches!(digit, b'0'..=b'7')) {
                        value = value * 8 + u32::from(digit - b'0');
                    }
                }
                plain.push((value & 0xff) as u8);
            }
            Some(other) => plain.push(other),
            None => {}
        }
    }
    plain
}

/// `@@ -a,b +c,d @@`.
fn ranges(text: &[u8]) -> Option<((usize, usize), (usize, usize))> {
    let text = std::str::from_utf8(text.get(..text.len().min(100))?).ok().or_else(|| {
        let end = text.windows(3).position(|window| window == b" @@")?;
        std::str::from_utf8(&text[..end + 3]).ok()
    })?;
    let mut words = text.split(' ').skip(1);
    let range = |word: &str| {
        let (start, count) = word.split_once(',').unwrap_or((word, "1"));
        Some((start.parse::<u32>().ok()? as usize, count.parse::<u32>().ok()? as usize))
    };
    let old = range(words.next()?.strip_prefix('-')?)?;
    let new = range(words.next()?.strip_prefix('+')?)?;
    (words.next()? == "@@").then_some((old, new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removed_lines_that_look_like_headers_stay_lines() {
        let diff = b"diff --git a/q.sql b/q.sql\n--- a/q.sql\n+++ b/q.sql\n@@ -3,2 +3,1 @@ x\n--- old comment\n-b\n+++ new\n@@ -9 +8,0 @@\n-z\n";
        let change = from_diff(diff).unwrap();
        let file = &change.files[0];
        assert_eq!((file.path.as_str(), file.kind), ("q.sql", ChangeKind::Modified));
        assert_eq!(file.spans, [Span { old: 2..4, new: 2..3 }, Span { old: 8..9, new: 8..8 }]);
        assert_eq!(file.new_lines()[2], b"++ new\n");
        assert!(matches!(file.new.content, FileContent::Fragment(_)));
    }

    #[test]
    fn names_may_be_quoted_renamed_or_gone() {
        let diff = "diff --git \"a/t\\303\\244 b\" \"b/t\\303\\244 b\"\nold mode 100644\nnew mode 100755\n\
                    diff --git a/x y b/x y\nnew file mode 100644\n--- /dev/null\n+++ b/x y\t\n@@ -0,0 +1 @@\n+a\n\\ No newline at end of file\n\
                    diff --git a/old b/new\nsimilarity index 100%\nrename from old\nrename to new\n\
                    diff --git a/gone b/gone\ndeleted file mode 100644\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n";
        let change = from_diff(diff.as_bytes()).unwrap();
        let kinds: Vec<_> = change.files.iter().map(|file| (file.path.as_str(), file.kind)).collect();
        assert_eq!(
            kinds,
            [
                ("gone", ChangeKind::Deleted),
                ("new", ChangeKind::Renamed),
                ("t\u{e4} b", ChangeKind::Modified),
                ("x y", ChangeKind::Added)
            ]
        );
        assert_eq!(change.files[1].old_path, Some(OsBytes::from("old")));
        assert_eq!(change.files[2].new.mode, 0o100_755);
    }

    const WHOLE: &[u8] = b"diff --git \"a/t\\303\\244 b\" \"b/t\\303\\244 b\"\nold mode 100644\nnew mode 100755\n\
        diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -1,2 +1,3 @@ f\n a\n-b\n+c\n+d\n@@ -9 +10,0 @@\n-z\n\\ No newline at end of file\n";

    proptest::proptest! {
        #[test]
        fn damage_is_an_error_or_a_change_whose_lines_are_there(
            edits in proptest::collection::vec((0..WHOLE.len(), proptest::sample::select(&b"\n\r\"\\@+- ,09az/\0"[..])), 0..6),
            end in 0..=WHOLE.len(),
        ) {
            let mut text = WHOLE.to_vec();
            for (at, byte) in edits {
                text[at] = byte;
            }
            if let Ok(change) = from_diff(&text[..end]) {
                for file in &change.files {
                    let lines = file.new_lines().len();
                    proptest::prop_assert!(file.added().all(|line| line.index() < lines));
                }
            }
        }
    }

    #[test]
    fn damage_is_named_with_its_line() {
        for (diff, line) in [
            ("--- a/x\n+++ b/x\n@@ -1,2 +1 @@\n-a\n", 4),
            ("--- a/x\n+++ b/x\n@@ nonsense\n", 3),
            ("--- a/x\n+++ b/../../x\n@@ -1 +1 @@\n-a\n+b\n", 2),
            ("--- a/x\n+++ b/x\n@@ -4294967295 +1 @@\n-a\n+b\n", 3),
            ("hello\n", 1),
        ] {
            match from_diff(diff.as_bytes()) {
                Err(ChangeError::Diff { line: at, .. }) => assert_eq!(at, line, "{diff}"),
                other => panic!("{diff}: {other:?}"),
            }
        }
    }
}
