//! The metrics of the summary, each as numerator over denominator.

use crate::analytics::selection::Group;

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
    const fn new(numerator: u64, denominator: u64, scale: f64) -> Self {
        Self { numerator, denominator, scale, exact: None }
    }

    /// The value; none where nothing was measured.
    pub fn value(&self) -> Option<f64> {
        let quotient = || self.numerator as f64 * self.scale / self.denominator as f64;
        (self.denominator > 0).then(|| self.exact.unwrap_or_else(quotient))
    }
}

const SECONDS_PER_HOUR: f64 = 3600.0;
const NO_HISTORY: &str = "no merged history is known to this service";
const NO_PULL_REQUESTS: &str = "no data of pull requests is collected";

const fn lines(name: &'static str, unit: Option<&'static str>, of: fn(&Group) -> Ratio) -> Metric {
    Metric { name, unit, source: Source::Lines(of) }
}

const fn missing(name: &'static str, unit: &'static str, why: &'static str) -> Metric {
    Metric { name, unit: Some(unit), source: Source::Missing(why) }
}

const fn of_prs(name: &'static str, unit: &'static str) -> Metric {
    missing(name, unit, NO_PULL_REQUESTS)
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
    of_prs("review_comments", "count"),
    of_prs("review_events", "count"),
    of_prs("agent_comment_mentions", "count"),
    of_prs("comment_threads", "count"),
    of_prs("reopened_threads", "count"),
    of_prs("unique_reviewers", "count"),
    of_prs("human_reviewer_count", "count"),
    of_prs("bot_reviewer_count", "count"),
    of_prs("bot_blocking_reviewer_count", "count"),
    of_prs("bot_informational_only_reviewer_count", "count"),
    of_prs("avg_unique_reviewers", "count"),
    of_prs("avg_human_reviewers", "count"),
    of_prs("bot_review_events", "count"),
    of_prs("bot_block_events", "count"),
    of_prs("bot_informational_events", "count"),
    of_prs("bot_approval_events", "count"),
    of_prs("bot_comment_count", "count"),
    of_prs("bot_block_overrides", "count"),
    of_prs("bot_block_resolved", "count"),
    of_prs("agent_response_rate", "ratio"),
    of_prs("agent_response_p50_hours", "hours"),
    of_prs("agent_response_p90_hours", "hours"),
    of_prs("time_to_first_review_hours", "hours"),
    of_prs("time_to_first_approval_hours", "hours"),
    of_prs("time_to_merge_hours", "hours"),
    of_prs("ci_run_count", "count"),
    of_prs("ci_failure_count", "count"),
    of_prs("ci_failed_checks", "count"),
    of_prs("ci_time_to_green_hours", "hours"),
    of_prs("force_push_events", "count"),
    of_prs("rewrite_loops", "count"),
    of_prs("human_followup_commits", "count"),
    of_prs("human_followup_fast", "count"),
    of_prs("force_push_after_approval", "count"),
    of_prs("agent_commit_ratio", "ratio"),
    of_prs("commit_lead_time_hours", "hours"),
];

/// Metrics for each label of comments, `classification_{label}_count`.
const CLASSIFICATION: Metric = of_prs("classification_*_count", "count");

/// The median over findings that were gone in the window; the numerator is the sum of all, in seconds.
fn time_to_remediation(group: &Group) -> Ratio {
    let mut seconds = group.remediated.clone();
    seconds.sort_unstable();
    let middle = seconds.len() / 2;
    let median = match (seconds.get(middle), middle.checked_sub(1).and_then(|before| seconds.get(before))) {
        (Some(upper), Some(lower)) if seconds.len().is_multiple_of(2) => Some((*lower as f64 + *upper as f64) / 2.0),
        (middle, _) => middle.map(|seconds| *seconds as f64),
    };
    let ratio = Ratio::new(seconds.iter().sum(), seconds.len() as u64, 1.0);
    Ratio { exact: median.map(|seconds| seconds / SECONDS_PER_HOUR), ..ratio }
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
            Source::Lives(of) => match of(group) {
                ratio if ratio.denominator > 0 => Ok(ratio),
                _ => Err("no such finding in the window"),
            },
        }
    }
}
