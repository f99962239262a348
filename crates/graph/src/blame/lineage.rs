//! Lines through the versions of a file: which version each line of the last state came in with.
//!
//! Only evidence moves an owner. A line keeps its owner where the diff between two known contents preserves it;
//! what depends on a content that is not to be had is unknown, and so is what changed between two versions.

use crate::blame::openers::{Opener, openers};
use crate::diff::{Hunk, hunks, split_lines};
use crate::error::GraphError;
use crate::versions::{Bytes, Contents, DirectoryMove, FileHistory, Version, versions_of_name};
use agentprov_model::{AttemptNo, FileState, OsBytes, VersionCause};
use agentprov_store::{Reader, RunRow};
use std::collections::HashMap;
use std::rc::Rc;

/// How a line came to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It stood in the pre-image of the run.
    BeforeRun,
    /// It came with the version of this place in the history.
    Written(usize),
    /// The version of this place was renamed here while being written; these had it open for writing.
    Opened(usize, Rc<[Opener]>),
    /// Not known, for this reason.
    Unknown(Rc<str>),
}

/// A line, and what stood in its place before.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) origin: Origin,
    /// Newest first.
    pub(super) earlier: Vec<Earlier>,
}

/// Something that a later version overwrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Earlier {
    pub(super) origin: Origin,
    /// True where the line took the place of exactly this one; false where it is one of a block that was
    /// replaced by a block of another length.
    pub(super) same_line: bool,
}

/// A state with an owner for each line.
#[derive(Clone, Debug)]
pub(super) struct Annotated {
    pub(super) state: FileState,
    pub(super) text: Text,
}

#[derive(Clone, Debug)]
pub(super) enum Text {
    /// Bytes are known; one owner per line.
    Known { bytes: Rc<[u8]>, lines: Vec<Rc<Line>> },
    /// Bytes are not to be had; where one version wrote them all, it owns every line that there may be.
    Opaque { why: Rc<str>, whole: Option<Rc<Line>> },
}

impl Annotated {
    /// A state all of whose lines have one origin.
    fn uniform(state: &FileState, bytes: &Bytes, origin: Origin) -> Self {
        let line = Rc::new(Line { origin, earlier: Vec::new() });
        let text = match bytes {
            Bytes::Known(bytes) => Text::Known { lines: vec![line; split_lines(bytes).len()], bytes: bytes.clone() },
            Bytes::Unknown(why) => Text::Opaque { why: Rc::from(why.as_str()), whole: Some(line) },
        };
        Self { state: state.clone(), text }
    }
}

/// Follows the history to its end; None where it has no version of its path.
///
/// # Errors
/// What the store says.
pub(super) fn trace(
    reader: &Reader,
    run: &RunRow,
    history: &FileHistory,
    contents: &Contents<'_>,
) -> Result<Option<Rc<Annotated>>, GraphError> {
    let mut tracer = Tracer { reader, run, contents, states: HashMap::new(), last_attempt: HashMap::new() };
    let mut moves = history.moves.iter().peekable();
    for (place, version) in history.versions.iter().enumerate() {
        while let Some(directory) = moves.next_if(|directory| directory.seq < version.seq) {
            tracer.carry(directory);
        }
        tracer.pass(place, version)?;
    }
    moves.for_each(|directory| tracer.carry(directory));
    Ok(tracer.states.get(&history.path).and_then(|stack| stack.last().cloned()))
}

struct Tracer<'a> {
    reader: &'a Reader,
    run: &'a RunRow,

    contents: &'a Contents<'a>,
    /// Every state that a name has held, the newest last.
    states: HashMap<OsBytes, Vec<Rc<Annotated>>>,
    last_attempt: HashMap<OsBytes, AttemptNo>,
}

