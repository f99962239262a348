//! Attribution by recorded versions: blob -> version fact -> process -> run.

mod lineage;
mod removal;
mod runs;
mod text;

use crate::attribution::AttributionError;
use crate::attribution::agents::agent_of_program;
use crate::attribution::claim::{Author, Claim, Deed, Method, Writer};
use crate::change::{ChangedFile, GitLog, GitPosition, Origin as ChangeOrigin, Repository};
use agentprov_graph::timeline::command_line;
use agentprov_model::{EventTime, GitBlobId, OsBytes, ProcessId};
use agentprov_store::Reader;
use lineage::{Around, EVER, Lineage};
use runs::Runs;
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;
use std::sync::Arc;
use text::{Origin, Writing};

/// What recordings say of a line.
#[derive(Clone, Debug, Default)]
pub(super) struct Recorded {
    /// None: unknown. One: the owner. More: one of them.
    pub(super) claims: Vec<Claim>,
    pub(super) earlier: Vec<Claim>,
    pub(super) why: Option<Rc<str>>,
}

/// Asks the recordings of a store.
pub(super) struct Recordings<'a> {
    lineage: Lineage<'a>,
    workspaces: Vec<OsBytes>,
    by_origin: HashMap<*const Origin, (Rc<Origin>, Rc<Recorded>)>,
    programs: HashMap<(usize, ProcessId, EventTime), Option<String>>,
}

impl<'a> Recordings<'a> {
    pub(super) fn open(
        reader: &'a Reader,
        repository: Option<&'a Repository>,
        log: &'a GitLog,
    ) -> Result<Self, AttributionError> {
        let runs = Runs::new(reader);
        let workspaces = runs.workspaces()?;
        let lineage = Lineage::new(runs, repository, log);
        Ok(Self { lineage, workspaces, by_origin: HashMap::new(), programs: HashMap::new() })
    }

    /// What is known of each line of a content at a path of the repository.
    pub(super) fn lines(
        &mut self,
        bytes: &Arc<[u8]>,
        path: &OsBytes,
        blob: Option<GitBlobId>,
    ) -> Result<Vec<Rc<Recorded>>, AttributionError> {
        let git = blob.map(|blob| GitPosition { path: path.clone(), blob, from: 0 });
        let around = Around { paths: self.names(path)?, git, not_yet: None };
        let text = self.lineage.of_content(bytes, EVER, &around)?;
        text.lines.iter().map(|origin| self.recorded(origin)).collect()
    }

    /// Who removed each of these lines of the content before the change.
    pub(super) fn removed(&mut self, file: &ChangedFile) -> Result<HashMap<usize, Rc<Recorded>>, AttributionError> {
        let path = file.old_path.as_ref().unwrap_or(&file.raw_path);
        let names = self.names(path)?;
        let found = removal::removals(&mut self.lineage, file, &names)?;
        found.into_iter().map(|(line, origin)| Ok((line, self.recorded(&origin)?))).collect()
    }

    /// Notes contents that the change itself has.
    pub(super) fn learn(&mut self, file: &ChangedFile) {
        for text in [file.old.text(), file.new.text()].into_iter().flatten() {
            self.lineage.learn(text);
        }
    }

    /// Absolute paths under which a path of the repository may have been recorded: here, and in other clones.
    fn names(&mut self, path: &OsBytes) -> Result<Rc<[OsBytes]>, AttributionError> {
        let Some(repository) = self.lineage.repository else { return Ok(Rc::from([])) };
        let root = OsBytes::from(repository.root().as_os_str().as_bytes());
        let mut names = vec![repository.absolute(path)];
        let tops = self.workspaces.iter().flat_map(|workspace| tops(workspace, path));
        let elsewhere = tops.filter(|top| *top != root.as_bytes());
        let candidates: Vec<OsBytes> =
            elsewhere.map(|top| OsBytes::new([top, b"/", path.as_bytes()].concat())).collect();
        for name in candidates {
            if !names.contains(&name) && self.is_same_file(repository, &name)? {
                names.push(name);
            }
        }
        Ok(names.into())
    }

