//! From counts to an outcome.

use crate::finding::Severity;
use crate::governance::counts::Counts;
use crate::governance::outcome::Outcome;
use crate::governance::policy::{Limits, Policy};
use serde::Serialize;

/// A rule that fired.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FiredRule {
    /// Its name, such as `severity:high` or `category:sqli`.
    pub code: String,
    /// What follows from it.
    pub outcome: Outcome,
    /// What was counted.
    pub count: u64,
    /// The threshold that the count reached.
    pub threshold: u64,
    /// Why, in a sentence.
    pub message: String,
    /// What to do about it.
    pub to_clear: String,
    /// Where to look: findings, lines, files.
    pub evidence: Vec<String>,
}

/// Every rule that fires, the worst first. The outcome is that of the first, or allow where there is none.
pub fn decide(policy: &Policy, counts: &Counts) -> Vec<FiredRule> {
    let mut fired = Vec::new();
    let mut check = |code: String, limits: &Limits, count: u64, what: &str, to_clear: &str| {
        if let Some((outcome, threshold)) = limits.reached(count) {
            let message = format!("{what}: {count}; the policy says {outcome} from {threshold} on");
            let to_clear = to_clear.to_owned();
            fired.push(FiredRule { code, outcome, count, threshold, message, to_clear, evidence: Vec::new() });
        }
    };
    check(
        "unknown_lines".into(),
        &policy.unknown_lines,
        counts.unknown_lines,
        "changed lines without an owner on the ground that the policy asks for",
        "record the agent with `agentprov record`, or hand in the evidence of the clone in which it was recorded",
    );
    for severity in Severity::ALL {
        let limits = policy.severity.get(&severity).copied().unwrap_or_default();
        check(
            format!("severity:{severity}"),
            &limits,
            counts.severity(severity),
            &format!("open findings of severity {severity}"),
            "fix them, or answer for them with `agentprov review waive FINDING --reason ... --until DATE`",
        );
    }
    for (category, limits) in &policy.category {
        check(
            format!("category:{category}"),
            limits,
            counts.category(category),
            &format!("open findings of category {category}"),
            "fix them, or answer for them with `agentprov review waive FINDING --reason ... --until DATE`",
        );
    }
    check(
        "coverage_gap".into(),
        &policy.coverage_gaps,
        counts.gaps,
        "parts of the change that were not scanned",
        "make them scannable, or have somebody read them",
    );
    check(
        "contradiction".into(),
        &policy.contradictions,
        counts.contradicted_lines,
        "changed lines with claims that contradict each other",
        "find out which claim is wrong: `agentprov blame FILE:LINE --rev REV` lists them",
    );
    check(
        "policy_change".into(),
        &policy.policy_changes,
        counts.policy_changes,
        "files of the review policy in the change",
        "review the policy in a change of its own; this one is judged by the policy of its base",
    );
    check(
        "bot_block_override".into(),
        &policy.bot_block_overrides,
        counts.signals.bot_block_overrides,
        "blocks by bots that were merged over",
        "have the bot's findings resolved before the merge",
    );
    check(
        "force_push_after_approval".into(),
        &policy.force_push_after_approval,
        counts.signals.force_push_after_approval,
        "forced pushes after an approval",
        "ask for a new approval",
    );
    fired.sort_by_key(|rule| std::cmp::Reverse(rule.outcome));
    fired
}
