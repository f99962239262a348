//! Which lines of a change evidence speaks of, and what that is worth.

use crate::attribution::AttributionError;
use crate::attribution::claim::{Author, Claim, LineSide, Method};
use crate::attribution::evidence::document::{FactRef, FilePart, LinesPart};
use crate::attribution::evidence::open::{Evidence, EvidenceError};
use crate::attribution::recorded::Recorded;
use crate::change::{Change, ChangedFile, FileContent, Origin, Repository, Side, spans};
use crate::lines::LineNumber;
use agentprov_graph::versions::Version;
use agentprov_model::{FileState, OsBytes};
use data_encoding::HEXLOWER;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// File, side and line.
type Place = (usize, LineSide, LineNumber);

/// Evidence by line.
#[derive(Default)]
pub(in crate::attribution) struct Applied {
    /// Proved, for lines of which the local recordings know nothing.
    pub(in crate::attribution) proved: HashMap<Place, Rc<Recorded>>,
    /// Said.
    pub(in crate::attribution) said: HashMap<Place, Vec<Rc<Claim>>>,
    pub(in crate::attribution) notices: Vec<String>,
}

impl Applied {
    pub(in crate::attribution) fn new(
        change: &Change,
        repository: Option<&Repository>,
        evidence: &[Evidence],
    ) -> Result<Self, AttributionError> {
        let mut applied = Self::default();
        for one in evidence {
            applied.add(change, repository, one)?;
        }
        Ok(applied)
    }

    fn add(
        &mut self,
        change: &Change,
        repository: Option<&Repository>,
        evidence: &Evidence,
    ) -> Result<(), AttributionError> {
        let of_head = |head: &String| *head == evidence.head;
        let mut met =
            matches!(&change.origin, Origin::Range { head, .. } | Origin::Payload { head, .. } if of_head(head));
        for part in &evidence.files {
            let found = change.files.iter().position(|file| file.path == part.path);
            let Some((place, file)) = found.map(|place| (place, &change.files[place])) else { continue };
            let (new, old) = (same_blob(&file.new, &part.blob), same_blob(&file.old, &part.old_blob));
            met |= new || old;
            if !new && part.lines.iter().any(|lines| lines.side == LineSide::Added) {
                // Of a posted change it has to be there as a whole, for only then can it be compared.
                let name = &evidence.name;
                self.notices.push(format!("{name}: {} has another content here; it does not count", part.path));
            }
            // A removal is a step from one content to another: both have to be those of the evidence.
            let removals = old && (new || (part.blob.is_none() && file.new.content == FileContent::Absent));
            self.file(place, file, part, evidence, repository, (new, removals))?;
        }
        if !met {
            let (base, head) = (evidence.base.clone(), evidence.head.clone());
            let error = EvidenceError::Foreign { base, head };
            return Err(AttributionError::Evidence { name: evidence.name.clone(), error });
        }
        Ok(())
    }

    fn file(
        &mut self,
        place: usize,
        file: &ChangedFile,
        part: &FilePart,
        evidence: &Evidence,
        repository: Option<&Repository>,
        (additions, removals): (bool, bool),
    ) -> Result<(), AttributionError> {
        let added: Vec<LineNumber> = file.added().collect();
        let removed: Vec<LineNumber> = file.removed().collect();
        for lines in &part.lines {
            let changed = match lines.side {
                LineSide::Added if additions => &added,
                LineSide::Removed if removals => &removed,
                _ => continue,
            };
            let from = changed.partition_point(|line| *line < lines.first);
            let inside = changed[from..].iter().take_while(|line| **line <= lines.last);
            let mut recorded: Option<Rc<Recorded>> = None;
            for line in inside {
                if evidence.proves(file, lines, *line, repository)? {
                    let recorded = recorded.get_or_insert_with(|| Rc::new(evidence.recorded(lines)));
                    self.prove((place, lines.side, *line), recorded);
                } else {
                    let said = lines.claims.iter().map(|one| Rc::new(evidence.said(one)));
                    self.said.entry((place, lines.side, *line)).or_default().extend(said);
                }
            }
        }
        Ok(())
    }

    /// Proofs of several files stand beside each other: where they differ, the line is ambiguous.
    fn prove(&mut self, place: Place, recorded: &Rc<Recorded>) {
        let both = match self.proved.get(&place) {
            None => recorded.clone(),
            Some(known) => {
                let mut both = (**known).clone();
                let new = recorded.claims.iter().filter(|claim| !known.claims.contains(claim));
                both.claims.extend(new.cloned());
                both.earlier.extend(recorded.earlier.iter().filter(|claim| !known.earlier.contains(claim)).cloned());
                Rc::new(both)
            }
        };
        self.proved.insert(place, both);
    }
}

