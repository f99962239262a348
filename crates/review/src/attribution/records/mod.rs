//! Who wrote the lines of each commit, in the forms that other tools read: Agent Trace records and git-ai notes.
//!
//! Both are somebody's word without proof. Only lines that one author owns are in them: of the others nothing is said.

mod agent_trace;
mod git_ai;

pub use agent_trace::agent_trace;
pub use git_ai::git_ai_notes;

use crate::attribution::{Attribution, AttributionError, Author, Claim, LineSide, Sources, attribute};
use crate::change::{Change, CommitRow, GitLog, Origin, Repository, Selection, from_git};
use crate::lines::LineNumber;

/// The word by which our sessions are told from addresses.
pub(super) const SESSION_URN: &str = "urn:agentprov:session:";

/// The lines that a commit brought, as far as their author is known.
#[derive(Clone, Debug)]
pub struct CommitLines {
    /// The commit.
    pub commit: CommitRow,
    /// By path, in the order of the change.
    pub files: Vec<(String, Vec<OwnedRange>)>,
}

/// Lines that follow one another and came from one author in one deed.
#[derive(Clone, Debug)]
pub struct OwnedRange {
    /// First line, counted in the file of the commit.
    pub first: LineNumber,
    /// Last line.
    pub last: LineNumber,
    /// Who, and on what ground.
    pub claim: Claim,
    /// The lines, each with its end.
    pub text: Vec<u8>,
}

impl OwnedRange {
    /// The session that wrote, where one is known.
    pub(super) fn session(&self) -> Option<&str> {
        let recorded = self.claim.deed.as_ref().and_then(|deed| deed.session_id.as_deref());
        self.claim.session.as_deref().or(recorded)
    }
}

/// Attributes each commit of a range, merges left out: their lines came with their parents. Oldest first.
///
/// # Errors
/// What git or the store says.
pub fn commit_lines(change: &Change, sources: &Sources<'_>) -> Result<Vec<CommitLines>, AttributionError> {
    // A command of which nobody knows whether an agent ran it has no name in either form.
    owned_lines(change, sources, |author| !matches!(author, Author::Command(_)))
}

/// The same with the lines of commands of which nobody knows whether an agent ran them.
///
/// # Errors
/// What git or the store says.
pub fn all_commit_lines(change: &Change, sources: &Sources<'_>) -> Result<Vec<CommitLines>, AttributionError> {
    owned_lines(change, sources, |_| true)
}

fn owned_lines(
    change: &Change,
    sources: &Sources<'_>,
    wanted: fn(&Author) -> bool,
) -> Result<Vec<CommitLines>, AttributionError> {
    let (Origin::Range { base, head, .. }, Some(repository)) = (&change.origin, sources.repository) else {
        return Ok(Vec::new());
    };
    let log = GitLog::read(repository, Some(base), head, None)?;
    let single = log.commits().iter().rev().filter(|commit| commit.parents.len() == 1);
    single.map(|commit| lines_of(repository, commit, sources, wanted)).collect()
}

fn lines_of(
    repository: &Repository,
    commit: &CommitRow,
    sources: &Sources<'_>,
    wanted: fn(&Author) -> bool,
) -> Result<CommitLines, AttributionError> {
    let change = from_git(repository, &Selection::Parent { commit: commit.id.clone(), parent: 1 })?;
    let attribution = attribute(&change, sources)?;
    let mut files = Vec::new();
    for (place, file) in change.files.iter().enumerate() {
        let ranges = ranges(&attribution, place, &file.new_lines(), wanted);
        if !ranges.is_empty() {
            files.push((file.path.clone(), ranges));
        }
    }
    Ok(CommitLines { commit: commit.clone(), files })
}

fn ranges(attribution: &Attribution, place: usize, text: &[&[u8]], wanted: fn(&Author) -> bool) -> Vec<OwnedRange> {
    let mut ranges: Vec<OwnedRange> = Vec::new();
    let lines = attribution.files.get(place).map(|file| file.lines.as_slice()).unwrap_or_default();
    for line in lines.iter().filter(|line| line.side == LineSide::Added) {
        let claim = attribution.owner(line).filter(|claim| wanted(&claim.author));
        let (Some(claim), Some(bytes)) = (claim, text.get(line.line.index())) else { continue };
        match ranges.last_mut() {
            Some(range) if range.last.get() + 1 == line.line.get() && range.claim == *claim => {
                range.last = line.line;
                range.text.extend_from_slice(bytes);
            }
            _ => ranges.push(OwnedRange {
                first: line.line,
                last: line.line,
                claim: claim.clone(),
                text: bytes.to_vec(),
            }),
        }
    }
    ranges
}
