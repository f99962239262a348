//! Who removed lines: the recorded version through which a line does not pass.

use crate::attribution::AttributionError;
use crate::attribution::recorded::lineage::Lineage;
use crate::attribution::recorded::text::{Origin, Writing};
use crate::change::ChangedFile;
use agentprov_graph::versions::Version;
use agentprov_model::{FileState, OsBytes};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// For each removed line, counted from zero before the change, the version that removed it. Lines of which no recording
/// tells are left out.
pub(super) fn removals(
    lineage: &mut Lineage<'_>,
    file: &ChangedFile,
    names: &[OsBytes],
) -> Result<HashMap<usize, Rc<Origin>>, AttributionError> {
    let mut found: HashMap<usize, Rc<Origin>> = HashMap::new();
    let Some(old) = file.old.text().cloned() else { return Ok(found) };
    let wanted: Vec<usize> = file.spans.iter().flat_map(|span| span.old.clone()).collect();
    if wanted.is_empty() {
        return Ok(found);
    }
    let id = lineage.learn(&old);
    for name in names {
        for run in lineage.runs.holding(name)?.iter().copied() {
            let versions = lineage.runs.of_path(run, name)?;
            let starts_here = |state: &FileState| state.content().is_some_and(|content| content.sha256 == id);
            // The last time that the file had the content from which the change starts.
            let Some(start) = versions.iter().rposition(|arrival| starts_here(&arrival.version.before)) else {
                continue;
            };
            let chain = versions[start..].iter().map(|arrival| &arrival.version);
            for (line, version) in follow(lineage, &old, chain)? {
                let Some(origin) = origin(lineage, run, version)? else { continue };
                let both = match found.get(&line) {
                    Some(known) if !known.same_writings(&origin) => Rc::new(known.together(&origin)),
                    _ => origin,
                };
                found.insert(line, both);
            }
        }
    }
    found.retain(|line, _| wanted.binary_search(line).is_ok());
    Ok(found)
}

/// Lines that do not pass through to the end of the chain, each with the version that removed it.
fn follow<'v>(
    lineage: &mut Lineage<'_>,
    start: &Arc<[u8]>,
    chain: impl Iterator<Item = &'v Version>,
) -> Result<Vec<(usize, &'v Version)>, AttributionError> {
    let mut gone = Vec::new();
    let mut bytes = start.clone();
    let mut standing: Vec<usize> = (0..crate::change::line_count(start)).collect();
    for version in chain {
        // A step that was not seen ends what can be said.
        let Some(before) = lineage.bytes_of_state(&version.before)? else { break };
        let Some(after) = lineage.bytes_of_state(&version.after)? else { break };
        if before != bytes {
            break;
        }
        let mut next = Vec::with_capacity(standing.len());
        let mut at = 0;
        for span in crate::change::spans(&before, &after) {
            next.extend_from_slice(&standing[at..span.old.start]);
            let removed = standing[span.old.clone()].iter().filter(|line| **line != NEW);
            gone.extend(removed.map(|line| (*line, version)));
            next.extend(span.new.map(|_| NEW));
            at = span.old.end;
        }
        next.extend_from_slice(&standing[at..]);
        (bytes, standing) = (after, next);
    }
    Ok(gone)
}

/// A line that was not there at the start.
const NEW: usize = usize::MAX;

fn origin(lineage: &mut Lineage<'_>, run: usize, version: &Version) -> Result<Option<Rc<Origin>>, AttributionError> {
    for writer in &version.writers {
        if lineage.runs.is_git(run, writer, version.at)? {
            return Ok(None);
        }
    }
    let writing = Rc::new(Writing { run, version: version.clone() });
    Ok((!version.writers.is_empty()).then(|| Origin::of(&writing)))
}
