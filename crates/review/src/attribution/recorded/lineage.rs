//! Lines through the recorded versions of all runs.
//!
//! Only evidence moves an owner: a line keeps its owner where a comparison of two contents preserves it. Where several
//! sources preserve a line, it has an owner only if they agree. What git wrote into a work tree came from
//! somewhere else and has no author here.

use crate::attribution::AttributionError;
use crate::attribution::recorded::runs::{Arrival, Runs};
use crate::attribution::recorded::text::{Origin, Text, Writing, preserved, step};
use crate::change::{GitLog, GitPosition, Repository, Span};
use agentprov_graph::versions::Version;
use agentprov_model::{Content, ContentId, EventTime, FileState, OsBytes, VersionCause};
use agentprov_store::Seq;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// Contents that one is compared with.
const MAX_CANDIDATES: usize = 24;
/// Versions of a path that are followed in one run.
const MAX_CHAIN: usize = 20_000;
/// Sources of sources: runs on runs on commits.
const MAX_DEPTH: usize = 400;

/// Where a content stands: what else is evidence about its lines.
#[derive(Clone, Debug, Default)]
pub(super) struct Around {
    /// Absolute paths under which it may have been recorded.
    pub(super) paths: Rc<[OsBytes]>,
    /// Where it stands in the commits.
    pub(super) git: Option<GitPosition>,
    /// A file of a run that was put in its place only afterwards: an equal content there came by no means from it.
    pub(super) not_yet: Option<(usize, OsBytes)>,
}

/// All that the origins of a content's lines depend on.
type ContentKey = (ContentId, EventTime, Option<GitPosition>, Option<(usize, OsBytes)>);

/// Follows lines.
pub(super) struct Lineage<'a> {
    pub(super) runs: Runs<'a>,
    pub(super) repository: Option<&'a Repository>,
    pub(super) log: &'a GitLog,
    known: HashMap<ContentId, Arc<[u8]>>,
    states: HashMap<(usize, Seq), Option<Rc<Text>>>,
    contents: HashMap<ContentKey, Rc<Text>>,
    depth: usize,
}

/// The end of time.
pub(super) const EVER: EventTime = EventTime::from_nanos(i64::MAX);

impl<'a> Lineage<'a> {
    pub(super) fn new(runs: Runs<'a>, repository: Option<&'a Repository>, log: &'a GitLog) -> Self {
        Self {
            runs,
            repository,
            log,
            known: HashMap::new(),
            states: HashMap::new(),
            contents: HashMap::new(),
            depth: 0,
        }
    }

    /// Takes note of bytes; gives their name.
    pub(super) fn learn(&mut self, bytes: &Arc<[u8]>) -> ContentId {
        let id = ContentId::from_bytes(Sha256::digest(bytes).into());
        self.known.entry(id).or_insert_with(|| bytes.clone());
        id
    }

    fn bytes(&mut self, content: &Content) -> Result<Option<Arc<[u8]>>, AttributionError> {
        if let Some(bytes) = self.known.get(&content.sha256) {
            return Ok(Some(bytes.clone()));
        }
        let mut bytes = self.runs.bytes(content)?;
        if let (None, Some(repository), Some(git)) = (&bytes, self.repository, content.git) {
            bytes =
                repository.bytes_of(git)?.filter(|bytes| Sha256::digest(bytes)[..] == content.sha256.as_bytes()[..]);
        }
        if let Some(bytes) = &bytes {
            self.known.insert(content.sha256, bytes.clone());
        }
        Ok(bytes)
    }

    pub(super) fn bytes_of_state(&mut self, state: &FileState) -> Result<Option<Arc<[u8]>>, AttributionError> {
        match state {
            FileState::Missing => Ok(Some(Arc::from([]))),
            FileState::Symlink { target } => Ok(Some(Arc::from(target.as_bytes()))),
            FileState::File { content, .. } => self.bytes(content),
            FileState::Unread { .. } | FileState::Directory | FileState::Special | FileState::Unknown { .. } => {
                Ok(None)
            }
        }
    }

