//! The metrics of the summary, each as numerator over denominator.

use crate::analytics::pull_metric;
use crate::analytics::selection::Group;
use crate::github::Summary;
use std::sync::Arc;

/// A metric that can be asked for.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its unit, where it has one.
    pub unit: Option<&'static str>,
    source: Source,
}

/// Where its value comes from.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// Counts of lines and findings.
    Lines(fn(&Group) -> Ratio),
    /// What became of findings.
    Lives(fn(&Group) -> Ratio),
    /// Pull requests.
    Pulls(fn(&[Summary<'_>]) -> Ratio),
    /// Something that nobody told us.
    Missing(&'static str),
}

/// A value with what it was made of.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Ratio {
    /// What is counted.
    pub numerator: u64,
    /// Over what; nothing is measured where it is 0.
    pub denominator: u64,
    /// What a whole is.
    pub scale: f64,
    /// The value, where it is no quotient.
    pub exact: Option<f64>,
}

impl Ratio {
    pub(super) const fn new(numerator: u64, denominator: u64, scale: f64) -> Self {
        Self { numerator, denominator, scale, exact: None }
    }

    /// The median of durations in hours; the numerator is the sum of all, in seconds.
    pub(super) fn median_hours(mut seconds: Vec<u64>) -> Self {
        seconds.sort_unstable();
        let middle = seconds.len() / 2;
        let median = match (seconds.get(middle), middle.checked_sub(1).and_then(|before| seconds.get(before))) {
            (Some(upper), Some(lower)) if seconds.len().is_multiple_of(2) => {
                Some((*lower as f64 + *upper as f64) / 2.0)
            }
            (middle, _) => middle.map(|seconds| *seconds as f64),
        };
        let ratio = Self::new(seconds.iter().sum(), seconds.len() as u64, 1.0);
        Self { exact: median.map(|seconds| seconds / SECONDS_PER_HOUR), ..ratio }
    }

    /// A count over so many; its value is the count itself.
    pub(super) fn count(count: u64, over: usize) -> Self {
        Self { exact: Some(count as f64), ..Self::new(count, over as u64, 1.0) }
    }

    /// The value; none where nothing was measured.
    pub fn value(&self) -> Option<f64> {
        let quotient = || self.numerator as f64 * self.scale / self.denominator as f64;
        (self.denominator > 0).then(|| self.exact.unwrap_or_else(quotient))
    }
}

const SECONDS_PER_HOUR: f64 = 3600.0;
const NO_HISTORY: &str = "no merged history is known to this service";
const NO_PULL_REQUESTS: &str = "no data of pull requests was collected";
const NOT_ASKED: &str = "GitHub is not asked for it";

const fn lines(name: &'static str, unit: Option<&'static str>, of: fn(&Group) -> Ratio) -> Metric {
    Metric { name, unit, source: Source::Lines(of) }
}

const fn missing(name: &'static str, unit: &'static str, why: &'static str) -> Metric {
    Metric { name, unit: Some(unit), source: Source::Missing(why) }
}

const fn pulls(name: &'static str, unit: &'static str, of: fn(&[Summary<'_>]) -> Ratio) -> Metric {
    Metric { name, unit: Some(unit), source: Source::Pulls(of) }
}

const fn of_prs(name: &'static str, unit: &'static str) -> Metric {
    missing(name, unit, NOT_ASKED)
}

/// All metrics.
pub const METRICS: &[Metric] = &[
    lines("risk_rate", None, |group| Ratio::new(group.findings, group.counts.lines(), 1000.0)),
    lines("risk_rate_scanned", None, |group| Ratio::new(group.findings, group.counts.scanned, 1000.0)),
    lines("provenance_coverage", None, |group| Ratio::new(group.attributed, group.counts.lines(), 100.0)),
    lines("verified_coverage", Some("percent"), |group| Ratio::new(group.counts.verified, group.counts.lines(), 100.0)),
    lines("code_volume", Some("lines"), |group| Ratio::new(group.counts.lines(), 1, 1.0)),
    lines("code_churn_rate", Some("percent"), |group| {
        Ratio::new(group.counts.modified + group.counts.deleted, group.counts.lines(), 100.0)
    }),
    lines("avg_line_complexity", Some("avg_non_whitespace_chars"), |group| {
        Ratio::new(group.counts.characters, group.counts.scored, 1.0)
    }),
    missing("rework_rate", "percent", NO_HISTORY),
    Metric { name: "mttr", unit: Some("hours"), source: Source::Lives(time_to_remediation) },
    Metric { name: "suppression_rate", unit: Some("percent"), source: Source::Lives(suppression_rate) },
    pulls("review_comments", "count", pull_metric::review_comments),
    pulls("review_events", "count", pull_metric::review_events),
    of_prs("agent_comment_mentions", "count"),
    of_prs("comment_threads", "count"),
    of_prs("reopened_threads", "count"),
    pulls("unique_reviewers", "count", pull_metric::humans),
    pulls("human_reviewer_count", "count", pull_metric::humans),
    pulls("bot_reviewer_count", "count", pull_metric::bots),
    pulls("bot_blocking_reviewer_count", "count", pull_metric::blocking_bots),
    pulls("bot_informational_only_reviewer_count", "count", pull_metric::informational_bots),
    pulls("avg_unique_reviewers", "count", pull_metric::average_humans),
    pulls("avg_human_reviewers", "count", pull_metric::average_humans),
    pulls("bot_review_events", "count", pull_metric::bot_reviews),
    pulls("bot_block_events", "count", pull_metric::bot_blocks),
    pulls("bot_informational_events", "count", pull_metric::bot_comments),
    pulls("bot_approval_events", "count", pull_metric::bot_approvals),
    of_prs("bot_comment_count", "count"),
    pulls("bot_block_overrides", "count", pull_metric::overrides),
    pulls("bot_block_resolved", "count", pull_metric::resolved),
    of_prs("agent_response_rate", "ratio"),
    of_prs("agent_response_p50_hours", "hours"),
    of_prs("agent_response_p90_hours", "hours"),
    pulls("time_to_first_review_hours", "hours", pull_metric::to_first_review),
    pulls("time_to_first_approval_hours", "hours", pull_metric::to_first_approval),
    pulls("time_to_merge_hours", "hours", pull_metric::to_merge),
    pulls("ci_run_count", "count", pull_metric::ci_runs),
    pulls("ci_failure_count", "count", pull_metric::ci_failures),
    pulls("ci_failed_checks", "count", pull_metric::failed_checks),
    of_prs("ci_time_to_green_hours", "hours"),
    pulls("force_push_events", "count", pull_metric::force_pushes),
    of_prs("rewrite_loops", "count"),
    of_prs("human_followup_commits", "count"),
    of_prs("human_followup_fast", "count"),
    pulls("force_push_after_approval", "count", pull_metric::force_pushes_after_approval),
    pulls("agent_commit_ratio", "ratio", pull_metric::agent_commits),
    pulls("commit_lead_time_hours", "hours", pull_metric::commit_span),
];

/// Metrics for each label of comments, `classification_{label}_count`.
const CLASSIFICATION: Metric = of_prs("classification_*_count", "count");

/// The median over findings that were gone in the window.
fn time_to_remediation(group: &Group) -> Ratio {
    Ratio::median_hours(group.remediated.clone())
}

fn suppression_rate(group: &Group) -> Ratio {
    Ratio::new(group.suppressed, group.distinct, 100.0)
}

impl Metric {
    /// Whether it is about what became of findings, for which everything has to be looked at.
    pub const fn is_about_lives(&self) -> bool {
        matches!(self.source, Source::Lives(_))
    }

    /// The metric of that name.
    pub fn find(name: &str) -> Option<Self> {
        let label = name.strip_prefix("classification_").and_then(|rest| rest.strip_suffix("_count"));
        let labelled = label.filter(|label| !label.is_empty()).map(|_| CLASSIFICATION);
        METRICS.iter().find(|metric| metric.name == name).copied().or(labelled)
    }

    /// Its value, or why there is none.
    ///
    /// # Errors
    /// The reason.
    pub fn of(&self, group: &Group) -> Result<Ratio, &'static str> {
        match self.source {
            Source::Missing(why) => Err(why),
            Source::Lines(of) => match of(group) {
                ratio if ratio.denominator > 0 => Ok(ratio),
                _ => Err("nothing to measure over"),
            },
            Source::Pulls(_) if group.pull_requests.is_empty() => Err(NO_PULL_REQUESTS),
            Source::Pulls(of) => {
                let pulls: Vec<Summary<'_>> =
                    group.pull_requests.values().map(|pull| Summary(Arc::as_ref(pull))).collect();
                match of(&pulls) {
                    ratio if ratio.denominator > 0 => Ok(ratio),
                    _ => Err("no pull request has what it is measured by"),
                }
            }
            Source::Lives(of) => match of(group) {
                ratio if ratio.denominator > 0 => Ok(ratio),
                _ => Err("no such finding in the window"),
            },
        }
    }
}
