//! The patch format of `apply_patch`: which files it adds, changes, moves and removes.

use super::fields::absolute;
use agentprov_model::OsBytes;
use agentprov_model::declared::{PatchOp, PatchedFile};

/// Files of a patch that are told.
const MOST_FILES: usize = 256;

pub(super) fn files(patch: &str, cwd: Option<&OsBytes>) -> Vec<PatchedFile> {
    let mut files: Vec<PatchedFile> = Vec::new();
    for line in patch.lines() {
        let Some(header) = line.strip_prefix("*** ") else { continue };
        if let Some(to) = header.strip_prefix("Move to: ") {
            if let Some(last) = files.last_mut() {
                last.moved_to = Some(absolute(to.trim(), cwd));
            }
            continue;
        }
        let ops =
            [("Add File: ", PatchOp::Add), ("Update File: ", PatchOp::Update), ("Delete File: ", PatchOp::Delete)];
        let found = ops.iter().find_map(|(word, op)| Some((header.strip_prefix(word)?, *op)));
        if let Some((path, op)) = found {
            if files.len() == MOST_FILES {
                break;
            }
            files.push(PatchedFile { path: absolute(path.trim(), cwd), op, moved_to: None });
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_a_patch_is_told() {
        let patch = "*** Begin Patch\n*** Add File: a.txt\n+x\n*** Update File: b.txt\n*** Move to: c.txt\n@@\n-*** Add File: no\n*** Delete File: /d\n*** End Patch";
        let told = files(patch, Some(&OsBytes::from("/w")));
        let shown: Vec<_> = told.iter().map(|file| (file.path.lossy().into_owned(), file.op)).collect();
        assert_eq!(
            shown,
            [
                ("/w/a.txt".to_owned(), PatchOp::Add),
                ("/w/b.txt".to_owned(), PatchOp::Update),
                ("/d".to_owned(), PatchOp::Delete)
            ]
        );
        assert_eq!(told[1].moved_to, Some(OsBytes::from("/w/c.txt")));
    }
}
