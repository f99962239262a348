//! Clones of a repository, agents that are recorded in them, and people who are not.

use crate::fixture::Fixture;
use agentprov_model::content::GitSha1;
use agentprov_model::{FileState, GitBlobId, Outcome, ProcessId, VersionCause};
use agentprov_review::attribution::{Attribution, LineAttribution, LineSide, Sources, attribute};
use agentprov_review::change::{Change, Repository, Selection, from_git};
use sha1::{Digest, Sha1};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Runs git in a folder with settings of its own; gives what it printed.
pub(crate) fn git(folder: &Path, arguments: &[&str]) -> String {
    let (good, text) = try_git(folder, arguments);
    assert!(good, "git {arguments:?}: {text}");
    text
}

/// Runs git; failure is an answer.
pub(crate) fn try_git(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "commit.gpgSign=false"])
        .args(["-c", "protocol.file.allow=always", "-c", "core.hooksPath=/dev/null", "-c", "init.defaultBranch=main"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_EDITOR", "true")
        .envs([("GIT_AUTHOR_NAME", "Jo"), ("GIT_AUTHOR_EMAIL", "jo@example.org")])
        .envs([("GIT_COMMITTER_NAME", "Jo"), ("GIT_COMMITTER_EMAIL", "jo@example.org")])
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).trim().to_owned())
}

/// A store and folders for clones.
pub(crate) struct World {
    pub(crate) fixture: Fixture,
    folder: TempDir,
    runs: u32,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { fixture: Fixture::new(), folder: tempfile::tempdir().unwrap(), runs: 0 }
    }

    /// A repository with one commit that holds these files.
    pub(crate) fn repository(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir(&path).unwrap();
        git(&path, &["init", "-q"]);
        for (file, text) in files {
            put(&path, file, text);
        }
        commit(&path, "Begin");
        path
    }

    /// A clone.
    pub(crate) fn clone_of(&self, source: &Path, name: &str, options: &[&str]) -> PathBuf {
        let path = self.folder.path().join(name);
        let url = format!("file://{}", source.display());
        let mut arguments = vec!["clone", "-q"];
        arguments.extend(options);
        arguments.extend([url.as_str(), name]);
        git(self.folder.path(), &arguments);
        path
    }

    /// A run of this command in a clone begins.
    pub(crate) fn begin(&mut self, clone: &Path, argv: &[&str]) -> Agent {
        self.runs += 1;
        let run = format!("run-{}", self.runs);
        self.fixture.switch_run(&run);
        self.fixture.workspace = clone.to_str().unwrap().to_owned();
        let process = self.fixture.begin(argv);
        Agent { run, process, clone: clone.to_owned() }
    }

    pub(crate) fn end(&mut self) {
        self.fixture.end(Outcome::Exited(0));
    }

    /// A file as the recorder names it.
    fn state(&mut self, bytes: Option<&[u8]>) -> FileState {
        let Some(bytes) = bytes else { return FileState::Missing };
        let mut content = self.fixture.content(bytes);
        let mut hash = Sha1::new();
        hash.update(format!("blob {}\0", bytes.len()));
        hash.update(bytes);
        content.git = Some(GitBlobId::Sha1(GitSha1::from_bytes(hash.finalize().into())));
        FileState::File { content, mode: 0o644 }
    }

    /// The process writes a file, which is recorded.
    pub(crate) fn write(&mut self, agent: &Agent, process: ProcessId, file: &str, text: &str) {
        let before = read(&agent.clone, file);
        put(&agent.clone, file, text);
        self.saw(agent, process, file, before.as_deref(), Some(text), VersionCause::Closed);
    }

    /// The process writes a file beside it and renames that over it, as editors do.
    pub(crate) fn replace(&mut self, agent: &Agent, process: ProcessId, file: &str, text: &str) {
        let before = read(&agent.clone, file);
        put(&agent.clone, file, text);
        let beside = format!("{file}.tmp");
        self.saw(agent, process, &beside, None, Some(text), VersionCause::Closed);
        let source = agent.clone.join(&beside).to_str().unwrap().into();
        self.saw(agent, process, file, before.as_deref(), Some(text), VersionCause::RenamedFrom(source));
        let target = agent.clone.join(file).to_str().unwrap().into();
        self.saw(agent, process, &beside, Some(text), None, VersionCause::RenamedTo(target));
    }

    /// The recorder saw a file change.
    pub(crate) fn saw(
        &mut self,
        agent: &Agent,
        process: ProcessId,
        file: &str,
        before: Option<&str>,
        after: Option<&str>,
        cause: VersionCause,
    ) {
        let (before, after) = (self.state(before.map(str::as_bytes)), self.state(after.map(str::as_bytes)));
        let path = agent.clone.join(file);
        self.fixture.version_between(&[process], path.to_str().unwrap(), before, after, cause);
    }

    /// A whole run that writes one file.
    pub(crate) fn agent_writes(&mut self, clone: &Path, argv: &[&str], file: &str, text: &str) -> Agent {
        let agent = self.begin(clone, argv);
        self.write(&agent, agent.process, file, text);
        self.end();
        agent
    }

    /// A change of a clone and who wrote it.
    pub(crate) fn review(&mut self, clone: &Path, selection: &Selection) -> (Change, Attribution) {
        let repository = Repository::find(clone).unwrap();
        let reader = self.fixture.reader();
        let change = from_git(&repository, selection).unwrap();
        let sources = Sources { repository: Some(&repository), reader: Some(&reader), ..Sources::default() };
        let attribution = attribute(&change, &sources).unwrap();
        (change, attribution)
    }

    /// For each added line of a range its text and the run that owns it, `?` for several, `-` for none.
    pub(crate) fn owners(&mut self, clone: &Path, selection: &Selection) -> Vec<(String, String)> {
        let (change, attribution) = self.review(clone, selection);
        added(&change, &attribution).into_iter().map(|(text, line)| (text, owner(&attribution, &line))).collect()
    }
}

