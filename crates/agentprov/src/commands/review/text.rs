//! A review for people.

use crate::failure::Failure;
use crate::render::{BAD, GOOD, QUIET, TITLE, UNSURE, count, styled};
use agentprov_graph::timeline::visible_text;
use agentprov_model::EventId;
use agentprov_review::attribution::{Claim, LineStatus};
use agentprov_review::change::{Change, Origin};
use agentprov_review::governance::{Outcome, RefusedWaiver};
use agentprov_review::{AuthorSuppression, FindingStatus, Review, ReviewedFinding, Severity};
use std::io::Write;

/// Findings, gaps and places that are printed of each kind.
const MAX_ROWS: usize = 50;
/// Pieces of evidence that are printed for a rule.
const MAX_EVIDENCE: usize = 5;

/// Prints a review.
pub(super) fn print(review: &Review, change: &Change, recordings: bool, noted: Option<EventId>) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    header(&mut out, review, change)?;
    owners(&mut out, review, recordings)?;
    findings(&mut out, review)?;
    gaps(&mut out, review)?;
    waivers(&mut out, review)?;
    for notice in &review.attribution.notices {
        writeln!(out, "{} {}", styled(UNSURE, "note:"), visible_text(notice))?;
    }
    verdict(&mut out, review)?;
    if let Some(fact) = noted {
        writeln!(out, "{}", styled(QUIET, format!("in the log as {fact}")))?;
    }
    Ok(())
}

fn header(out: &mut impl Write, review: &Review, change: &Change) -> Result<(), Failure> {
    let short = |commit: &str| commit.get(..12).unwrap_or(commit).to_owned();
    let what = match &change.origin {
        Origin::Range { base, head, .. } => format!("{}..{}", short(base), short(head)),
        Origin::Staged { .. } => "the index".into(),
        Origin::Worktree { .. } => "the work tree".into(),
        Origin::Diff => "a diff".into(),
        Origin::Payload { repo, .. } => visible_text(repo),
    };
    let (added, removed) =
        review.files.iter().fold((0, 0), |(added, removed), file| (added + file.added, removed + file.removed));
    let files = count(review.files.len() as u64, "file");
    writeln!(out, "{} {what}: {files}, {added} lines added, {removed} removed", styled(TITLE, "review"))?;
    Ok(())
}

fn owners(out: &mut impl Write, review: &Review, recordings: bool) -> Result<(), Failure> {
    if review.owners.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", styled(TITLE, "owners"))?;
    for row in review.owners.iter().take(MAX_ROWS) {
        let findings = match row.findings {
            0 => String::new(),
            some => format!(", {}", count(some, "open finding")),
        };
        let name = format!("{:<24}", visible_text(&row.owner));
        let name = if row.owner == "unknown" { styled(UNSURE, name) } else { name };
        writeln!(out, "  {name} {:>6} added {:>6} removed{findings}", row.added, row.removed)?;
    }
    let coverage = &review.coverage;
    let basis = [
        (coverage.observed_lines, "recorded"),
        (coverage.derived_lines, "preserved from recorded versions"),
        (coverage.asserted_lines, "only claimed"),
        (coverage.ambiguous_lines, "with several possible owners"),
        (coverage.contradicted_lines, "with claims that contradict each other"),
    ];
    let basis: Vec<String> =
        basis.iter().filter(|(lines, _)| *lines > 0).map(|(lines, what)| format!("{lines} {what}")).collect();
    let of = format!("  {} of {} lines have an owner", coverage.attributed_lines, coverage.total_lines);
    let more = if basis.is_empty() { String::new() } else { format!(": {}", basis.join(", ")) };
    writeln!(out, "{}", styled(QUIET, format!("{of}{more}")))?;
    // Evidence from elsewhere may have told all owners.
    if !recordings && coverage.attributed_lines < coverage.total_lines {
        let text = "  there are no recordings here: record the agent with agentprov record";
        writeln!(out, "{}", styled(QUIET, text))?;
    }
    Ok(())
}

fn findings(out: &mut impl Write, review: &Review) -> Result<(), Failure> {
    let mut open: Vec<&ReviewedFinding> =
        review.findings.iter().filter(|finding| finding.status == FindingStatus::Open).collect();
    open.sort_by_key(|finding| std::cmp::Reverse(finding.finding.severity));
    let suppressed = review.findings.len() - open.len();
    if open.is_empty() && suppressed == 0 {
        writeln!(out, "\n{}", styled(TITLE, "no findings"))?;
        return Ok(());
    }
    writeln!(out, "\n{}", styled(TITLE, "findings"))?;
    for finding in open.iter().take(MAX_ROWS) {
        one(out, review, finding)?;
    }
    if open.len() > MAX_ROWS {
        writeln!(out, "  and {} more: see --json", open.len() - MAX_ROWS)?;
    }
    if suppressed > 0 {
        writeln!(out, "{}", styled(QUIET, format!("  {suppressed} more are waived or suppressed")))?;
    }
    Ok(())
}

