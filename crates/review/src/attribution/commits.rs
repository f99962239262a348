//! Which commit of the range brought or removed each line.

use crate::attribution::AttributionError;
use crate::change::{ChangedFile, GitLog, GitPosition, Repository};
use crate::lines::LineNumber;
use std::collections::HashMap;
use std::sync::Arc;

/// Commits that one line is followed through.
const MAX_STEPS: usize = 20_000;

/// Places in the log of the commits that changed the lines of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct LineCommits {
    /// By line after the change, counted from zero: the commit, and the number that the line had in it.
    pub(super) added: HashMap<usize, (usize, LineNumber)>,
    /// By line before the change: the commit.
    pub(super) removed: HashMap<usize, usize>,
}

/// Follows the changed lines of a file through the commits.
///
/// # Errors
/// What git says.
pub(super) fn line_commits(
    repository: &Repository,
    log: &GitLog,
    file: &ChangedFile,
) -> Result<LineCommits, AttributionError> {
    let mut found = LineCommits::default();
    if log.commits().is_empty() {
        return Ok(found);
    }
    if let (Some(blob), Some(bytes)) = (file.new.blob, file.new.text()) {
        let position = GitPosition { path: file.raw_path.clone(), blob, from: 0 };
        let lines: Vec<(usize, usize)> = file.added().map(|line| (line.index(), line.index())).collect();
        bring(repository, log, position, bytes.clone(), lines, &mut found.added)?;
    }
    removals(repository, log, file, &mut found.removed)?;
    Ok(found)
}

/// Goes back from a content: a line that no parent has came with that commit.
fn bring(
    repository: &Repository,
    log: &GitLog,
    position: GitPosition,
    bytes: Arc<[u8]>,
    lines: Vec<(usize, usize)>,
    added: &mut HashMap<usize, (usize, LineNumber)>,
) -> Result<(), AttributionError> {
    let mut open = vec![(position, bytes, lines)];
    for _ in 0..MAX_STEPS {
        let Some((position, bytes, mut lines)) = open.pop() else { break };
        let Some((commit, moves)) = log.arrival(&position) else { continue };
        for parent in moves {
            let Some(blob) = parent.old_blob else { continue };
            let Some(before) = repository.bytes_of(blob)? else { continue };
            let from = preserved_from(&before, &bytes);
            let (kept, rest): (Vec<_>, Vec<_>) =
                lines.into_iter().partition(|(_, here)| from.get(*here).is_some_and(Option::is_some));
            lines = rest;
            if !kept.is_empty() {
                let kept = kept.into_iter().filter_map(|(top, here)| Some((top, from[here]?))).collect();
                let position = GitPosition { path: parent.old_path.clone(), blob, from: commit + 1 };
                open.push((position, before, kept));
            }
        }
        for (top, here) in lines {
            added.entry(top).or_insert((commit, LineNumber::after(here)));
        }
    }
    Ok(())
}

fn preserved_from(before: &[u8], after: &[u8]) -> Vec<Option<usize>> {
    let count = crate::change::line_count(after);
    let mut from = Vec::with_capacity(count);
    let mut at = 0;
    for span in crate::change::spans(before, after) {
        from.extend((at..span.old.start).map(Some));
        at = span.old.end;
        from.extend(span.new.map(|_| None));
    }
    let rest = count.saturating_sub(from.len());
    from.extend((at..at + rest).map(Some));
    from
}

/// Goes back along the first parents: a line of the base that a commit's parent has and the commit has not was removed
/// by it. Said only where the path leads back to the base without a gap.
fn removals(
    repository: &Repository,
    log: &GitLog,
    file: &ChangedFile,
    removed: &mut HashMap<usize, usize>,
) -> Result<(), AttributionError> {
    let (Some(old_blob), Some(old)) = (file.old.blob, file.old.text()) else { return Ok(()) };
    let mut steps: Vec<(usize, Arc<[u8]>)> = Vec::new();
    let mut here = match file.new.blob {
        Some(blob) => log.arrival(&GitPosition { path: file.raw_path.clone(), blob, from: 0 }),
        None => log.removal(&file.raw_path, 0),
    };
    let mut after = file.new.text().cloned().unwrap_or_else(|| Arc::from([]));
    while let Some((commit, [parent, ..])) = here {
        let Some(blob) = parent.old_blob.filter(|_| steps.len() < MAX_STEPS) else { return Ok(()) };
        let Some(before) = repository.bytes_of(blob)? else { return Ok(()) };
        steps.push((commit, std::mem::replace(&mut after, before)));
        here = log.arrival(&GitPosition { path: parent.old_path.clone(), blob, from: commit + 1 });
        if blob == old_blob && here.is_none() {
            break;
        }
    }
    if *after != **old {
        return Ok(());
    }
    // Forward again, from the base.
    let mut standing: Vec<Option<usize>> = (0..crate::change::line_count(old)).map(Some).collect();
    for (commit, next) in steps.into_iter().rev() {
        let from = preserved_from(&after, &next);
        let kept: Vec<Option<usize>> = from.iter().map(|from| from.and_then(|from| standing[from])).collect();
        let mut present = vec![false; standing.len()];
        from.iter().flatten().for_each(|from| present[*from] = true);
        for (line, _) in standing.iter().zip(&present).filter(|(_, present)| !**present) {
            removed.extend(line.map(|line| (line, commit)));
        }
        (standing, after) = (kept, next);
    }
    Ok(())
}
