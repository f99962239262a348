//! The review of a change, put together.

use crate::attribution::{Attribution, ClaimId, LineSide, LineStatus};
use crate::change::{Change, ChangedFile, FileContent, Origin};
use crate::detect::{CoverageGap, GapReason, Registry};
use crate::finding::{Engine, Finding, Severity};
use crate::finding_id::FindingId;
use crate::governance::{
    Counts, FiredRule, Outcome, Policy, PullRequestSignals, Refusal, RefusedWaiver, SignedWaiver, decide,
};
use agentprov_model::schema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Pieces of evidence that one rule lists.
const MAX_EVIDENCE: usize = 100;

/// Whether a finding counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingStatus {
    /// It counts.
    Open,
    /// Somebody answered for it.
    Suppressed,
}

/// A finding with who wrote its line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ReviewedFinding {
    /// Its id, the same in every review of the same lines.
    pub finding_id: FindingId,
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
    /// Whether it counts.
    pub status: FindingStatus,
    /// The decision by which it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiver: Option<SignedWaiver>,
    /// The decision that held until its last day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expired_waiver: Option<SignedWaiver>,
    /// A decision that clears nothing, with what it lacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused_waiver: Option<RefusedWaiver>,
    /// What is known of who wrote the line.
    pub attribution: LineStatus,
    /// Who is said to have written the changed lines that it touches.
    pub claims: Vec<ClaimId>,
    /// Who wrote the comment by which the author of the file asked not to be told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub suppressed_by: Vec<ClaimId>,
}

/// How many lines have an owner.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct LineCoverage {
    /// Changed lines.
    pub total_lines: u64,
    /// Lines with exactly one owner, on the ground that the policy asks for.
    pub attributed_lines: u64,
    /// The others.
    pub unknown_line_count: u64,
    /// Of the attributed ones: those whose writing was recorded.
    pub observed_lines: u64,
    /// Of the attributed ones: those that are preserved from recorded versions.
    pub derived_lines: u64,
    /// Of the attributed ones: those that somebody merely claims.
    pub asserted_lines: u64,
    /// Of the others: those with several possible owners.
    pub ambiguous_lines: u64,
    /// Lines whose claims contradict each other.
    pub contradicted_lines: u64,
}

/// Lines of one owner.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct OwnerLines {
    /// The owner's name; `unknown` for lines without.
    pub owner: String,
    /// Lines that it added.
    pub added: u64,
    /// Lines that it removed.
    pub removed: u64,
    /// Open findings in them.
    pub findings: u64,
}

/// A file of the change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FileSummary {
    /// The file.
    pub path: String,
    /// Its name before, where it was another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_path: Option<String>,
    /// What became of it.
    pub change: crate::change::ChangeKind,
    /// Lines added.
    pub added: usize,
    /// Lines removed.
    pub removed: usize,
    /// Mode before and after, where they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<(String, String)>,
    /// Git's name of the content after the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blob: Option<String>,
}

/// A review.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Review {
    /// Schema of this document.
    pub schema_version: String,
    /// What was reviewed.
    pub change: Origin,
    /// What follows.
    pub outcome: Outcome,
    /// The strongest reason.
    pub rationale: String,
    /// Every rule that fired, the worst first.
    pub reasons: Vec<FiredRule>,
    /// Label and digest of the policy.
    pub policy_version: String,
    /// What the policy counted.
    pub counts: Counts,
    /// How many lines have an owner.
    pub coverage: LineCoverage,
    /// Lines by owner, the most first.
    pub owners: Vec<OwnerLines>,
    /// Findings, by place.
    pub findings: Vec<ReviewedFinding>,
    /// What was not scanned.
    pub gaps: Vec<CoverageGap>,
    /// Decisions on findings that clear nothing, with what they lack.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused_waivers: Vec<RefusedWaiver>,
    /// Files.
    pub files: Vec<FileSummary>,
    /// Who wrote each line.
    pub attribution: Attribution,
}