fn one(out: &mut impl Write, review: &Review, reviewed: &ReviewedFinding) -> Result<(), Failure> {
    let finding = &reviewed.finding;
    let style = match finding.severity {
        Severity::Critical | Severity::High => BAD,
        Severity::Medium => UNSURE,
        Severity::Low => QUIET,
    };
    let severity = styled(style, format!("{:<8}", finding.severity.as_str()));
    let place = format!("{}:{}", visible_text(&finding.path), finding.line);
    writeln!(out, "  {severity} {place}  {}  {}", finding.rule, visible_text(&finding.message))?;
    writeln!(out, "           {}", styled(QUIET, author(review, reviewed)))?;
    // Of a finding that is the comment itself this would say the same once more.
    let elsewhere = |by: &&AuthorSuppression| by.line != finding.line || finding.category.as_str() != "suppression";
    if let Some(by) = finding.suppressed_by_author.as_ref().filter(elsewhere) {
        let text = format!("the comment '{}' in line {} asks to be silent and is not obeyed", by.marker, by.line);
        writeln!(out, "           {}", styled(UNSURE, visible_text(&text)))?;
    }
    if let Some(waiver) = &reviewed.expired_waiver {
        let until = waiver.word.until.as_deref().unwrap_or("a day that is past");
        let text = format!("the waiver by {} ended on {until}", waiver.word.by);
        writeln!(out, "           {}", styled(UNSURE, visible_text(&text)))?;
    }
    if let Some(waiver) = &reviewed.refused_waiver {
        writeln!(out, "           {}", styled(UNSURE, visible_text(&format!("the waiver {}", refused(waiver)))))?;
    }
    if !finding.help.is_empty() {
        writeln!(out, "           {}", visible_text(&finding.help))?;
    }
    writeln!(out, "           {}", styled(QUIET, &reviewed.finding_id))?;
    Ok(())
}

/// Why a waiver clears nothing, and what to do about it.
fn refused(waiver: &RefusedWaiver) -> String {
    let by = if waiver.by.is_empty() { "nobody" } else { &waiver.by };
    format!("by {by} does not count: {}; to clear this: {}", waiver.message, waiver.to_clear)
}

/// Those of findings that are not in the change.
fn waivers(out: &mut impl Write, review: &Review) -> Result<(), Failure> {
    let shown = |waiver: &&RefusedWaiver| {
        let here = |one: &ReviewedFinding| one.refused_waiver.as_ref() == Some(*waiver);
        !review.findings.iter().any(here)
    };
    let rest: Vec<&RefusedWaiver> = review.refused_waivers.iter().filter(shown).collect();
    for waiver in rest.iter().take(MAX_ROWS) {
        let text = format!("the waiver of {} {}", waiver.finding, refused(waiver));
        writeln!(out, "{} {}", styled(UNSURE, "note:"), visible_text(&text))?;
    }
    if rest.len() > MAX_ROWS {
        writeln!(out, "  and {} more: see --json", rest.len() - MAX_ROWS)?;
    }
    Ok(())
}

fn author(review: &Review, reviewed: &ReviewedFinding) -> String {
    let claims: Vec<&Claim> = reviewed.claims.iter().map(|id| review.attribution.claim(*id)).collect();
    match (reviewed.attribution, claims.first()) {
        (LineStatus::Owned, Some(claim)) => format!("by {}", describe(claim)),
        (LineStatus::Ambiguous, Some(_)) => {
            let names: Vec<&str> = claims.iter().map(|claim| claim.author.name()).collect();
            format!("by one of: {}", visible_text(&names.join(", ")))
        }
        _ => "by nobody who is known".into(),
    }
}

/// Who, on what ground, and where that is written.
pub(crate) fn describe(claim: &Claim) -> String {
    let ground = format!("{}, confidence {}", claim.method.as_str(), claim.confidence.share());
    let where_from = match (&claim.deed, &claim.said_in) {
        (Some(deed), said_in) => {
            let writer = |id: &str, command: Option<&str>| format!("{id} {}", command.unwrap_or("(program not known)"));
            let process = match &deed.process_id {
                Some(id) => writer(id, deed.command.as_deref()),
                None => {
                    let all: Vec<String> =
                        deed.one_of.iter().map(|one| writer(&one.process_id, one.command.as_deref())).collect();
                    format!("one of {}", all.join(", "))
                }
            };
            let said_in = said_in.as_ref().map(|said_in| format!("; {said_in}")).unwrap_or_default();
            format!("run {}, {process}{said_in}", deed.run_id)
        }
        (None, Some(said_in)) => said_in.clone(),
        (None, None) => String::new(),
    };
    visible_text(&format!("{} ({ground}; {where_from})", claim.author.name()))
}

fn gaps(out: &mut impl Write, review: &Review) -> Result<(), Failure> {
    if review.gaps.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", styled(TITLE, "not scanned"))?;
    for gap in review.gaps.iter().take(MAX_ROWS) {
        writeln!(out, "  {}", visible_text(&gap.to_string()))?;
    }
    if review.gaps.len() > MAX_ROWS {
        writeln!(out, "  and {} more: see --json", review.gaps.len() - MAX_ROWS)?;
    }
    Ok(())
}

fn verdict(out: &mut impl Write, review: &Review) -> Result<(), Failure> {
    let style = match review.outcome {
        Outcome::Allow => GOOD,
        Outcome::Warn => UNSURE,
        Outcome::Block => BAD,
    };
    let outcome = styled(style, review.outcome);
    writeln!(out, "\n{} {outcome}: {}", styled(TITLE, "outcome"), visible_text(&review.rationale))?;
    for rule in &review.reasons {
        writeln!(out, "  {} {}: {}", rule.outcome, visible_text(&rule.code), visible_text(&rule.message))?;
        for evidence in rule.evidence.iter().take(MAX_EVIDENCE) {
            writeln!(out, "      {}", styled(QUIET, visible_text(evidence)))?;
        }
        if rule.evidence.len() > MAX_EVIDENCE {
            writeln!(out, "      {}", styled(QUIET, format!("and {} more", rule.evidence.len() - MAX_EVIDENCE)))?;
        }
        writeln!(out, "    to clear this: {}", rule.to_clear)?;
    }
    writeln!(out, "{}", styled(QUIET, format!("policy {}", review.policy_version)))?;
    Ok(())
}