    /// Origins of the lines of a content, by what was recorded before `until`.
    pub(super) fn of_content(
        &mut self,
        bytes: &Arc<[u8]>,
        until: EventTime,
        around: &Around,
    ) -> Result<Rc<Text>, AttributionError> {
        let id = self.learn(bytes);
        let key = (id, until, around.git.clone(), around.not_yet.clone());
        if let Some(known) = self.contents.get(&key) {
            return Ok(known.clone());
        }
        let count = crate::change::line_count(bytes);
        if self.depth >= MAX_DEPTH {
            let why = Rc::from("its history is too long to be followed");
            return Ok(Rc::new(Text { bytes: bytes.clone(), lines: vec![Origin::unknown(&why); count] }));
        }
        self.depth += 1;
        let text = self.find_content(bytes, id, count, until, around);
        self.depth -= 1;
        let text = Rc::new(text?);
        self.contents.insert(key, text.clone());
        Ok(text)
    }

    fn find_content(
        &mut self,
        bytes: &Arc<[u8]>,
        id: ContentId,
        count: usize,
        until: EventTime,
        around: &Around,
    ) -> Result<Text, AttributionError> {
        let arrivals = self.arrivals(&id, until, around)?;
        let mut lines: Option<Vec<Rc<Origin>>> = None;
        for arrival in &arrivals {
            let Some(text) = self.state(arrival.run, &arrival.version)? else { continue };
            lines = Some(match lines {
                None => text.lines.clone(),
                Some(first) => first.iter().zip(&text.lines).map(|(first, then)| in_order(first, then)).collect(),
            });
        }
        let recorded = lines.is_some();
        let why: Rc<str> = Rc::from("no recording has its content");
        let mut lines = lines.unwrap_or_else(|| vec![Origin::unknown(&why); count]);
        if lines.iter().any(|line| !line.is_known()) {
            let sources = self.sources(&id, until, around, !recorded)?;
            if !sources.is_empty() {
                fill(&mut lines, bytes, &sources, recorded);
            }
        }
        Ok(Text { bytes: bytes.clone(), lines })
    }

    /// Versions that left this content, one for each run and path, by time; those of the asked paths where there are any.
    fn arrivals(
        &mut self,
        id: &ContentId,
        until: EventTime,
        around: &Around,
    ) -> Result<Vec<Arrival>, AttributionError> {
        let mut arrivals: Vec<Arrival> = Vec::new();
        let not_yet = |arrival: &Arrival| {
            around.not_yet.as_ref().is_some_and(|(run, path)| *run == arrival.run && *path == arrival.version.path)
        };
        let found = self.runs.of_content(id)?;
        for arrival in found.iter().filter(|arrival| arrival.version.at < until && !not_yet(arrival)) {
            let same_place = |known: &Arrival| known.run == arrival.run && known.version.path == arrival.version.path;
            arrivals.retain(|known| !same_place(known) || known.version.seq > arrival.version.seq);
            arrivals.push(arrival.clone());
        }
        let mut moved_on = Vec::with_capacity(arrivals.len());
        for arrival in &arrivals {
            let versions = self.runs.of_path(arrival.run, &arrival.version.path)?;
            let next = versions.iter().find(|next| next.version.seq > arrival.version.seq);
            moved_on.push(next.is_some_and(|next| {
                next.version.at < until && matches!(next.version.cause, VersionCause::RenamedTo(_))
            }));
        }
        // A name that was given up for another: the other's version tells the whole story.
        if moved_on.contains(&false) {
            let mut gone = moved_on.iter();
            arrivals.retain(|_| gone.next() != Some(&true));
        }
        let here = |arrival: &Arrival| around.paths.contains(&arrival.version.path);
        if arrivals.iter().any(here) {
            arrivals.retain(here);
        }
        Ok(arrivals)
    }