/// Reviews a change: scans it and decides. Pure but for what detectors do.
pub fn analyse(change: &Change, attribution: &Attribution, detectors: &Registry, policy: &Policy) -> Review {
    analyse_with(change, attribution, detectors, policy, PullRequestSignals::default())
}

/// The same, with what the pull request went through.
pub fn analyse_with(
    change: &Change,
    attribution: &Attribution,
    detectors: &Registry,
    policy: &Policy,
    signals: PullRequestSignals,
) -> Review {
    let scan = detectors.scan(&change.scan_files());
    let mut gaps = scan.gaps;
    gaps.extend(gaps_of(change));
    gaps.sort_unstable();
    gaps.dedup();
    let index = Index::new(attribution);
    let findings: Vec<ReviewedFinding> =
        scan.findings.into_iter().map(|finding| reviewed(finding, &index, policy)).collect();
    let mut counts =
        Counts { signals, gaps: gaps.iter().filter(|gap| gap.is_loss()).count() as u64, ..Counts::default() };
    for finding in findings.iter().filter(|finding| finding.status == FindingStatus::Open) {
        counts.finding(finding.finding.severity, &finding.finding.category);
    }
    let coverage = coverage(attribution, policy);
    counts.unknown_lines = coverage.unknown_line_count;
    counts.contradicted_lines = coverage.contradicted_lines;
    let policy_files = change.files.iter().filter(|file| is_policy(file)).count();
    counts.policy_changes = policy_files as u64;
    let mut reasons = decide(policy, &counts);
    for reason in &mut reasons {
        reason.evidence = evidence(&reason.code, change, attribution, &findings, &gaps, policy);
        if let Some(refused) = refused_beneath(&reason.code, &findings) {
            reason.to_clear = format!("{}; {refused}", reason.to_clear);
        }
    }
    let outcome = reasons.first().map_or(Outcome::Allow, |reason| reason.outcome);
    let rationale = reasons.first().map_or_else(|| "no rule of the policy fired".into(), |rule| rule.message.clone());
    Review {
        schema_version: schema::v1("review"),
        change: change.origin.clone(),
        outcome,
        rationale,
        reasons,
        policy_version: policy.version(),
        counts,
        coverage,
        owners: owners(attribution, &findings, policy),
        refused_waivers: refused_waivers(&findings, policy),
        findings,
        gaps,
        files: change.files.iter().map(summary).collect(),
        attribution: attribution.clone(),
    }
}

fn is_policy(file: &ChangedFile) -> bool {
    [Policy::FILE, Policy::WAIVER_FILE]
        .iter()
        .any(|name| file.path == *name || file.old_path.as_ref().is_some_and(|old| old.as_bytes() == name.as_bytes()))
}

/// What no detector is given, and why.
fn gaps_of(change: &Change) -> Vec<CoverageGap> {
    let engine = Engine::from_static("agentprov");
    let gap =
        |path: Option<&str>, reason| CoverageGap { path: path.map(str::to_owned), engine: engine.clone(), reason };
    let mut gaps = Vec::new();
    if change.line_count() == 0 && change.files.iter().all(|file| file.new.content == file.old.content) {
        let detail = "the change has no line that could be reviewed".into();
        gaps.push(gap(None, GapReason::Skipped { detail }));
    }
    for file in &change.files {
        let reason = match &file.new.content {
            FileContent::Unavailable(_) => GapReason::ContentAbsent,
            FileContent::LfsPointer { .. } => {
                GapReason::Skipped { detail: "the file itself is in Git LFS storage".into() }
            }
            FileContent::Submodule(_) if file.new != file.old => {
                GapReason::Skipped { detail: "the commits of a submodule are not part of the change".into() }
            }
            _ => continue,
        };
        gaps.push(gap(Some(&file.path), reason));
    }
    gaps
}

/// Looks lines of files up.
struct Index<'a> {
    attribution: &'a Attribution,
    added: BTreeMap<&'a str, BTreeMap<u32, usize>>,
    files: BTreeMap<&'a str, usize>,
}

