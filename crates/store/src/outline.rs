//! What a fact adds to indexes and counts.

use crate::version_runs::VersionKeys;
use agentprov_model::index::{CountGroup, CountName};
use agentprov_model::window::WindowCell;
use agentprov_model::{Content, ContentId, EventId, EventTime, Fact, GitBlobId, Kept, What};
use smallvec::SmallVec;

/// Everything that the writer needs of a fact beside its body.
#[derive(Clone, Debug)]
pub(crate) struct Outline {
    pub(crate) id: EventId,
    pub(crate) at: EventTime,
    pub(crate) keys: SmallVec<[(u8, u64); 6]>,
    pub(crate) counts: SmallVec<[CountName; 4]>,
    pub(crate) window: Option<WindowCell>,
    pub(crate) contents: Vec<KeptContent>,
    pub(crate) versions: VersionKeys,
}

impl Outline {
    pub(crate) fn of(fact: &Fact) -> Self {
        let mut keys = SmallVec::new();
        fact.visit_keys(|key| {
            let pair = (key.kind as u8, key.hash());
            if !keys.contains(&pair) {
                keys.push(pair);
            }
        });
        let mut counts = SmallVec::new();
        fact.visit_counts(|count| counts.push(count));
        Self {
            id: fact.id,
            at: fact.at,
            keys,
            counts,
            window: fact.window_cell(),
            contents: kept_contents(fact),
            versions: VersionKeys::of(fact),
        }
    }

    /// Every count that the fact raises by one.
    pub(crate) fn all_counts(&self) -> impl Iterator<Item = CountName> {
        let windows = self.window.iter().flat_map(WindowCell::names);
        let windows = windows.map(|name| CountName { group: CountGroup::Window, name: name.into() });
        self.counts.iter().cloned().chain(windows)
    }
}

/// A content whose bytes are kept and that the fact refers to.
#[derive(Clone, Debug)]
pub(crate) struct KeptContent {
    pub(crate) sha256: ContentId,
    pub(crate) git: Option<GitBlobId>,
    pub(crate) size: u64,
    /// False where git holds the bytes.
    pub(crate) stored: bool,
}

fn kept_contents(fact: &Fact) -> Vec<KeptContent> {
    let (first, second) = match &fact.what {
        What::FileVersion(version) => (version.before.content(), version.after.content()),
        What::Output(output) => (Some(&output.content), None),
        What::RawLines(lines) => (Some(&lines.content), None),
        _ => return Vec::new(),
    };
    let kept = |content: &Content| {
        let stored = match content.kept {
            Kept::Stored => true,
            Kept::Git => false,
            Kept::HashOnly(_) => return None,
        };
        Some(KeptContent { sha256: content.sha256, git: content.git, size: content.size, stored })
    };
    first.into_iter().chain(second).filter_map(kept).collect()
}