    /// Contents that lines may have been preserved from: what the parents of its commit had, and recorded versions.
    fn sources(
        &mut self,
        id: &ContentId,
        until: EventTime,
        around: &Around,
        versions: bool,
    ) -> Result<Vec<Rc<Text>>, AttributionError> {
        let mut sources = Vec::new();
        let mut until = until;
        if let (Some(position), Some(repository)) = (&around.git, self.repository)
            && let Some((commit, moves)) = self.log.arrival(position)
        {
            // What was recorded later can't be where a committed line comes from.
            until = until.min(self.log.commits()[commit].time);
            for from in moves {
                let Some(blob) = from.old_blob else { continue };
                let Some(bytes) = repository.bytes_of(blob)? else { continue };
                let git = Some(GitPosition { path: from.old_path.clone(), blob, from: commit + 1 });
                let paths = match from.old_path == position.path {
                    true => around.paths.clone(),
                    false => Rc::from([repository.absolute(&from.old_path)]),
                };
                sources.push(self.of_content(&bytes, until, &Around { paths, git, not_yet: None })?);
            }
        }
        if versions {
            sources.extend(self.recorded_versions(id, until, around)?);
        }
        Ok(sources)
    }

    /// The newest recorded contents of the asked paths.
    fn recorded_versions(
        &mut self,
        id: &ContentId,
        until: EventTime,
        around: &Around,
    ) -> Result<Vec<Rc<Text>>, AttributionError> {
        let mut found: Vec<Arrival> = Vec::new();
        for path in around.paths.iter() {
            for run in self.runs.holding(path)?.iter().copied() {
                found.extend(self.runs.of_path(run, path)?.iter().filter(|one| one.version.at < until).cloned());
            }
        }
        found.sort_by_key(|arrival| std::cmp::Reverse((arrival.version.at, arrival.version.seq)));
        let mut seen = vec![*id];
        let mut texts = Vec::new();
        for arrival in found {
            let Some(content) = arrival.version.after.content().map(|content| content.sha256) else { continue };
            if seen.contains(&content) {
                continue;
            }
            seen.push(content);
            texts.extend(self.state(arrival.run, &arrival.version)?);
            if texts.len() == MAX_CANDIDATES {
                break;
            }
        }
        Ok(texts)
    }

    /// The content that a version left, with the origins of its lines; None where its bytes are not to be had.
    pub(super) fn state(&mut self, run: usize, version: &Version) -> Result<Option<Rc<Text>>, AttributionError> {
        // Back to a version that is known or that begins the chain, then forward: chains are long, stacks are not.
        let mut chain = vec![version.clone()];
        let mut text = None;
        while chain.len() < MAX_CHAIN {
            let Some(first) = chain.last() else { break };
            if let Some(known) = self.states.get(&(run, first.seq)) {
                text = known.clone();
                chain.pop();
                break;
            }
            let previous = self.runs.previous(run, &first.path, first.seq)?;
            match previous.filter(|previous| same_content(&previous.after, &first.before)) {
                Some(previous) => chain.push(previous),
                None => break,
            }
        }
        while let Some(next) = chain.pop() {
            text = self.pass(run, &next, text.as_ref())?;
        }
        self.states.insert((run, version.seq), text.clone());
        Ok(text)
    }

    /// From the state before a version to the one after it.
    fn pass(
        &mut self,
        run: usize,
        version: &Version,
        before: Option<&Rc<Text>>,
    ) -> Result<Option<Rc<Text>>, AttributionError> {
        let Some(after) = self.bytes_of_state(&version.after)? else { return Ok(None) };
        let before = match before {
            Some(known) => Some(known.clone()),
            None => self.outside(run, version)?,
        };
        let incoming = self.incoming(run, version, &after)?;
        let Some(before) = before else {
            let why = Rc::from("the content before it is not available");
            let lines = vec![Origin::unknown(&why); incoming.len()];
            return Ok(Some(Rc::new(Text { bytes: after, lines })));
        };
        let spans = crate::change::spans(&before.bytes, &after);
        Ok(Some(Rc::new(Text { lines: step(&before, &incoming, &after, &spans), bytes: after })))
    }

    /// The state before the first version of a chain: it came from outside the run, or from what was not seen in it.
    fn outside(&mut self, run: usize, version: &Version) -> Result<Option<Rc<Text>>, AttributionError> {
        let Some(bytes) = self.bytes_of_state(&version.before)? else { return Ok(None) };
        let not_yet = version.source().map(|source| (run, source.clone()));
        let around = Around { not_yet, ..around(version, &version.before) };
        self.of_content(&bytes, version.at, &around).map(Some)
    }