/// Whether a side holds that content: by its name, or by what it holds, where nobody named it.
fn same_blob(side: &Side, name: &Option<String>) -> bool {
    let Some(name) = name else { return false };
    match (side.blob, side.text()) {
        (Some(blob), _) => blob.to_string() == *name,
        (None, Some(text)) => blob_name(text, name.len()) == *name,
        (None, None) => false,
    }
}

/// Git's name of a content, as long as another name.
fn blob_name(text: &[u8], length: usize) -> String {
    let header = format!("blob {}\0", text.len());
    if length == 2 * <Sha256 as Digest>::output_size() {
        return HEXLOWER.encode(&Sha256::new().chain_update(header).chain_update(text).finalize());
    }
    HEXLOWER.encode(&Sha1::new().chain_update(header).chain_update(text).finalize())
}

impl Evidence {
    fn version(&self, one: &FactRef) -> Option<&Version> {
        self.logs.get(one.log).and_then(|log| log.version(one.seq))
    }

    fn claim(&self, one: &FactRef, method: Method) -> Option<Claim> {
        let log = self.logs.get(one.log)?;
        Some(log.claim(log.version(one.seq)?, method))
    }

    fn recorded(&self, lines: &LinesPart) -> Recorded {
        let claim = |one: &FactRef| {
            let method = if one.preserved { Method::PreservedLine } else { Method::RecordedVersion };
            self.claim(one, method)
        };
        let earlier = lines.earlier.iter().filter_map(claim).collect();
        Recorded { claims: lines.claims.iter().filter_map(claim).collect(), earlier, why: None }
    }

    /// The claim as somebody's word, with what it lacks.
    fn said(&self, one: &FactRef) -> Claim {
        let keys: Vec<String> = self.keys.iter().map(ToString::to_string).collect();
        let trusted = self.logs.get(one.log).is_some_and(|log| log.trusted);
        let why = match trusted {
            true => "the file is not signed, and the contents do not show it".to_owned(),
            false => format!("asserted by {}, which is not trusted", keys.join(" or ")),
        };
        let said_in = format!("evidence {}: {why}", self.name);
        let claim = self.claim(one, Method::EvidenceFile);
        let claim = claim.map(|claim| Claim { said_in: Some(said_in.clone()), ..claim });
        let nobody = || Claim::said(Method::EvidenceFile, Author::Command("(not known)".into()), said_in);
        claim.unwrap_or_else(nobody)
    }

    /// Whether it is shown, and not merely said, that a line came with those versions.
    fn proves(
        &self,
        file: &ChangedFile,
        lines: &LinesPart,
        line: LineNumber,
        repository: Option<&Repository>,
    ) -> Result<bool, AttributionError> {
        let trusted = |one: &FactRef| self.logs.get(one.log).is_some_and(|log| log.trusted);
        if !lines.claims.iter().chain(&lines.earlier).all(trusted) {
            return Ok(false);
        }
        if self.signed {
            return Ok(true);
        }
        let (Some(repository), [one], LineSide::Added) = (repository, lines.claims.as_slice(), lines.side) else {
            return Ok(false);
        };
        if one.preserved || !lines.earlier.is_empty() {
            return Ok(false);
        }
        self.contents_show(file, one, line, repository)
    }

    /// The version left exactly this content, and the line is new in it against the content before, which git has.
    fn contents_show(
        &self,
        file: &ChangedFile,
        one: &FactRef,
        line: LineNumber,
        repository: &Repository,
    ) -> Result<bool, AttributionError> {
        let (Some(version), Some(text)) = (self.version(one), file.new.text()) else { return Ok(false) };
        let left = version.after.content().and_then(|content| content.git);
        if left.is_none() || left != file.new.blob || version.source().is_some() || !self.wrote(one, version) {
            return Ok(false);
        }
        let before: Option<Arc<[u8]>> = match &version.before {
            FileState::Missing => Some(Arc::from([])),
            FileState::File { content, .. } => match content.git {
                Some(blob) => repository.bytes_of(blob)?,
                None => None,
            },
            _ => None,
        };
        let Some(before) = before else { return Ok(false) };
        Ok(spans(&before, text).iter().any(|span| span.new.contains(&line.index())))
    }

    /// Every writer ran something that is known and is not git, which brings contents and writes none.
    fn wrote(&self, one: &FactRef, version: &Version) -> bool {
        let Some(log) = self.logs.get(one.log) else { return false };
        let is_writer = |argv: Option<&[OsBytes]>| {
            argv.and_then(<[OsBytes]>::first).is_some_and(|program| {
                let name = program.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default();
                name != b"git" && !name.starts_with(b"git-")
            })
        };
        !version.writers.is_empty() && version.writers.iter().all(|writer| is_writer(log.argv(writer, version.at)))
    }
}
