//! The change of a file, as a unified diff.

use crate::render::{BAD, GOOD, QUIET, TITLE, styled};
use imara_diff::{Algorithm, BasicLineDiffPrinter, Diff, InternedInput, UnifiedDiffConfig};
use std::io::{self, Write};
use std::path::Path;

/// Prints what changes between two texts; None is no file.
pub(super) fn print(out: &mut impl Write, path: &Path, before: Option<&str>, after: Option<&str>) -> io::Result<()> {
    let name = |text: Option<&str>| text.map_or_else(|| "/dev/null".to_owned(), |_| path.display().to_string());
    writeln!(out, "{}", styled(TITLE, format!("--- {}", name(before))))?;
    writeln!(out, "{}", styled(TITLE, format!("+++ {}", name(after))))?;
    for line in unified(before.unwrap_or_default(), after.unwrap_or_default()).lines() {
        let line = visible(line);
        match line.as_bytes().first() {
            Some(b'+') => writeln!(out, "{}", styled(GOOD, line))?,
            Some(b'-') => writeln!(out, "{}", styled(BAD, line))?,
            Some(b'@') => writeln!(out, "{}", styled(QUIET, line))?,
            _ => writeln!(out, "{line}")?,
        }
    }
    Ok(())
}

fn unified(before: &str, after: &str) -> String {
    let input = InternedInput::new(before, after);
    let mut diff = Diff::compute(Algorithm::Histogram, &input);
    diff.postprocess_lines(&input);
    diff.unified_diff(&BasicLineDiffPrinter(&input.interner), UnifiedDiffConfig::default(), &input).to_string()
}

/// Without characters that could steer the terminal.
fn visible(line: &str) -> String {
    line.chars().filter(|&character| character == '\t' || !character.is_control()).collect()
}
