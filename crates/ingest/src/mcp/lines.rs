//! Lines of a stream that comes in pieces.

/// Longest line that is looked at.
const MAX_LINE: usize = 32 << 20;

/// Cuts a stream into lines.
#[derive(Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
    /// The line that is coming can't be looked at: it is too long, or a part of it was skipped.
    spoiled: Option<&'static str>,
}

/// A line that came.
pub(super) enum Line {
    Whole(Vec<u8>),
    /// A line that was not kept whole, and why.
    Spoiled(&'static str, Vec<u8>),
}

impl Lines {
    /// Takes the next bytes; gives the lines that end in them.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            self.add(&bytes[..end]);
            bytes = &bytes[end + 1..];
            lines.extend(self.finish());
        }
        self.add(bytes);
        lines
    }

    /// The stream lost bytes here.
    pub(super) fn skip(&mut self) {
        self.spoiled = Some("a part of it was not looked at");
    }

    /// The line that is there when the stream ends, or a line ends.
    pub(super) fn finish(&mut self) -> Option<Line> {
        let line = std::mem::take(&mut self.begun);
        match self.spoiled.take() {
            Some(why) => Some(Line::Spoiled(why, line)),
            None if line.trim_ascii().is_empty() => None,
            None => Some(Line::Whole(line)),
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        let room = MAX_LINE - self.begun.len();
        if bytes.len() > room {
            self.spoiled.get_or_insert("it is longer than any message");
        }
        self.begun.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: Vec<Line>) -> Vec<String> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        let show = |line| match line {
            Line::Whole(bytes) => text(bytes),
            Line::Spoiled(_, bytes) => format!("!{}", text(bytes)),
        };
        lines.into_iter().map(show).collect()
    }

    #[test]
    fn pieces_become_lines_and_gaps_spoil_one_line_only() {
        let mut lines = Lines::default();
        assert_eq!(texts(lines.take(b"a\nb")), ["a"]);
        assert_eq!(texts(lines.take(b"c\n\r\n\nd")), ["bc"]);
        lines.skip();
        assert_eq!(texts(lines.take(b"e\nf\ng")), ["!de", "f"]);
        assert_eq!(texts(lines.finish().into_iter().collect()), ["g"]);
    }
}