impl<'a> Index<'a> {
    fn new(attribution: &'a Attribution) -> Self {
        let mut index = Self { attribution, added: BTreeMap::new(), files: BTreeMap::new() };
        for (place, file) in attribution.files.iter().enumerate() {
            index.files.insert(&file.path, place);
            let lines = index.added.entry(&file.path).or_default();
            let added = file.lines.iter().enumerate().filter(|(_, line)| line.side == LineSide::Added);
            lines.extend(added.map(|(at, line)| (line.line.get(), at)));
        }
        index
    }

    /// Claims on the changed lines of a range, and the least that is known of one of them.
    fn claims(&self, path: &str, first: u32, last: u32) -> (Vec<ClaimId>, LineStatus) {
        let file = self.files.get(path).map(|place| &self.attribution.files[*place]);
        let (Some(file), Some(lines)) = (file, self.added.get(path)) else { return (Vec::new(), LineStatus::Unknown) };
        let mut claims: Vec<ClaimId> = Vec::new();
        let mut status: Option<LineStatus> = None;
        for (_, at) in lines.range(first..=last.max(first)) {
            let line = &file.lines[*at];
            claims.extend(&line.claims);
            status = status.max(Some(line.status));
        }
        claims.sort_by_key(|id| (self.attribution.claim(*id).method, *id));
        claims.dedup();
        (claims, status.unwrap_or(LineStatus::Unknown))
    }
}

fn reviewed(finding: Finding, index: &Index<'_>, policy: &Policy) -> ReviewedFinding {
    let (claims, attribution) = index.claims(&finding.path, finding.line.get(), finding.end_line.get());
    let suppressed_by = finding.suppressed_by_author.as_ref().map(|by| {
        let line = by.line.get();
        index.claims(&finding.path, line, line).0
    });
    let finding_id = FindingId::of(&finding.fingerprint);
    let waiver = policy.waivers.get(&finding_id).cloned();
    let status = if waiver.is_some() { FindingStatus::Suppressed } else { FindingStatus::Open };
    let expired_waiver = policy.waivers.expired(&finding_id).filter(|_| waiver.is_none()).cloned();
    let refused_waiver = policy.waivers.refused(&finding_id).filter(|_| waiver.is_none()).cloned();
    ReviewedFinding {
        finding_id,
        finding,
        status,
        waiver,
        expired_waiver,
        refused_waiver,
        attribution,
        claims,
        suppressed_by: suppressed_by.unwrap_or_default(),
    }
}

fn coverage(attribution: &Attribution, policy: &Policy) -> LineCoverage {
    use agentprov_model::Basis;
    let mut coverage = LineCoverage::default();
    for line in attribution.files.iter().flat_map(|file| &file.lines) {
        coverage.total_lines += 1;
        coverage.contradicted_lines += u64::from(line.contradicted);
        coverage.ambiguous_lines += u64::from(line.status == LineStatus::Ambiguous);
        let Some(owner) = attribution.owner(line).filter(|owner| policy.accepts(owner.basis)) else {
            coverage.unknown_line_count += 1;
            continue;
        };
        coverage.attributed_lines += 1;
        match owner.basis {
            Basis::Observed => coverage.observed_lines += 1,
            Basis::Derived => coverage.derived_lines += 1,
            Basis::Asserted => coverage.asserted_lines += 1,
        }
    }
    coverage
}

fn owners(attribution: &Attribution, findings: &[ReviewedFinding], policy: &Policy) -> Vec<OwnerLines> {
    let mut by_name: BTreeMap<String, OwnerLines> = BTreeMap::new();
    let name = |claim: Option<&crate::attribution::Claim>| {
        let claim = claim.filter(|claim| policy.accepts(claim.basis));
        claim.map_or("unknown", |claim| claim.author.name()).to_owned()
    };
    let mut entry = |owner: String, add: &dyn Fn(&mut OwnerLines)| {
        let row = by_name.entry(owner.clone());
        add(row.or_insert(OwnerLines { owner, added: 0, removed: 0, findings: 0 }));
    };
    for line in attribution.files.iter().flat_map(|file| &file.lines) {
        entry(name(attribution.owner(line)), &|row| match line.side {
            LineSide::Added => row.added += 1,
            LineSide::Removed => row.removed += 1,
        });
    }
    for finding in findings.iter().filter(|finding| finding.status == FindingStatus::Open) {
        let owned = finding.attribution == LineStatus::Owned;
        let claim = finding.claims.first().filter(|_| owned).map(|id| attribution.claim(*id));
        entry(name(claim), &|row| row.findings += 1);
    }
    let mut rows: Vec<OwnerLines> = by_name.into_values().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.added + row.removed));
    rows
}

