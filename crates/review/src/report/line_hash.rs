//! The hash by which GitHub code scanning knows a line again: `primaryLocationLineHash`.

use std::collections::HashMap;

const BASE: u64 = 37;
const WINDOW: usize = 100;
const END: u16 = 65_535;

/// The hash of each line, from the first to the last: hexadecimal, a colon, and which of several equal ones it is.
pub fn line_hashes(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut hasher = Hasher::new();
    // A unit that is left out ends what a carriage return began.
    let mut after_return = false;
    for unit in text.encode_utf16() {
        let skipped = unit == u16::from(b' ') || unit == u16::from(b'\t') || (unit == u16::from(b'\n') && after_return);
        if skipped {
            after_return = false;
            continue;
        }
        after_return = unit == u16::from(b'\r');
        hasher.push(if after_return { u16::from(b'\n') } else { unit });
    }
    hasher.finish()
}

struct Hasher {
    window: [u16; WINDOW],
    /// The line that begins at each place of the window.
    starts: [Option<usize>; WINDOW],
    at: usize,
    hash: u64,
    /// BASE to the power of WINDOW.
    leaving: u64,
    lines: Vec<u64>,
    line: usize,
    line_start: bool,
}

impl Hasher {
    fn new() -> Self {
        let leaving = (0..WINDOW).fold(1_u64, |power, _| power.wrapping_mul(BASE));
        Self {
            window: [0; WINDOW],
            starts: [None; WINDOW],
            at: 0,
            hash: 0,
            leaving,
            lines: Vec::new(),
            line: 0,
            line_start: true,
        }
    }

    fn push(&mut self, unit: u16) {
        self.emit();
        if self.line_start {
            self.starts[self.at] = Some(self.line);
            self.line += 1;
            self.line_start = false;
        }
        if unit == u16::from(b'\n') {
            self.line_start = true;
        }
        self.roll(unit);
    }

    /// The line whose start leaves the window has all of its units in the hash.
    fn emit(&mut self) {
        if let Some(line) = self.starts[self.at].take() {
            if self.lines.len() <= line {
                self.lines.resize(line + 1, 0);
            }
            self.lines[line] = self.hash;
        }
    }

    fn roll(&mut self, unit: u16) {
        let out = u64::from(std::mem::replace(&mut self.window[self.at], unit));
        let hash = self.hash.wrapping_mul(BASE).wrapping_add(u64::from(unit));
        self.hash = hash.wrapping_sub(self.leaving.wrapping_mul(out));
        self.at = (self.at + 1) % WINDOW;
    }

    fn finish(mut self) -> Vec<String> {
        self.push(END);
        for _ in 0..WINDOW {
            self.emit();
            self.roll(0);
        }
        let mut seen: HashMap<u64, usize> = HashMap::new();
        let row = |hash: u64| {
            let count = seen.entry(hash).or_default();
            *count += 1;
            format!("{hash:x}:{count}")
        };
        self.lines.into_iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_examples_come_out() {
        assert_eq!(line_hashes(b""), ["c129715d7a2bc9a3:1"]);
        assert_eq!(
            line_hashes(b" a\nb\n  \t\tc\n d"),
            ["271789c17abda88f:1", "54703d4cd895b18:1", "180aee12dab6264:1", "a23a3dc5e078b07b:1"]
        );
        let expected = [
            "e54938cc54b302f1:1",
            "bb609acbe9138d60:1",
            "1131fd5871777f34:1",
            "5c482a0f8b35ea28:1",
            "54517377da7028d2:1",
            "2c644846cb18d53e:1",
            "f1b89f20de0d133:1",
            "c129715d7a2bc9a3:1",
        ];
        assert_eq!(line_hashes(b"x = 2\nx = 1\nprint(x)\nx = 3\nprint(x)\nx = 4\nprint(x)\n"), expected);
    }

    #[test]
    fn equal_lines_are_counted() {
        let hashes = line_hashes(&b"a\n".repeat(300));
        assert_eq!(hashes.len(), 301);
        assert!(hashes[0].ends_with(":1") && hashes[100].ends_with(":101"));
    }
}