/// A recorded run.
pub(crate) struct Agent {
    pub(crate) run: String,
    pub(crate) process: ProcessId,
    pub(crate) clone: PathBuf,
}

/// Added lines with their texts.
pub(crate) fn added(change: &Change, attribution: &Attribution) -> Vec<(String, LineAttribution)> {
    let mut rows = Vec::new();
    for (file, lines) in change.files.iter().zip(&attribution.files) {
        let texts = file.new_lines();
        for line in lines.lines.iter().filter(|line| line.side == LineSide::Added) {
            let text = String::from_utf8_lossy(texts[line.line.index()]).trim_end_matches(['\n', '\r']).to_owned();
            rows.push((text, line.clone()));
        }
    }
    rows
}

/// The run that owns a line.
pub(crate) fn owner(attribution: &Attribution, line: &LineAttribution) -> String {
    let deed = |id| attribution.claim(id).deed.as_ref();
    match attribution.owner(line) {
        Some(claim) => claim.deed.as_ref().map_or_else(|| claim.author.name().to_owned(), |deed| deed.run_id.clone()),
        None if line.claims.iter().any(|id| deed(*id).is_some()) => "?".into(),
        None => "-".into(),
    }
}

/// Reads a file of a clone.
pub(crate) fn read(clone: &Path, file: &str) -> Option<String> {
    std::fs::read_to_string(clone.join(file)).ok()
}

/// Writes a file of a clone, unseen.
pub(crate) fn put(clone: &Path, file: &str, text: &str) {
    let path = clone.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Commits everything.
pub(crate) fn commit(clone: &Path, message: &str) {
    git(clone, &["add", "-A"]);
    git(clone, &["commit", "-q", "--allow-empty", "-m", message]);
}

/// A range from a commit to HEAD.
pub(crate) fn since(base: &str) -> Selection {
    Selection::Range(format!("{base}..HEAD"))
}
