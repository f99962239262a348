//! Who wrote each changed line, and who removed it.
//!
//! Recorded versions are the strongest evidence; then records and notes, commits, and the word of whoever posted the
//! change. Every claim says how it was found and what it is worth. Claims that contradict each other all stay.
//! A line of which nothing is known is unknown; that does not make it a person's.

pub mod agents;
mod asserted;
mod blame;
mod build;
mod claim;
mod commits;
mod error;
mod evidence;
mod line_claims;
mod recorded;
pub mod records;

pub use asserted::{AgentTrace, TraceError, agent_of_commit};
pub use blame::{BlamedFile, blame};
pub use claim::{
    Attribution, Author, Claim, ClaimId, Confidence, Deed, FileAttribution, LineAttribution, LineSide, LineStatus,
    Method, Writer,
};
pub use error::AttributionError;
pub use evidence::{Evidence, EvidenceError, ExportError, PAYLOAD_TYPE as EVIDENCE_TYPE, export};
pub use line_claims::{LineClaimError, LineClaims, PAYLOAD_TYPE as LINE_CLAIM_TYPE, export_line_claims};

use crate::change::{Change, ChangedFile, FileContent, GitLog, Origin, Repository};
use crate::lines::LineNumber;
use agentprov_store::Reader;
use asserted::{SaidRange, commit_claims, notes};
use build::{Builder, LineEvidence};
use commits::{LineCommits, line_commits};
use evidence::Applied;
use line_claims::Claimed;
use recorded::{Recorded, Recordings};
use std::collections::HashMap;
use std::rc::Rc;

/// Where evidence comes from. Each may be absent.
#[derive(Clone, Copy, Default)]
pub struct Sources<'a> {
    /// The repository that the change is of.
    pub repository: Option<&'a Repository>,
    /// Recordings.
    pub reader: Option<&'a Reader>,
    /// Agent Trace records.
    pub traces: &'a [AgentTrace],
    /// Evidence from other stores.
    pub evidence: &'a [Evidence],
    /// Signed claims on single lines.
    pub line_claims: &'a [LineClaims],
}

/// Says who wrote and removed the lines of a change.
///
/// # Errors
/// [`AttributionError`] when the store or git fails; missing evidence is no error.
pub fn attribute(change: &Change, sources: &Sources<'_>) -> Result<Attribution, AttributionError> {
    let log = match (&change.origin, sources.repository) {
        (Origin::Range { base, head, .. }, Some(repository)) => GitLog::read(repository, Some(base), head, None)?,
        _ => GitLog::default(),
    };
    let mut attributor = Attributor::new(change, sources, &log)?;
    for (place, file) in change.files.iter().enumerate() {
        attributor.file(place, file)?;
    }
    attributor.builder.notices(attributor.claimed.notices());
    Ok(attributor.builder.finish())
}

struct Attributor<'a> {
    sources: &'a Sources<'a>,
    log: &'a GitLog,
    recordings: Option<Recordings<'a>>,
    /// Claims of each commit as a whole.
    commit_claims: Vec<Vec<ClaimId>>,
    notes: HashMap<String, Vec<SaidRange>>,
    /// For changes that are not committed: the commit that they start from.
    base: Option<&'a str>,
    /// What was posted, by file, side and line.
    posted: HashMap<(usize, LineSide, LineNumber), ClaimId>,
    evidence: Applied,
    claimed: Claimed<'a>,
    builder: Builder,
}

impl<'a> Attributor<'a> {
    fn new(change: &'a Change, sources: &'a Sources<'a>, log: &'a GitLog) -> Result<Self, AttributionError> {
        let mut builder = Builder::default();
        let recordings = match sources.reader {
            Some(reader) if recorded::can_ask(&change.origin) => {
                let mut recordings = Recordings::open(reader, sources.repository, log)?;
                change.files.iter().for_each(|file| recordings.learn(file));
                Some(recordings)
            }
            _ => None,
        };
        let commit_claims = log.commits().iter().map(|commit| builder.intern_all(commit_claims(commit))).collect();
        let mut found = HashMap::new();
        if let (Some(repository), false) = (sources.repository, log.commits().is_empty()) {
            let names: Vec<&str> = log.commits().iter().map(|commit| commit.id.as_str()).collect();
            let (notes, notices) = notes(repository, &names)?;
            found = notes;
            builder.notices(notices);
        }
        let base = match &change.origin {
            Origin::Staged { base } | Origin::Worktree { base } => base.as_deref(),
            _ => None,
        };
        let posted = posted(change, &mut builder);
        let evidence = Applied::new(change, sources.repository, sources.evidence)?;
        builder.notices(evidence.notices.clone());
        let claimed = Claimed::new(sources.line_claims, sources.repository, log)?;
        Ok(Self { sources, log, recordings, commit_claims, notes: found, base, posted, evidence, claimed, builder })
    }

