//! Evidence that is handed to a review, and whom it is believed from.

use super::UNDECIDED;
use crate::failure::Failure;
use agentprov_log::VerifierKey;
use agentprov_review::attribution::{Evidence, EvidenceError, LineClaims};
use std::path::{Path, PathBuf};

/// Files in one folder.
const MAX_FILES: usize = 1000;

/// What was handed in, by its form.
#[derive(Default)]
pub(super) struct Handed {
    pub(super) evidence: Vec<Evidence>,
    pub(super) line_claims: Vec<LineClaims>,
}

/// Reads files, and folders of files. One that does not hold ends the review: what it says can't be known.
pub(super) fn read(places: &[PathBuf], trust: &[PathBuf]) -> Result<Handed, Failure> {
    let mut keys = Vec::new();
    for file in trust {
        keys.extend(keys_of(file)?);
    }
    let mut handed = Handed::default();
    for place in places {
        for file in files(place)? {
            let bytes = std::fs::read(&file).map_err(|error| failed(&file, &error.to_string()))?;
            let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
            let refused = |error: EvidenceError| {
                Failure::new(format!("evidence {} is refused: {error}", file.display()))
                    .code(UNDECIDED)
                    .hint("export it again where it was recorded: agentprov attribution export BASE..HEAD --sign")
            };
            if LineClaims::are_in(&bytes) {
                handed.line_claims.push(LineClaims::open(&name, &bytes, &keys).map_err(refused)?);
            } else {
                handed.evidence.push(Evidence::open(&name, &bytes, &keys).map_err(refused)?);
            }
        }
    }
    Ok(handed)
}

/// The public keys in a file, one a line.
pub(crate) fn keys_of(file: &Path) -> Result<Vec<VerifierKey>, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| failed(file, &error.to_string()))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys: Vec<VerifierKey> = lines
        .map(|line| VerifierKey::parse(line).map_err(|error| failed(file, &error.to_string())))
        .collect::<Result<_, _>>()?;
    if keys.is_empty() {
        return Err(failed(file, "it holds no key"));
    }
    Ok(keys)
}

fn files(place: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !place.is_dir() {
        return Ok(vec![place.to_owned()]);
    }
    let entries = std::fs::read_dir(place).map_err(|error| failed(place, &error.to_string()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| failed(place, &error.to_string()))?.path();
        if path.is_file() {
            files.push(path);
        }
        if files.len() > MAX_FILES {
            return Err(failed(place, &format!("more than {MAX_FILES} files")));
        }
    }
    if files.is_empty() {
        return Err(failed(place, "no file of evidence is in it"));
    }
    files.sort();
    Ok(files)
}

fn failed(path: &Path, why: &str) -> Failure {
    Failure::usage(format!("{}: {why}", path.display()))
}