    /// Origins of the lines of a version where they are new at its path.
    fn incoming(
        &mut self,
        run: usize,
        version: &Version,
        after: &Arc<[u8]>,
    ) -> Result<Vec<Rc<Origin>>, AttributionError> {
        let count = crate::change::line_count(after);
        if let Some(source) = version.source() {
            let before = self.runs.of_path(run, source)?;
            let mut before = before.iter().rev().filter(|known| known.version.seq < version.seq);
            if let Some(known) = before.find(|known| same_content(&known.version.after, &version.after)) {
                let known = known.version.clone();
                if let Some(text) = self.state(run, &known)? {
                    return Ok(text.lines.clone());
                }
            }
            let around = Around { paths: Rc::from([source.clone()]), ..Around::default() };
            return Ok(self.of_content(after, version.at, &around)?.lines.clone());
        }
        let mut gits = 0;
        for writer in &version.writers {
            gits += usize::from(self.runs.is_git(run, writer, version.at)?);
        }
        if version.writers.is_empty() {
            let why = Rc::from("it was found changed; who wrote it was not seen");
            return Ok(vec![Origin::unknown(&why); count]);
        }
        if version.writers.len() == gits {
            // Whoever wrote it did so before, here or elsewhere.
            return Ok(self.of_content(after, version.at, &around(version, &version.after))?.lines.clone());
        }
        Ok(vec![Origin::of(&Rc::new(Writing { run, version: version.clone() })); count])
    }
}

/// Where a state of a version stands.
fn around(version: &Version, state: &FileState) -> Around {
    let git = state.content().and_then(|content| content.git).zip(version.workspace_path.clone());
    let git = git.map(|(blob, path)| GitPosition { path, blob, from: 0 });
    Around { paths: Rc::from([version.path.clone()]), git, not_yet: None }
}

/// Two recorded arrivals of the same content, in order of time.
fn in_order(first: &Rc<Origin>, then: &Rc<Origin>) -> Rc<Origin> {
    match (first.is_known(), then.is_known()) {
        // Once it was there, nobody who came later and was not seen changes who wrote it; and whoever was seen to write it
        // later may have had it from the one who was not.
        (_, false) | (false, true) => first.clone(),
        (true, true) if first.same_writings(then) => first.clone(),
        (true, true) => Rc::new(first.together(then)),
    }
}

/// Gives unknown lines the owners that they have in the sources, where all that preserve them agree.
fn fill(lines: &mut [Rc<Origin>], bytes: &[u8], sources: &[Rc<Text>], recorded: bool) {
    let mut votes: Vec<Option<Rc<Origin>>> = vec![None; lines.len()];
    let disagree: Rc<str> = Rc::from("recorded versions that have it disagree on who wrote it");
    for source in sources {
        let spans: Vec<Span> = crate::change::spans_without_carriage_returns(&source.bytes, bytes);
        for (vote, from) in votes.iter_mut().zip(preserved(lines.len(), &spans)) {
            let Some(origin) = from.and_then(|from| source.lines.get(from)) else { continue };
            *vote = Some(match vote.take() {
                None => origin.clone(),
                Some(first) if first.same_writings(origin) => first,
                Some(first) if first.is_known() && origin.is_known() => Rc::new(first.together(origin)),
                Some(_) => Origin::unknown(&disagree),
            });
        }
    }
    for (line, vote) in lines.iter_mut().zip(votes) {
        if let Some(vote) = vote.filter(|_| !line.is_known()) {
            *line = if vote.is_known() {
                Rc::new(Origin { compared: true, ..(*vote).clone() })
            } else if recorded {
                continue;
            } else {
                vote
            };
        }
    }
}

pub(super) fn same_content(a: &FileState, b: &FileState) -> bool {
    match (a, b) {
        (FileState::File { content: a, .. }, FileState::File { content: b, .. }) => a.sha256 == b.sha256,
        (FileState::Symlink { target: a }, FileState::Symlink { target: b }) => a == b,
        (FileState::Missing, FileState::Missing) => true,
        _ => false,
    }
}
