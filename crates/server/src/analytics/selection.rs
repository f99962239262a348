//! Which analyses a query is about, and their counts by key.

use crate::analysis::Words;
use crate::analysis::tally::{AgentTally, Tally};
use crate::analytics::lives::{Life, lives};
use crate::analytics::window::Window;
use crate::error::ServerError;
use crate::github::PullRequest;
use agentprov_model::EventTime;
use agentprov_review::governance::Waivers;
use agentprov_store::Queue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a query leaves out.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only this agent.
    pub agent_id: Option<String>,
    /// Only findings of this category.
    pub category: Option<String>,
    /// Only this repository.
    pub repo: Option<String>,
    /// Every analysis counts, also those that a later push replaced.
    pub all_runs: bool,
}

/// What lines are put together by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupBy {
    /// The agent.
    Agent,
    /// The repository.
    Repo,
}

impl GroupBy {
    /// All, with their names.
    pub const NAMES: [(&'static str, Self); 2] = [("agent_id", Self::Agent), ("repo", Self::Repo)];
}

/// The tallies of the chosen analyses.
#[derive(Clone, Debug)]
pub struct Selection {
    tallies: Vec<Tally>,
    filter: Filter,
    /// Findings, and whether each is suppressed.
    lives: Vec<(Life, bool)>,
    since: EventTime,
}

impl Selection {
    /// Of each pull request the latest analysis in the window.
    ///
    /// # Errors
    /// [`ServerError`] when the store can't be read.
    pub fn load(queue: &Queue, window: Window, filter: Filter) -> Result<Self, ServerError> {
        let mut latest: BTreeMap<(String, String), Tally> = BTreeMap::new();
        let mut all = Vec::new();
        let rows = if window.empty { Vec::new() } else { queue.done(window.since, None)? };
        for row in rows {
            let tally = Tally::read(&row)?;
            if filter.repo.as_ref().is_some_and(|repo| *repo != tally.repo) {
                continue;
            }
            if filter.all_runs {
                all.push(tally);
            } else {
                latest.insert((tally.repo.clone(), tally.pr_number.clone()), tally);
            }
        }
        all.extend(latest.into_values());
        Ok(Self { tallies: all, filter, lives: Vec::new(), since: window.since })
    }

    /// The same with what became of findings that were seen or gone in the window.
    ///
    /// # Errors
    /// [`ServerError`] when the store can't be read.
    pub fn with_lives(mut self, queue: &Queue, words: &Words, now: EventTime) -> Result<Self, ServerError> {
        let mut waivers: BTreeMap<String, Waivers> = BTreeMap::new();
        let wanted = |life: &Life| {
            life.seen >= self.since
                && self.filter.repo.as_ref().is_none_or(|repo| *repo == life.repo)
                && self.filter.agent_id.as_ref().is_none_or(|agent| *agent == life.agent)
                && self.filter.category.as_ref().is_none_or(|category| *category == life.category)
        };
        let found = lives(queue, None)?.into_values().flatten();
        let found = found.map(|(id, life)| {
            let waivers = waivers.entry(life.repo.clone()).or_insert_with(|| words.of(&life.repo, now));
            let suppressed = waivers.get(&id).is_some();
            (life, suppressed)
        });
        self.lives = found.filter(|(life, _)| wanted(life)).collect();
        Ok(self)
    }

    fn add_lives(&self, mut group_of: impl FnMut(&Life, &mut dyn FnMut(&mut Group))) {
        for (life, suppressed) in &self.lives {
            let remediated = life.remediated.as_ref().filter(|(at, _)| *at >= self.since);
            group_of(life, &mut |group| {
                group.distinct += 1;
                group.suppressed += u64::from(*suppressed);
                let nanos = remediated.map(|(at, _)| at.as_nanos().saturating_sub(life.detected.as_nanos()).max(0));
                group.remediated.extend(nanos.map(|nanos| nanos as u64 / 1_000_000_000));
            });
        }
    }

    /// Counts by key, in the order of the keys.
    pub fn groups(&self, by: GroupBy) -> BTreeMap<String, Group> {
        let mut groups: BTreeMap<String, Group> = BTreeMap::new();
        for tally in &self.tallies {
            for (agent, counts) in self.agents(tally) {
                let key = if by == GroupBy::Agent { agent } else { &tally.repo };
                let group = groups.entry(key.clone()).or_default();
                group.add(agent, counts, self.filter.category.as_deref());
                group.add_pull_request(tally);
            }
        }
        self.add_lives(|life, add| {
            let key = if by == GroupBy::Agent { &life.agent } else { &life.repo };
            add(groups.entry(key.clone()).or_default());
        });
        groups
    }

    /// Counts over everything that was chosen.
    pub fn total(&self) -> Group {
        let mut total = Group::default();
        for tally in &self.tallies {
            for (agent, counts) in self.agents(tally) {
                total.add(agent, counts, self.filter.category.as_deref());
                total.add_pull_request(tally);
            }
        }
        self.add_lives(|_, add| add(&mut total));
        total
    }

    fn agents<'t>(&'t self, tally: &'t Tally) -> impl Iterator<Item = (&'t String, &'t AgentTally)> {
        tally.agents.iter().filter(|(agent, _)| self.filter.agent_id.as_ref().is_none_or(|wanted| wanted == *agent))
    }
}

/// Counts under one key.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The counts.
    pub counts: AgentTally,
    /// Lines that name an agent.
    pub attributed: u64,
    /// Open findings that the filter leaves.
    pub findings: u64,
    /// Analyses that have such lines.
    pub analyses: u64,
    /// Pull requests of which GitHub was asked, each once however many agents share it.
    pub pull_requests: BTreeMap<(String, String), Arc<PullRequest>>,
    /// Findings, each once however often it was found.
    pub distinct: u64,
    /// Those of them that are suppressed.
    pub suppressed: u64,
    /// Seconds from the first sight of a finding until it was gone.
    pub remediated: Vec<u64>,
}

impl Group {
    fn add_pull_request(&mut self, tally: &Tally) {
        if let Some(pull) = &tally.pull_request {
            self.pull_requests.insert((tally.repo.clone(), tally.pr_number.clone()), Arc::clone(pull));
        }
    }

    fn add(&mut self, agent: &str, more: &AgentTally, category: Option<&str>) {
        let counts = &mut self.counts;
        counts.added += more.added;
        counts.modified += more.modified;
        counts.deleted += more.deleted;
        counts.verified += more.verified;
        counts.scanned += more.scanned;
        counts.scored += more.scored;
        counts.characters += more.characters;
        counts.longest = counts.longest.max(more.longest);
        for (into, from) in [(&mut counts.top_paths, &more.top_paths), (&mut counts.paths, &more.paths)] {
            for (path, lines) in from {
                *into.entry(path.clone()).or_default() += lines;
            }
        }
        for (name, severities) in &more.findings {
            if category.is_some_and(|wanted| wanted != name) {
                continue;
            }
            let into = counts.findings.entry(name.clone()).or_default();
            for (severity, count) in severities {
                *into.entry(severity.clone()).or_default() += count;
                self.findings += count;
            }
        }
        if agent != crate::analysis::tally::UNKNOWN {
            self.attributed += more.lines();
        }
        self.analyses += 1;
    }
}