impl Tracer<'_> {
    fn carry(&mut self, directory: &DirectoryMove) {
        let inside: Vec<(OsBytes, OsBytes)> =
            self.states.keys().filter_map(|path| Some((path.clone(), directory.carry(path)?))).collect();
        let taken: Vec<(OsBytes, Rc<Annotated>)> = inside
            .into_iter()
            .filter_map(|(from, to)| {
                let stack = self.states.get_mut(&from)?;
                let state = stack.last().filter(|last| last.state != FileState::Missing)?.clone();
                stack.push(Rc::new(gone()));
                Some((to, state))
            })
            .collect();
        for (to, state) in taken {
            self.last_attempt.insert(to.clone(), directory.attempt);
            self.states.entry(to).or_default().push(state);
        }
    }

    fn pass(&mut self, place: usize, version: &Version) -> Result<(), GraphError> {
        let after = self.contents.of_state(&version.after)?;
        let moved_already = |prior: &Annotated| {
            version.source().is_some()
                && version.before == FileState::Missing
                && same_content(&prior.state, &version.after)
        };
        let prior = self.states.get(&version.path).and_then(|stack| stack.last().cloned());
        let next = match prior {
            // The directory brought it here; this version says so once more.
            Some(prior) if moved_already(&prior) => {
                Rc::new(Annotated { state: version.after.clone(), text: prior.text.clone() })
            }
            prior => {
                let before = self.before(prior, version)?;
                let incoming = self.incoming(place, version, &after)?;
                Rc::new(step(&before, &version.after, &after, &incoming))
            }
        };
        self.last_attempt.insert(version.path.clone(), version.attempt);
        self.states.entry(version.path.clone()).or_default().push(next);
        if let VersionCause::RenamedFrom(source) = &version.cause {
            self.states.entry(source.clone()).or_default().push(Rc::new(gone()));
        }
        Ok(())
    }

    /// The state before a version, with the owners that are known of it.
    fn before(&self, prior: Option<Rc<Annotated>>, version: &Version) -> Result<Rc<Annotated>, GraphError> {
        let bytes = self.contents.of_state(&version.before)?;
        let Some(prior) = prior else {
            return Ok(Rc::new(Annotated::uniform(&version.before, &bytes, Origin::BeforeRun)));
        };
        if same_content(&prior.state, &version.before) {
            return Ok(prior);
        }
        let between = self.last_attempt.get(&version.path) != Some(&version.attempt);
        let why = if between {
            "it was changed between two attempts, outside the recording"
        } else {
            "it was changed between two versions in a way that was not seen"
        };
        let unseen = Annotated::uniform(&version.before, &bytes, Origin::Unknown(Rc::from(why)));
        Ok(Rc::new(step(&prior, &version.before, &bytes, &unseen)))
    }

    /// The state after a version with the owners that its lines have where they are new at this path.
    fn incoming(&self, place: usize, version: &Version, after: &Bytes) -> Result<Annotated, GraphError> {
        let Some(source) = version.source() else {
            let origin = match (&version.cause, version.writers.is_empty()) {
                (VersionCause::Compared, true) => {
                    Origin::Unknown("it was found changed after the run; who wrote it was not seen".into())
                }
                (_, true) => Origin::Unknown("the version names no writer".into()),
                (_, false) => Origin::Written(place),
            };
            return Ok(Annotated::uniform(&version.after, after, origin));
        };
        let life = self.life_of(source);
        if let Some(known) = life.iter().rev().find(|state| same_content(&state.state, &version.after)) {
            return Ok(adopt(known, &version.after, after));
        }
        let origin_of_rest = self.rest_of_renamed(place, version, source)?;
        let rest = Annotated::uniform(&version.after, after, origin_of_rest);
        // Written on after its last version and renamed before it was released.
        Ok(match life.last() {
            Some(last) => step(last, &version.after, after, &rest),
            None => rest,
        })
    }

    /// Who owns what a renamed or linked file held beyond its recorded versions.
    fn rest_of_renamed(&self, place: usize, version: &Version, source: &OsBytes) -> Result<Origin, GraphError> {
        let of_name = versions_of_name(self.reader, self.run, source)?;
        // The last version of the name or, where that one made the name free, the begin of this life.
        let since = of_name.iter().rev().find(|known| known.seq < version.seq).map(|known| known.at);
        if since.is_none() && left_as_it_was(version, &of_name) {
            return Ok(Origin::BeforeRun);
        }
        let found = openers(self.reader, self.run, source, since, version.at)?;
        if !found.is_empty() {
            return Ok(Origin::Opened(place, found.into()));
        }
        if since.is_none() {
            return Ok(Origin::BeforeRun);
        }
        Ok(Origin::Unknown("it was renamed here with a content that no version of its old name has".into()))
    }

    /// States that the source of a version has held since its name was last free.
    fn life_of(&self, source: &OsBytes) -> &[Rc<Annotated>] {
        let stack = self.states.get(source).map(Vec::as_slice).unwrap_or_default();
        stack.rsplit(|state| state.state == FileState::Missing).next().unwrap_or_default()
    }
}

/// True where the source was renamed with the content that it had before the run.
fn left_as_it_was(version: &Version, of_source: &[Version]) -> bool {
    of_source.first().is_some_and(|first| {
        first.seq > version.seq
            && first.cause == VersionCause::RenamedTo(version.path.clone())
            && same_content(&first.before, &version.after)
    })
}