    fn file(&mut self, place: usize, file: &'a ChangedFile) -> Result<(), AttributionError> {
        let commits = match self.sources.repository {
            Some(repository) => line_commits(repository, self.log, file)?,
            None => LineCommits::default(),
        };
        let whole = matches!(file.new.content, FileContent::Text(_) | FileContent::Link(_));
        let mut added: Vec<Rc<Recorded>> = Vec::new();
        let mut removed: HashMap<usize, Rc<Recorded>> = HashMap::new();
        if let Some(recordings) = &mut self.recordings {
            if let Some(text) = file.new.text().filter(|_| whole && !file.spans.is_empty()) {
                added = recordings.lines(text, &file.raw_path, file.new.blob)?;
            }
            removed = recordings.removed(file)?;
        }
        let mut lines = Vec::new();
        let claimed = if self.claimed.is_empty() { Vec::new() } else { file.new_lines() };
        for line in file.added() {
            let commit = commits.added.get(&line.index()).copied();
            let recorded = added.get(line.index()).map(AsRef::as_ref);
            let signed = match (commit, claimed.get(line.index())) {
                (Some((commit, there)), Some(content)) => {
                    self.claimed.of(&self.log.commits()[commit].id, &file.path, there, content)
                }
                _ => Vec::new(),
            };
            let signed = self.builder.intern_all(signed);
            let commit = commit.map(|(commit, there)| (commit, Some(there)));
            lines.push(self.line((place, file), (LineSide::Added, line), recorded, commit, signed));
        }
        for line in file.removed() {
            let commit = commits.removed.get(&line.index()).map(|commit| (*commit, None));
            let recorded = removed.get(&line.index()).map(AsRef::as_ref);
            lines.push(self.line((place, file), (LineSide::Removed, line), recorded, commit, Vec::new()));
        }
        self.builder.file(&file.path, lines);
        Ok(())
    }

    fn line(
        &mut self,
        (place, file): (usize, &ChangedFile),
        (side, line): (LineSide, LineNumber),
        recorded: Option<&Recorded>,
        commit: Option<(usize, Option<LineNumber>)>,
        signed: Vec<ClaimId>,
    ) -> LineAttribution {
        let mut said = signed;
        let at = (place, side, line);
        let proved = self.evidence.proved.get(&at).map(AsRef::as_ref);
        let known = recorded.filter(|recorded| !recorded.claims.is_empty());
        if let (Some(_), Some(proved)) = (known, proved) {
            said.extend(proved.claims.iter().map(|claim| self.builder.intern(claim)));
        }
        let recorded = known.or(proved).or(recorded);
        let word = self.evidence.said.get(&at).into_iter().flatten();
        said.extend(word.map(|claim| self.builder.intern(claim)));
        let row = commit.map(|(commit, _)| &self.log.commits()[commit]);
        // Records and notes speak of lines that a commit has, not of those that it removed.
        let there = match (commit, row) {
            (Some((_, there)), Some(row)) => there.map(|there| (row.id.as_str(), row.parents.as_slice(), there)),
            _ if side == LineSide::Added => self.base.map(|base| (base, [].as_slice(), line)),
            _ => None,
        };
        if let Some((id, parents, there)) = there {
            for trace in self.sources.traces.iter().filter(|trace| trace.speaks_of(id, parents)) {
                said.extend(trace.claims(&file.path, there).map(|claim| self.builder.intern(claim)));
            }
            let notes = self.notes.get(id).into_iter().flatten();
            let notes = notes.filter(|range| range.path == file.path && range.first <= there && there <= range.last);
            said.extend(notes.map(|range| self.builder.intern(&range.claim)));
        }
        if let Some((commit, _)) = commit {
            said.extend(&self.commit_claims[commit]);
        }
        said.extend(self.posted.get(&at));
        let commit = row.map(|row| row.id.clone());
        self.builder.line(LineEvidence { side, line, recorded, said, commit, asked: self.recordings.is_some() })
    }
}

fn posted(change: &Change, builder: &mut Builder) -> HashMap<(usize, LineSide, LineNumber), ClaimId> {
    let mut found = HashMap::new();
    for line in change.asserted.iter().filter(|line| !line.by.agent_id.is_empty()) {
        let marker = line.by.provenance_marker.as_deref().map(|marker| format!(", marker '{marker}'"));
        let said_in = format!("the posted change{}", marker.unwrap_or_default());
        // Names are kept as they were posted: they are opaque.
        let author = Author::Agent(line.by.agent_id.clone());
        let claim =
            Claim { session: line.by.agent_session_id.clone(), ..Claim::said(Method::Payload, author, said_in) };
        let side = if line.removed { LineSide::Removed } else { LineSide::Added };
        found.insert((line.file, side, line.line), builder.intern(&claim));
    }
    found
}
