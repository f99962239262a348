//! Asking git which blobs it holds: one long-lived `cat-file --batch-check`, started on the first question.

use agentprov_model::GitBlobId;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// How a repository names its objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ObjectFormat {
    Sha1,
    Sha256,
}

/// Restarts after which git is left alone.
const MAX_FAILURES: u32 = 3;

/// Questions to the repository of the workspace. Without one, or without git, every answer is "no".
pub(crate) struct Git {
    workspace: PathBuf,
    format: Option<ObjectFormat>,
    child: Option<Pipes>,
    failures: u32,
}

/// A git process that answers line by line.
pub(crate) struct Pipes {
    pub(crate) child: Child,
    pub(crate) ask: ChildStdin,
    pub(crate) answer: BufReader<ChildStdout>,
}

impl Drop for Pipes {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Starts git so that it can't prompt, lock, or run anything that the repository names.
pub(crate) fn start(workspace: &Path, arguments: &[&str]) -> std::io::Result<Pipes> {
    let mut command = Command::new("git");
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_CEILING_DIRECTORIES"] {
        command.env_remove(name);
    }
    let mut child = command
        .args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.untrackedCache=false"])
        .args(arguments)
        .current_dir(workspace)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    match (child.stdin.take(), child.stdout.take()) {
        (Some(ask), Some(answer)) => Ok(Pipes { child, ask, answer: BufReader::new(answer) }),
        _ => Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe)),
    }
}

impl Git {
    pub(crate) fn new(workspace: &Path) -> Self {
        let format = git_dir(workspace).map(|dir| object_format(&common_dir(&dir)));
        Self { workspace: workspace.to_owned(), format, child: None, failures: 0 }
    }

    /// The object format, where the workspace is a git work tree.
    pub(crate) const fn format(&self) -> Option<ObjectFormat> {
        self.format
    }

    /// True where the repository holds a blob of that name.
    pub(crate) fn holds(&mut self, id: &GitBlobId) -> bool {
        if self.format.is_none() || self.failures >= MAX_FAILURES {
            return false;
        }
        match self.ask(id) {
            Ok(held) => held,
            Err(_) => {
                self.child = None;
                self.failures += 1;
                false
            }
        }
    }

    fn ask(&mut self, id: &GitBlobId) -> std::io::Result<bool> {
        let pipes = match &mut self.child {
            Some(pipes) => pipes,
            empty => empty.insert(start(&self.workspace, &["cat-file", "--batch-check=%(objecttype)"])?),
        };
        writeln!(pipes.ask, "{id}")?;
        pipes.ask.flush()?;
        let mut line = String::new();
        if pipes.answer.read_line(&mut line)? == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
        }
        Ok(line.trim_end() == "blob")
    }
}

/// The git directory of a work tree: `.git`, or where the file `.git` points (gitrepository-layout(5)).
pub(crate) fn git_dir(workspace: &Path) -> Option<PathBuf> {
    let entry = workspace.join(".git");
    if entry.is_dir() {
        return Some(entry);
    }
    let text = std::fs::read_to_string(&entry).ok()?;
    Some(workspace.join(text.strip_prefix("gitdir:")?.trim()))
}

/// Where objects, refs and configuration live: elsewhere for linked work trees.
fn common_dir(git_dir: &Path) -> PathBuf {
    match std::fs::read_to_string(git_dir.join("commondir")) {
        Ok(text) => git_dir.join(text.trim()),
        Err(_) => git_dir.to_owned(),
    }
}

fn object_format(common: &Path) -> ObjectFormat {
    let config = std::fs::read_to_string(common.join("config")).unwrap_or_default().to_ascii_lowercase();
    let sha256 = config
        .lines()
        .filter_map(|line| line.split_once('='))
        .any(|(name, value)| name.trim() == "objectformat" && value.trim().trim_matches('"') == "sha256");
    if sha256 { ObjectFormat::Sha256 } else { ObjectFormat::Sha1 }
}

/// The commit that HEAD names, read from files as gitrepository-layout(5) says; a repository in another ref format
/// is asked with one run of git.
pub(crate) fn head(workspace: &Path) -> Option<String> {
    let dir = git_dir(workspace)?;
    let common = common_dir(&dir);
    let text = std::fs::read_to_string(dir.join("HEAD")).ok()?;
    let Some(name) = text.strip_prefix("ref:").map(str::trim) else {
        return commit(text.trim());
    };
    if common.join("reftable").is_dir() {
        let pipes = start(workspace, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]).ok()?;
        let mut pipes = pipes;
        let mut line = String::new();
        pipes.answer.read_line(&mut line).ok()?;
        return commit(line.trim());
    }
    for base in [&dir, &common] {
        if let Ok(text) = std::fs::read_to_string(base.join(name)) {
            return commit(text.trim());
        }
    }
    let packed = std::fs::read_to_string(common.join("packed-refs")).ok()?;
    packed.lines().find_map(|line| line.split_once(' ').filter(|(_, of)| *of == name).and_then(|(id, _)| commit(id)))
}

fn commit(text: &str) -> Option<String> {
    let hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (hex && (text.len() == 40 || text.len() == 64)).then(|| text.to_owned())
}