/// Nothing is there.
fn gone() -> Annotated {
    Annotated::uniform(&FileState::Missing, &Bytes::Known([].into()), Origin::BeforeRun)
}

/// The owners of a known state for the same content under another name; its bytes may be to be had only here.
fn adopt(known: &Annotated, state: &FileState, bytes: &Bytes) -> Annotated {
    let text = match (&known.text, bytes) {
        (Text::Opaque { whole: Some(line), .. }, Bytes::Known(bytes)) => {
            Text::Known { bytes: bytes.clone(), lines: vec![line.clone(); split_lines(bytes).len()] }
        }
        (Text::Opaque { why, whole: None }, Bytes::Known(_)) => {
            return Annotated::uniform(state, bytes, unavailable(why));
        }
        (text, _) => text.clone(),
    };
    Annotated { state: state.clone(), text }
}

fn unavailable(why: &str) -> Origin {
    Origin::Unknown(format!("an earlier content is not available: {why}").into())
}

/// Passes from a state to the next: preserved lines keep their owners, the others get those of `incoming`.
fn step(before: &Annotated, state: &FileState, bytes: &Bytes, incoming: &Annotated) -> Annotated {
    if same_content(&before.state, state) {
        return Annotated { state: state.clone(), text: before.text.clone() };
    }
    let (old, old_lines) = match &before.text {
        Text::Known { bytes, lines } => (bytes, lines),
        Text::Opaque { why, .. } => return Annotated::uniform(state, bytes, unavailable(why)),
    };
    let (new, new_lines) = match &incoming.text {
        Text::Known { bytes, lines } => (bytes, lines),
        Text::Opaque { why, whole } => {
            // Where nothing stood before, all of it is new, bytes or not.
            let whole = whole.clone().filter(|_| old_lines.is_empty());
            return Annotated { state: state.clone(), text: Text::Opaque { why: why.clone(), whole } };
        }
    };
    let mut lines = Vec::with_capacity(new_lines.len());
    let mut at = 0;
    for hunk in hunks(&split_lines(old), &split_lines(new)) {
        lines.extend_from_slice(&old_lines[at..hunk.before.start]);
        at = hunk.before.end;
        replace(&mut lines, old_lines, new_lines, &hunk);
    }
    lines.extend_from_slice(&old_lines[at..]);
    Annotated { state: state.clone(), text: Text::Known { bytes: new.clone(), lines } }
}

fn replace(lines: &mut Vec<Rc<Line>>, old: &[Rc<Line>], new: &[Rc<Line>], hunk: &Hunk) {
    let (gone, come) = (&old[hunk.before.clone()], &new[hunk.after.clone()]);
    if gone.is_empty() {
        lines.extend_from_slice(come);
        return;
    }
    let paired = gone.len() == come.len();
    let mut block: Vec<Earlier> = Vec::new();
    if !paired {
        for line in gone {
            let own = Earlier { origin: line.origin.clone(), same_line: false };
            let past = line.earlier.iter().map(|past| Earlier { same_line: false, ..past.clone() });
            for earlier in std::iter::once(own).chain(past) {
                if !block.contains(&earlier) {
                    block.push(earlier);
                }
            }
        }
        block.sort_by_key(|earlier| std::cmp::Reverse(rank(&earlier.origin)));
    }
    for (index, line) in come.iter().enumerate() {
        let mut earlier = line.earlier.clone();
        if paired {
            earlier.push(Earlier { origin: gone[index].origin.clone(), same_line: true });
            earlier.extend_from_slice(&gone[index].earlier);
        } else {
            earlier.extend_from_slice(&block);
        }
        lines.push(Rc::new(Line { origin: line.origin.clone(), earlier }));
    }
}

/// Newer origins rank higher.
fn rank(origin: &Origin) -> Option<usize> {
    match origin {
        Origin::Written(place) | Origin::Opened(place, _) => Some(*place),
        Origin::BeforeRun | Origin::Unknown(_) => None,
    }
}

fn same_content(a: &FileState, b: &FileState) -> bool {
    match (a, b) {
        (FileState::File { content: a, .. }, FileState::File { content: b, .. }) => a.sha256 == b.sha256,
        (FileState::Symlink { target: a }, FileState::Symlink { target: b }) => a == b,
        (FileState::Missing, FileState::Missing) => true,
        _ => false,
    }
}
