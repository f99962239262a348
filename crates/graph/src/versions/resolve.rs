//! Which file a command speaks of.

use crate::attempts::Attempt;
use crate::error::GraphError;
use crate::selection::nearest;
use crate::versions::{all_versions, history};
use agentprov_model::OsBytes;
use agentprov_store::{Reader, RunRow};

/// A file of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePath {
    /// Absolute path.
    pub path: OsBytes,
    /// Path below the workspace, where it lies in it.
    pub workspace_path: Option<OsBytes>,
}

impl FilePath {
    /// The short name where there is one.
    pub fn display(&self) -> &OsBytes {
        self.workspace_path.as_ref().unwrap_or(&self.path)
    }
}

/// Finds the file that `given` names: an absolute path, else below the workspace of the newest attempt that has
/// it, else below `cwd`. Only files that the run changed are found.
///
/// # Errors
/// [`GraphError::NotFound`] with the nearest name, or what the store says.
pub fn resolve_file(
    reader: &Reader,
    run: &RunRow,
    attempts: &[Attempt],
    given: &OsBytes,
    cwd: Option<&OsBytes>,
) -> Result<FilePath, GraphError> {
    if let Some(file) = find_file(reader, run, attempts, given, cwd)? {
        return Ok(file);
    }
    let suggestion = suggest(reader, run, given)?;
    Err(GraphError::not_in(run, "file", given.lossy()).but_near(suggestion))
}

/// As [`resolve_file`], without the search for a nearest name: none where the run did not change the file.
///
/// # Errors
/// What the store says.
pub fn find_file(
    reader: &Reader,
    run: &RunRow,
    attempts: &[Attempt],
    given: &OsBytes,
    cwd: Option<&OsBytes>,
) -> Result<Option<FilePath>, GraphError> {
    let mut folders: Vec<&OsBytes> = Vec::new();
    for folder in attempts.iter().rev().map(|attempt| &attempt.started.workspace).chain(cwd) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    for candidate in folders.iter().map(|folder| absolute(folder, given)) {
        let history = history(reader, run, &candidate)?;
        if !history.versions.is_empty() {
            let workspace_path = history.workspace_path.or_else(|| below_workspace(attempts, &candidate));
            return Ok(Some(FilePath { path: candidate, workspace_path }));
        }
    }
    Ok(None)
}

fn below_workspace(attempts: &[Attempt], path: &OsBytes) -> Option<OsBytes> {
    attempts.iter().rev().find_map(|attempt| {
        let rest = path.as_bytes().strip_prefix(attempt.started.workspace.as_bytes())?;
        rest.strip_prefix(b"/").map(OsBytes::from)
    })
}

fn suggest(reader: &Reader, run: &RunRow, given: &OsBytes) -> Result<Option<String>, GraphError> {
    let versions = all_versions(reader, run, None)?;
    let names: Vec<String> = versions
        .iter()
        .map(|version| version.workspace_path.as_ref().unwrap_or(&version.path).lossy().into_owned())
        .collect();
    let given = given.lossy();
    let given = given.trim_start_matches("./");
    // A bare file name is what people forget the folder of.
    let by_name = || {
        let mut found = names.iter().filter(|name| name.rsplit('/').next() == Some(given));
        found.next().filter(|first| found.all(|other| other == *first)).cloned()
    };
    Ok(by_name().or_else(|| nearest(given, names.iter().map(String::as_str))))
}

/// Joins and tidies by text: `.` and empty segments go, `..` takes one back. Links are not followed, because
/// the workspace of the run may be gone or different by now.
fn absolute(folder: &OsBytes, given: &OsBytes) -> OsBytes {
    let given = given.as_bytes();
    let joined = if given.starts_with(b"/") { given.to_vec() } else { [folder.as_bytes(), b"/", given].concat() };
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in joined.split(|byte| *byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let mut path = Vec::with_capacity(joined.len());
    for segment in segments {
        path.push(b'/');
        path.extend_from_slice(segment);
    }
    OsBytes::new(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_tidied() {
        for (given, expected) in [
            ("a.rs", "/ws/a.rs"),
            ("./a.rs", "/ws/a.rs"),
            ("src//../a.rs", "/ws/a.rs"),
            ("/etc/./x", "/etc/x"),
            ("../../../x", "/x"),
        ] {
            assert_eq!(absolute(&"/ws".into(), &given.into()), OsBytes::from(expected), "{given}");
        }
    }
}
