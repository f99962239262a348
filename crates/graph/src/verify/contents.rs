//! Kept contents: there, and with the bytes that their names say.

use crate::attempts::Attempt;
use crate::error::GraphError;
use crate::verify::outcome::{Check, Finding, Outcome, Place};
use agentprov_model::{Content, ContentId, Kept};
use agentprov_store::{Reader, StoreError};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Mutex;

pub(super) fn contents_check(
    reader: &Reader,
    attempts: &[Attempt],
    contents: &BTreeMap<ContentId, Content>,
    threads: usize,
) -> Result<Check, GraphError> {
    let (stored, in_git): (Vec<&Content>, Vec<&Content>) =
        contents.values().partition(|content| content.kept == Kept::Stored);
    let findings: Mutex<Vec<Finding>> = Mutex::new(Vec::new());
    let blobs = reader.store().blobs();
    std::thread::scope(|scope| {
        for part in stored.chunks(stored.len().div_ceil(threads.max(1)).max(1)) {
            let (blobs, findings) = (&blobs, &findings);
            scope.spawn(move || {
                for content in part {
                    let finding = stored_finding(content, &blobs.get(&content.sha256));
                    findings.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(finding);
                }
            });
        }
    });
    let mut findings = findings.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    for content in &in_git {
        findings.extend(external_finding(reader, attempts, content)?);
    }
    findings.sort_by(|a, b| a.place.name.cmp(&b.place.name));
    Ok(Check::made("contents", findings, format!("{} stored contents and {} in git read", stored.len(), in_git.len())))
}

fn stored_finding(content: &Content, read: &Result<Option<Vec<u8>>, StoreError>) -> Option<Finding> {
    let place = Place::name(content.sha256);
    match read {
        Ok(Some(bytes)) if bytes.len() as u64 == content.size => None,
        Ok(Some(bytes)) => {
            let message =
                format!("content {} has {} bytes, its fact says {}", content.sha256, bytes.len(), content.size);
            Some(Finding::new(Outcome::CorruptContent, place, message))
        }
        // No bytes need no file.
        Ok(None) if content.size == 0 => None,
        Ok(None) => Some(Finding::new(
            Outcome::MissingContent,
            place,
            format!("content {} is gone from the store", content.sha256),
        )),
        Err(StoreError::Damaged(why)) => Some(Finding::new(Outcome::CorruptContent, place, why.clone())),
        Err(error) => Some(Finding::new(Outcome::MissingContent, place, error.to_string())),
    }
}

fn external_finding(reader: &Reader, attempts: &[Attempt], content: &Content) -> Result<Option<Finding>, GraphError> {
    let (mut damage, mut unreadable) = (None, None);
    for attempt in attempts {
        let workspace = Path::new(OsStr::from_bytes(attempt.started.workspace.as_bytes()));
        match reader.content(&content.sha256, content.git.as_ref(), workspace) {
            Ok(Some(_)) => return Ok(None),
            Ok(None) => {}
            Err(StoreError::Damaged(why)) => damage = Some(why),
            // One content that can't be asked for must not hide what the other checks found.
            Err(error) => unreadable = Some(error.to_string()),
        }
    }
    let place = Place::name(content.sha256);
    Ok(Some(match damage {
        Some(why) => Finding::new(Outcome::CorruptContent, place, why),
        None => {
            let git = content.git.map_or_else(|| "unknown".to_owned(), |git| git.to_string());
            let why = match unreadable {
                Some(why) => why,
                None if attempts.is_empty() => "no attempt can be read, so that the workspace is not known".to_owned(),
                None => "git does not have it any more".to_owned(),
            };
            let message = format!("content {} was left in git as {git}, and {why}", content.sha256);
            Finding::new(Outcome::ExternalMissing, place, message)
        }
    }))
}
