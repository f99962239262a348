//! What follows from a pull request's reviews, commits and checks.

use crate::github::pull_request::{Commit, PullRequest, Review, ReviewState};
use agentprov_review::governance::PullRequestSignals;
use std::collections::BTreeSet;

/// A pull request, with the questions that are asked of it.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'p>(pub &'p PullRequest);

/// A bot's request for changes, and what became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block<'p> {
    /// The bot.
    pub bot: &'p str,
    /// When it asked.
    pub at: Option<i64>,
    /// The same bot approved later, or its review was dismissed.
    pub resolved: bool,
}

impl<'p> Summary<'p> {
    /// Reviews by people who are not the author.
    fn human_reviews(self) -> impl Iterator<Item = &'p Review> {
        self.0.reviews.iter().filter(move |review| !review.is_bot && review.author != self.0.author)
    }

    /// Reviews by bots.
    pub fn bot_reviews(self) -> impl Iterator<Item = &'p Review> {
        self.0.reviews.iter().filter(|review| review.is_bot)
    }

    /// People who reviewed, the author not among them.
    pub fn humans(self) -> BTreeSet<&'p str> {
        self.human_reviews().map(|review| review.author.as_str()).collect()
    }

    /// Bots that reviewed.
    pub fn bots(self) -> BTreeSet<&'p str> {
        self.bot_reviews().map(|review| review.author.as_str()).collect()
    }

    /// Requests for changes by bots.
    pub fn blocks(self) -> Vec<Block<'p>> {
        let asked = self.bot_reviews().enumerate().filter(|(_, review)| review.state == ReviewState::ChangesRequested);
        let block = |(place, review): (usize, &'p Review)| {
            let settles = |later: &Review| {
                later.author == review.author && matches!(later.state, ReviewState::Approved | ReviewState::Dismissed)
            };
            let resolved = self.bot_reviews().skip(place + 1).any(settles);
            Block { bot: &review.author, at: review.at, resolved }
        };
        asked.map(block).collect()
    }

    /// Blocks by bots that it was merged over.
    pub fn overrides(self) -> Vec<Block<'p>> {
        let merged = self.0.merged_at.is_some();
        self.blocks().into_iter().filter(|block| merged && !block.resolved).collect()
    }

    /// Whether its commits were replaced after the last approval; none without an approval.
    pub fn force_push_after_approval(self) -> Option<bool> {
        let approved = self.0.reviews.iter().filter(|review| review.state == ReviewState::Approved);
        let last = approved.filter_map(|review| review.at).max()?;
        Some(self.0.force_pushes.iter().any(|pushed| *pushed > last))
    }

    /// What a policy asks.
    pub fn signals(self) -> PullRequestSignals {
        PullRequestSignals {
            bot_block_overrides: self.overrides().len() as u64,
            force_push_after_approval: u64::from(self.force_push_after_approval() == Some(true)),
        }
    }

    /// Seconds from the opening to the first review by a person.
    pub fn to_first_review(self) -> Option<u64> {
        self.since_opened(self.human_reviews().filter_map(|review| review.at).min()?)
    }

    /// Seconds from the opening to the first approval by a person.
    pub fn to_first_approval(self) -> Option<u64> {
        let approvals = self.human_reviews().filter(|review| review.state == ReviewState::Approved);
        self.since_opened(approvals.filter_map(|review| review.at).min()?)
    }

    /// Seconds from the opening to the merge.
    pub fn to_merge(self) -> Option<u64> {
        self.since_opened(self.0.merged_at?)
    }

    fn since_opened(self, at: i64) -> Option<u64> {
        u64::try_from(at.checked_sub(self.0.created_at?)?).ok()
    }

    /// Seconds from its first commit to its last, where it has several.
    pub fn commit_span(self) -> Option<u64> {
        let times: Vec<i64> = self.0.commits.iter().filter_map(|commit| commit.at).collect();
        let (first, last) = (times.iter().min()?, times.iter().max()?);
        (times.len() > 1).then(|| u64::try_from(last - first).ok())?
    }

    /// Commits of agents, and commits of which an author is known.
    pub fn agent_commits(self) -> (u64, u64) {
        let known = |commit: &&Commit| commit.has_author || commit.agent.is_some();
        let agents = self.0.commits.iter().filter(|commit| commit.agent.is_some()).count();
        (agents as u64, self.0.commits.iter().filter(known).count() as u64)
    }

    /// Names of checks that failed.
    pub fn failed_checks(self) -> BTreeSet<&'p str> {
        self.0.checks.iter().filter(|check| check.failed).map(|check| check.name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn review(author: &str, is_bot: bool, state: ReviewState, at: i64) -> Review {
        Review { author: author.into(), is_bot, state, at: Some(at) }
    }

    #[test]
    fn a_block_is_resolved_by_the_same_bot_or_overridden_by_a_merge() {
        use ReviewState::{Approved, ChangesRequested, Dismissed};
        let mut pull = PullRequest { author: "jo".into(), created_at: Some(0), ..PullRequest::default() };
        pull.reviews = vec![
            review("a[bot]", true, ChangesRequested, 10),
            review("b[bot]", true, ChangesRequested, 20),
            review("b[bot]", true, Dismissed, 30),
            review("jo", false, Approved, 35),
            review("al", false, Approved, 40),
        ];
        let open = Summary(&pull);
        assert_eq!((open.blocks().len(), open.overrides().len()), (2, 0));
        assert_eq!((open.humans().len(), open.bots().len()), (1, 2));
        assert_eq!((open.to_first_review(), open.to_merge()), (Some(40), None));
        pull.merged_at = Some(100);
        pull.force_pushes = vec![39];
        let merged = Summary(&pull);
        assert_eq!(merged.overrides(), [Block { bot: "a[bot]", at: Some(10), resolved: false }]);
        assert_eq!(merged.force_push_after_approval(), Some(false));
        pull.force_pushes.push(41);
        assert_eq!(
            Summary(&pull).signals(),
            PullRequestSignals { bot_block_overrides: 1, force_push_after_approval: 1 }
        );
    }
}