/// Whether a rule of the policy counts a finding.
fn counts(code: &str, finding: &Finding) -> bool {
    match code.split_once(':') {
        Some(("severity", name)) => Severity::parse(name) == Some(finding.severity),
        Some(("category", name)) => finding.category.as_str() == name,
        _ => false,
    }
}

/// That findings which a rule counts were answered for in vain, with how to mend the first.
fn refused_beneath(code: &str, findings: &[ReviewedFinding]) -> Option<String> {
    let counted = |one: &&ReviewedFinding| one.status == FindingStatus::Open && counts(code, &one.finding);
    let mut refused = findings.iter().filter(counted).filter_map(|one| one.refused_waiver.as_ref());
    let first = refused.next()?;
    let more = match refused.count() {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    Some(format!("a waiver of {} does not count{more}: {}; {}", first.finding, first.message, first.to_clear))
}

/// Those of findings in the change, and those that are wrong wherever they stand.
fn refused_waivers(findings: &[ReviewedFinding], policy: &Policy) -> Vec<RefusedWaiver> {
    let here = |refused: &&RefusedWaiver| {
        !matches!(refused.why, Refusal::OtherRepository | Refusal::UnknownRepository)
            || findings.iter().any(|one| one.refused_waiver.as_ref() == Some(*refused))
    };
    policy.waivers.all_refused().iter().filter(here).cloned().collect()
}

/// Where to look for what made a rule fire.
fn evidence(
    code: &str,
    change: &Change,
    attribution: &Attribution,
    findings: &[ReviewedFinding],
    gaps: &[CoverageGap],
    policy: &Policy,
) -> Vec<String> {
    let open = findings.iter().filter(|finding| finding.status == FindingStatus::Open);
    let place =
        |finding: &ReviewedFinding| format!("{} {}:{}", finding.finding_id, finding.finding.path, finding.finding.line);
    let lines = |wanted: &dyn Fn(&crate::attribution::LineAttribution) -> bool| -> Vec<String> {
        let rows = attribution.files.iter().flat_map(|file| file.lines.iter().map(move |line| (file, line)));
        let sign = |side| if side == LineSide::Added { "" } else { " (removed)" };
        let rows = rows.filter(|(_, line)| wanted(line)).take(MAX_EVIDENCE);
        rows.map(|(file, line)| format!("{}:{}{}", file.path, line.line, sign(line.side))).collect()
    };
    if code.contains(':') {
        return open.filter(|one| counts(code, &one.finding)).map(place).take(MAX_EVIDENCE).collect();
    }
    match code {
        "unknown_lines" => lines(&|line| !attribution.owner(line).is_some_and(|owner| policy.accepts(owner.basis))),
        "contradiction" => lines(&|line| line.contradicted),
        "coverage_gap" => gaps.iter().filter(|gap| gap.is_loss()).take(MAX_EVIDENCE).map(ToString::to_string).collect(),
        "policy_change" => change.files.iter().filter(|file| is_policy(file)).map(|file| file.path.clone()).collect(),
        _ => Vec::new(),
    }
}

fn summary(file: &ChangedFile) -> FileSummary {
    let (old, new) = (file.old.mode, file.new.mode);
    let differ = old != new && old != 0 && new != 0;
    FileSummary {
        path: file.path.clone(),
        old_path: file.old_path.as_ref().map(|old| old.lossy().into_owned()),
        change: file.kind,
        added: file.added().count(),
        removed: file.removed().count(),
        mode: differ.then(|| (format!("{old:06o}"), format!("{new:06o}"))),
        blob: file.new.blob.map(|blob| blob.to_string()),
    }
}
