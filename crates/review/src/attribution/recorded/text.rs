//! A content with an origin for each of its lines, and the passage from one to the next.

use crate::change::Span;
use agentprov_graph::diff::split_lines;
use agentprov_graph::versions::Version;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::rc::Rc;
use std::sync::Arc;

/// A version as the origin of lines.
#[derive(Clone, Debug)]
pub(crate) struct Writing {
    pub(crate) run: usize,
    pub(crate) version: Version,
}

impl Writing {
    fn key(&self) -> (usize, u64) {
        (self.run, self.version.seq)
    }
}

/// Who may have written a line, as far as recordings tell.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// None: unknown. One: it came with that version. More: with one of them.
    pub(crate) writings: Vec<Rc<Writing>>,
    /// What it took the place of.
    pub(crate) earlier: Vec<Rc<Writing>>,
    /// Why it is unknown.
    pub(crate) why: Option<Rc<str>>,
    /// It was found by comparing with a recorded version, its own content not being recorded.
    pub(crate) compared: bool,
}

impl Origin {
    pub(super) fn unknown(why: &Rc<str>) -> Rc<Self> {
        Rc::new(Self { writings: Vec::new(), earlier: Vec::new(), why: Some(why.clone()), compared: false })
    }

    pub(super) fn of(writing: &Rc<Writing>) -> Rc<Self> {
        Rc::new(Self { writings: vec![writing.clone()], earlier: Vec::new(), why: None, compared: false })
    }

    pub(super) fn is_known(&self) -> bool {
        !self.writings.is_empty()
    }

    pub(super) fn same_writings(&self, other: &Self) -> bool {
        self.writings.len() == other.writings.len()
            && self.writings.iter().zip(&other.writings).all(|(a, b)| a.key() == b.key())
    }

    /// The writings of both.
    pub(super) fn together(&self, other: &Self) -> Self {
        let mut both = self.clone();
        add(&mut both.writings, &other.writings);
        add(&mut both.earlier, &other.earlier);
        both.compared |= other.compared;
        both
    }
}

fn add(list: &mut Vec<Rc<Writing>>, more: &[Rc<Writing>]) {
    for writing in more {
        if !list.iter().any(|known| known.key() == writing.key()) {
            list.push(writing.clone());
        }
    }
}

/// A content with the origins of its lines.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) lines: Vec<Rc<Origin>>,
}

/// Passes from one content to the next: preserved lines keep their origins, the others have those of `incoming`. A line
/// that was taken away and put in somewhere else was moved: it keeps its origin too.
pub(super) fn step(before: &Text, incoming: &[Rc<Origin>], after: &[u8], spans: &[Span]) -> Vec<Rc<Origin>> {
    let old = &before.lines;
    let mut lines = Vec::with_capacity(incoming.len());
    let mut at = 0;
    for span in spans {
        lines.extend_from_slice(&old[at..span.old.start]);
        at = span.old.end;
        replace(&mut lines, &old[span.old.clone()], &incoming[span.new.clone()]);
    }
    lines.extend_from_slice(&old[at..]);
    keep_moved(&mut lines, before, after, spans);
    lines
}

fn keep_moved(lines: &mut [Rc<Origin>], before: &Text, after: &[u8], spans: &[Span]) {
    let both = spans.iter().any(|span| !span.old.is_empty()) && spans.iter().any(|span| !span.new.is_empty());
    if !both {
        return;
    }
    let (old, new) = (split_lines(&before.bytes), split_lines(after));
    let mut gone: HashMap<&[u8], Rc<Origin>> = HashMap::new();
    for line in spans.iter().flat_map(|span| span.old.clone()).filter(|line| tells(old[*line])) {
        let origin = &before.lines[line];
        match gone.entry(old[line]) {
            Entry::Vacant(entry) => {
                entry.insert(origin.clone());
            }
            Entry::Occupied(mut entry) => {
                let known = entry.get().clone();
                if !known.same_writings(origin) {
                    // Which of them it was is not known; one without an owner leaves it without.
                    let which = if known.is_known() && origin.is_known() {
                        Rc::new(known.together(origin))
                    } else if known.is_known() {
                        origin.clone()
                    } else {
                        known
                    };
                    entry.insert(which);
                }
            }
        }
    }
    for line in spans.iter().flat_map(|span| span.new.clone()) {
        if let Some(origin) = gone.get(new[line]) {
            lines[line] = origin.clone();
        }
    }
}

/// Whether a line says enough to be known again: braces and blanks alone do not.
fn tells(line: &[u8]) -> bool {
    line.iter().any(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80)
}

fn replace(lines: &mut Vec<Rc<Origin>>, gone: &[Rc<Origin>], come: &[Rc<Origin>]) {
    if gone.iter().all(|line| !line.is_known() && line.earlier.is_empty()) {
        lines.extend_from_slice(come);
        return;
    }
    let mut block = Vec::new();
    if gone.len() != come.len() {
        for line in gone {
            add(&mut block, &line.writings);
            add(&mut block, &line.earlier);
        }
    }
    for (index, line) in come.iter().enumerate() {
        let mut origin = (**line).clone();
        if gone.len() == come.len() {
            add(&mut origin.earlier, &gone[index].writings);
            add(&mut origin.earlier, &gone[index].earlier);
        } else {
            add(&mut origin.earlier, &block);
        }
        lines.push(Rc::new(origin));
    }
}

/// For each line after the spans the line before them that it is preserved from.
pub(super) fn preserved(count: usize, spans: &[Span]) -> Vec<Option<usize>> {
    let mut from = Vec::with_capacity(count);
    let mut at = 0;
    for span in spans {
        from.extend((at..span.old.start).map(Some));
        at = span.old.end;
        from.extend(span.new.clone().map(|_| None));
    }
    let rest = count.saturating_sub(from.len());
    from.extend((at..at + rest).map(Some));
    from
}
