//! Metrics over pull requests. A count is their sum, durations are medians, people count once however often they review.

use crate::analytics::metric::Ratio;
use crate::github::Summary;
use crate::github::pull_request::ReviewState;
use std::collections::BTreeSet;

type Pulls<'s, 'p> = &'s [Summary<'p>];

fn sum(pulls: Pulls<'_, '_>, of: impl Fn(Summary<'_>) -> usize) -> Ratio {
    Ratio::count(pulls.iter().map(|pull| of(*pull) as u64).sum(), pulls.len())
}

/// Of those that were merged: a block is overridden by a merge only.
fn merged(pulls: Pulls<'_, '_>, of: impl Fn(Summary<'_>) -> usize) -> Ratio {
    let merged: Vec<Summary<'_>> = pulls.iter().copied().filter(|pull| pull.0.merged_at.is_some()).collect();
    sum(&merged, of)
}

fn distinct<'p>(pulls: Pulls<'_, 'p>, of: impl Fn(Summary<'p>) -> BTreeSet<&'p str>) -> Ratio {
    let all: BTreeSet<&str> = pulls.iter().flat_map(|pull| of(*pull)).collect();
    Ratio::count(all.len() as u64, 1)
}

fn hours(pulls: Pulls<'_, '_>, of: impl Fn(Summary<'_>) -> Option<u64>) -> Ratio {
    Ratio::median_hours(pulls.iter().filter_map(|pull| of(*pull)).collect())
}

fn blockers(pull: Summary<'_>) -> BTreeSet<&str> {
    pull.blocks().iter().map(|block| block.bot).collect()
}

fn bot_events(pulls: Pulls<'_, '_>, state: ReviewState) -> Ratio {
    sum(pulls, |pull| pull.bot_reviews().filter(|review| review.state == state).count())
}

pub(super) fn review_comments(pulls: Pulls<'_, '_>) -> Ratio {
    sum(pulls, |pull| pull.0.review_comments as usize)
}

pub(super) fn review_events(pulls: Pulls<'_, '_>) -> Ratio {
    sum(pulls, |pull| pull.0.reviews.len())
}

pub(super) fn humans(pulls: Pulls<'_, '_>) -> Ratio {
    distinct(pulls, Summary::humans)
}

pub(super) fn bots(pulls: Pulls<'_, '_>) -> Ratio {
    distinct(pulls, Summary::bots)
}

pub(super) fn blocking_bots(pulls: Pulls<'_, '_>) -> Ratio {
    distinct(pulls, blockers)
}

pub(super) fn informational_bots(pulls: Pulls<'_, '_>) -> Ratio {
    let blocking: BTreeSet<&str> = pulls.iter().flat_map(|pull| blockers(*pull)).collect();
    distinct(pulls, |pull| pull.bots().into_iter().filter(|bot| !blocking.contains(bot)).collect())
}

pub(super) fn average_humans(pulls: Pulls<'_, '_>) -> Ratio {
    let pairs: usize = pulls.iter().map(|pull| pull.humans().len()).sum();
    Ratio::new(pairs as u64, pulls.len() as u64, 1.0)
}

pub(super) fn bot_reviews(pulls: Pulls<'_, '_>) -> Ratio {
    sum(pulls, |pull| pull.bot_reviews().count())
}

pub(super) fn bot_blocks(pulls: Pulls<'_, '_>) -> Ratio {
    bot_events(pulls, ReviewState::ChangesRequested)
}

pub(super) fn bot_comments(pulls: Pulls<'_, '_>) -> Ratio {
    bot_events(pulls, ReviewState::Commented)
}

pub(super) fn bot_approvals(pulls: Pulls<'_, '_>) -> Ratio {
    bot_events(pulls, ReviewState::Approved)
}

pub(super) fn overrides(pulls: Pulls<'_, '_>) -> Ratio {
    merged(pulls, |pull| pull.overrides().len())
}

pub(super) fn resolved(pulls: Pulls<'_, '_>) -> Ratio {
    merged(pulls, |pull| pull.blocks().iter().filter(|block| block.resolved).count())
}

pub(super) fn to_first_review(pulls: Pulls<'_, '_>) -> Ratio {
    hours(pulls, |pull| pull.to_first_review())
}

pub(super) fn to_first_approval(pulls: Pulls<'_, '_>) -> Ratio {
    hours(pulls, |pull| pull.to_first_approval())
}

pub(super) fn to_merge(pulls: Pulls<'_, '_>) -> Ratio {
    hours(pulls, |pull| pull.to_merge())
}

pub(super) fn ci_runs(pulls: Pulls<'_, '_>) -> Ratio {
    sum(pulls, |pull| pull.0.checks.len())
}

pub(super) fn ci_failures(pulls: Pulls<'_, '_>) -> Ratio {
    let failed: usize = pulls.iter().map(|pull| pull.0.checks.iter().filter(|check| check.failed).count()).sum();
    Ratio::count(failed as u64, pulls.iter().map(|pull| pull.0.checks.len()).sum())
}

pub(super) fn failed_checks(pulls: Pulls<'_, '_>) -> Ratio {
    sum(pulls, |pull| pull.failed_checks().len())
}

pub(super) fn force_pushes(pulls: Pulls<'_, '_>) -> Ratio {
    sum(pulls, |pull| pull.0.force_pushes.len())
}

pub(super) fn force_pushes_after_approval(pulls: Pulls<'_, '_>) -> Ratio {
    let approved: Vec<bool> = pulls.iter().filter_map(|pull| pull.force_push_after_approval()).collect();
    Ratio::count(approved.iter().filter(|forced| **forced).count() as u64, approved.len())
}

pub(super) fn agent_commits(pulls: Pulls<'_, '_>) -> Ratio {
    let all = pulls.iter().map(|pull| pull.agent_commits());
    let (agents, known) = all.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    Ratio::new(agents, known, 1.0)
}

pub(super) fn commit_span(pulls: Pulls<'_, '_>) -> Ratio {
    hours(pulls, |pull| pull.commit_span())
}