    /// Whether a file of another folder is the same file of another clone: a content that was recorded there is in this
    /// repository too. Equal names alone prove nothing.
    fn is_same_file(&mut self, repository: &Repository, name: &OsBytes) -> Result<bool, AttributionError> {
        const ASKED: usize = 16;
        let mut blobs: Vec<GitBlobId> = Vec::new();
        for arrival in self.lineage.runs.peek_path(name)? {
            let states = [&arrival.version.before, &arrival.version.after];
            let contents = states.into_iter().filter_map(|state| state.content());
            // An empty file is in every repository.
            blobs.extend(contents.filter(|content| content.size > 0).filter_map(|content| content.git));
        }
        blobs.sort_unstable();
        blobs.dedup();
        for blob in blobs.into_iter().take(ASKED) {
            if repository.bytes_of(blob)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn recorded(&mut self, origin: &Rc<Origin>) -> Result<Rc<Recorded>, AttributionError> {
        if let Some((_, known)) = self.by_origin.get(&Rc::as_ptr(origin)) {
            return Ok(known.clone());
        }
        let method = if origin.compared { Method::PreservedLine } else { Method::RecordedVersion };
        let mut recorded = Recorded { why: origin.why.clone(), ..Recorded::default() };
        for writing in &origin.writings {
            recorded.claims.push(self.claim(writing, method)?);
        }
        for writing in &origin.earlier {
            recorded.earlier.push(self.claim(writing, method)?);
        }
        let recorded = Rc::new(recorded);
        self.by_origin.insert(Rc::as_ptr(origin), (origin.clone(), recorded.clone()));
        Ok(recorded)
    }

    /// Who wrote a version. Where several processes had the file open, the run and the tool call are known all the same.
    fn claim(&mut self, writing: &Writing, method: Method) -> Result<Claim, AttributionError> {
        let version = &writing.version;
        let mut writers: Vec<Writer> = Vec::with_capacity(version.writers.len());
        for writer in &version.writers {
            let command = self.command(writing.run, *writer, version.at)?;
            writers.push(Writer { process_id: writer.to_string(), command });
        }
        let only = if writers.len() == 1 { writers.pop() } else { None };
        let (process_id, command) = only.map(|writer| (writer.process_id, writer.command)).unzip();
        let run = self.lineage.runs.get(writing.run);
        let attempt = run.attempts.iter().find(|attempt| attempt.no == version.attempt);
        let started = attempt.map(|attempt| &attempt.started);
        let deed = Deed {
            run_id: run.row.id.to_string(),
            process_id,
            command: command.flatten(),
            one_of: writers,
            attempt_id: started.map(|started| started.attempt_id.to_string()),
            session_id: started.map(|started| started.session_id.to_string()),
            tool_call_id: started.map(|started| started.tool_call_id.to_string()),
            event_id: version.event.to_string(),
            seq: version.seq,
            at: version.at.to_rfc3339(),
            path: version.workspace_path.as_ref().unwrap_or(&version.path).lossy().into_owned(),
        };
        let author = started
            .and_then(|started| started.argv.first())
            .map_or_else(|| Author::Command("(not known)".into()), |program| agent_of_program(&program.lossy()));
        Ok(Claim {
            method,
            // A version that was itself computed is no observation.
            basis: version.basis.max(method.basis()),
            confidence: method.confidence(),
            author,
            session: None,
            model: None,
            deed: Some(deed),
            said_in: None,
        })
    }

    fn command(&mut self, run: usize, process: ProcessId, at: EventTime) -> Result<Option<String>, AttributionError> {
        if let Some(known) = self.programs.get(&(run, process, at)) {
            return Ok(known.clone());
        }
        let table = self.lineage.runs.processes(run)?;
        let argv = table.find(&process).and_then(|process| process.argv_at(at));
        let command = argv.map(command_line);
        self.programs.insert((run, process, at), command.clone());
        Ok(command)
    }
}

/// Folders that may be the top of a clone in which `path` lies, when this workspace is in it: the workspace, or, where
/// it ends with the first folders of the path, what is above them.
fn tops<'w>(workspace: &'w OsBytes, path: &OsBytes) -> Vec<&'w [u8]> {
    let workspace = workspace.as_bytes();
    let mut tops = vec![workspace];
    for (end, _) in path.as_bytes().iter().enumerate().filter(|(_, byte)| **byte == b'/') {
        let top = workspace.strip_suffix(&path.as_bytes()[..end]).and_then(|rest| rest.strip_suffix(b"/"));
        tops.extend(top.filter(|top| !top.is_empty()));
    }
    tops
}

/// Whether recordings of this work tree say anything about a change of that origin: they need contents.
pub(super) fn can_ask(origin: &ChangeOrigin) -> bool {
    !matches!(origin, ChangeOrigin::Payload { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_may_be_a_folder_of_the_clone() {
        let of = |workspace: &str, path: &str| {
            let (workspace, path) = (OsBytes::from(workspace), OsBytes::from(path));
            tops(&workspace, &path).into_iter().map(|top| String::from_utf8_lossy(top).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(of("/c", "a/b.rs"), ["/c"]);
        assert_eq!(of("/c/a", "a/b.rs"), ["/c/a", "/c"]);
        assert_eq!(of("/c/x/y", "x/y/z"), ["/c/x/y", "/c"]);
        assert_eq!(of("/ca", "a/b.rs"), ["/ca"]);
    }
}
