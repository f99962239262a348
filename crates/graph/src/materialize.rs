//! Writes the objects of a run as files named by their hash.

use crate::error::GraphError;
use crate::objects::{Catalogue, Object};
use agentprov_store::{Reader, RunRow, StoreError};
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What `materialize` did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Materialized {
    /// The run.
    pub run_id: String,
    /// Objects that now have a file.
    pub objects: u64,
    /// Folder of the files.
    pub object_root: PathBuf,
    /// Hash of the object that names the others.
    pub root: String,
    /// Files that were not there before.
    pub written: u64,
    /// Files under a hash that is not theirs. They are left as they are: they are evidence of tampering.
    pub damaged: Vec<String>,
    /// Objects of facts that were left out because the run has more than were asked for.
    pub facts_left_out: u64,
}

impl Materialized {
    /// The lines that the command prints.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("run={} objects={} object_root={}", self.run_id, self.objects, self.object_root.display()),
            format!("root={}", self.root),
        ];
        if self.facts_left_out > 0 {
            lines.push(format!("facts_left_out={}", self.facts_left_out));
        }
        lines.extend(self.damaged.iter().map(|hash| format!("damaged={hash}")));
        lines
    }
}

/// Writes the objects of a run below the data dir. A run with more than `most_facts` facts gets no files for them:
/// the root object names the log's root, which covers them all.
///
/// # Errors
/// What the store says, or when a file can't be written.
pub fn materialize(reader: &Reader, run: &RunRow, most_facts: u64) -> Result<Materialized, GraphError> {
    let catalogue = Catalogue::load(reader, run)?;
    let facts = catalogue.facts();
    let left_out = if run.size > most_facts { facts.clone() } else { 0..0 };
    let data_dir = reader.store().dir();
    let mut report = Materialized {
        run_id: run.id.to_string(),
        objects: 0,
        object_root: data_dir.join("provenance/objects"),
        root: String::new(),
        written: 0,
        damaged: Vec::new(),
        facts_left_out: left_out.end - left_out.start,
    };
    for index in (0..catalogue.count()).filter(|index| !left_out.contains(index)) {
        let object = catalogue.object(index)?;
        match write_object(data_dir, &object)? {
            Written::New => report.written += 1,
            Written::There => {}
            Written::Damaged => report.damaged.push(object.row.hash.clone()),
        }
        report.objects += 1;
        report.root = object.row.hash;
    }
    Ok(report)
}

/// What became of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Written {
    New,
    There,
    Damaged,
}

/// Written aside, flushed and renamed, so that a file under a hash is always whole.
pub(crate) fn write_object(data_dir: &Path, object: &Object) -> Result<Written, GraphError> {
    let path = data_dir.join(&object.row.path);
    match std::fs::read(&path) {
        Ok(there) if there == object.bytes => return Ok(Written::There),
        Ok(_) => return Ok(Written::Damaged),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(source) => return Err(StoreError::Io { action: "read", path, source }.into()),
    }
    let folder = path.parent().unwrap_or(data_dir);
    let draft = path.with_extension(format!("draft-{}", std::process::id()));
    let written = make_private(folder).and_then(|()| {
        let mut file = std::fs::File::create(&draft)?;
        file.write_all(&object.bytes)?;
        file.sync_data()?;
        std::fs::rename(&draft, &path)
    });
    match written {
        Ok(()) => Ok(Written::New),
        Err(source) => {
            // The error that matters is the first; the draft may never have come to be.
            let _ = std::fs::remove_file(&draft);
            Err(StoreError::Io { action: "write", path, source }.into())
        }
    }
}

fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}
