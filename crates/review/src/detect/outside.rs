//! What other engines report, brought to our form.

use crate::detect::gap::{CoverageGap, GapReason};
use crate::detect::input::ScanFile;
use crate::detect::registry::Scan;
use crate::detect::suppression;
use crate::detect::text::{Text, words};
use crate::finding::{Category, Cwe, Engine, Finding, Fingerprint, RuleId, Severity};
use crate::lines::LineNumber;
use std::collections::{BTreeMap, HashMap};

/// A finding as an engine tells it.
pub(super) struct Reported {
    pub(super) rule: RuleId,
    pub(super) rule_version: String,
    pub(super) category: Category,
    pub(super) severity: Severity,
    pub(super) cwe: Option<Cwe>,
    pub(super) message: String,
    pub(super) help: String,
    pub(super) place: Place,
}

/// Where an engine says that it is.
pub(super) struct Place {
    pub(super) path: String,
    pub(super) line: usize,
    pub(super) end_line: Option<usize>,
    pub(super) start_column: Option<u32>,
    pub(super) end_column: Option<u32>,
}

/// Keeps what touches changed lines. What points to no line of the change's files is a gap: it can't be judged.
pub(super) fn place(files: &[ScanFile], engine: &Engine, reported: impl Iterator<Item = Reported>) -> Scan {
    let by_path: HashMap<&str, &ScanFile> = files.iter().map(|file| (file.path.as_str(), file)).collect();
    let mut texts: HashMap<&str, Text> = HashMap::new();
    let mut ordinals: BTreeMap<(RuleId, String, String), u32> = BTreeMap::new();
    let mut scan = Scan::default();
    let mut all: Vec<Reported> = reported.collect();
    // The order in which an engine reports must not change which of several equal ones is the first.
    all.sort_by(|a, b| (&a.place.path, a.place.line, &a.rule).cmp(&(&b.place.path, b.place.line, &b.rule)));
    for found in all {
        let lost = |detail: String| CoverageGap {
            path: Some(found.place.path.clone()),
            engine: engine.clone(),
            reason: GapReason::Skipped { detail },
        };
        let Some(file) = by_path.get(found.place.path.as_str()) else {
            scan.gaps.push(lost(format!("{} was reported for a file that is not part of the change", found.rule)));
            continue;
        };
        let text = texts.entry(&file.path).or_insert_with(|| Text::decode(&file.bytes));
        let last = found.place.end_line.unwrap_or(found.place.line);
        let lines = LineNumber::new(found.place.line).zip(LineNumber::new(last.max(found.place.line)));
        let Some((line, end_line)) = lines.filter(|(line, _)| line.index() < text.line_count().max(1)) else {
            scan.gaps
                .push(lost(format!("{} was reported for line {}, which is not there", found.rule, found.place.line)));
            continue;
        };
        let content = words(text.lines(line, end_line));
        let ordinal = ordinals.entry((found.rule.clone(), file.path.clone(), content.clone())).or_insert(0);
        let fingerprint = Fingerprint::of(&found.rule, &file.path, &content, *ordinal);
        *ordinal += 1;
        // git counts no lines in UTF-16, so that nobody can say which have changed.
        if !text.recoded && !file.changed_lines.overlaps(line, end_line) {
            continue;
        }
        let width = u32::try_from(text.line(end_line).len()).unwrap_or(u32::MAX).saturating_add(1);
        scan.findings.push(Finding {
            suppressed_by_author: suppression::covering(line, end_line, |line| text.line(line)),
            rule: found.rule,
            rule_version: found.rule_version,
            category: found.category,
            severity: found.severity,
            cwe: found.cwe,
            engine: engine.clone(),
            message: found.message,
            help: found.help,
            path: file.path.clone(),
            line,
            end_line,
            start_column: found.place.start_column.unwrap_or(1),
            end_column: found.place.end_column.unwrap_or(width),
            fingerprint,
        });
    }
    scan
}
