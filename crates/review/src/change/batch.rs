//! A long-lived `git cat-file --batch`.

use crate::change::error::ChangeError;
use crate::change::repository::Blob;
use agentprov_model::GitBlobId;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

/// Bytes of a blob that are taken into memory.
pub(super) const MAX_BLOB: u64 = 64 << 20;
/// Questions in flight: together they are shorter than a pipe holds, so that neither side waits for the other.
const IN_FLIGHT: usize = 512;

/// The running command.
#[derive(Debug)]
pub(super) struct Batch {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Batch {
    pub(super) fn start(mut command: Command) -> Result<Self, ChangeError> {
        let mut child = command
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(ChangeError::Run)?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (questions, answers) = pipes.ok_or_else(|| ChangeError::Run(io::Error::other("it has no pipes")))?;
        Ok(Self { child, questions: Some(questions), answers: BufReader::with_capacity(1 << 16, answers) })
    }

    pub(super) fn read(&mut self, names: &[GitBlobId]) -> Result<Vec<Blob>, ChangeError> {
        let mut blobs = Vec::with_capacity(names.len());
        for chunk in names.chunks(IN_FLIGHT) {
            let lines: String = chunk.iter().map(|name| format!("{name}\n")).collect();
            let questions = self.questions.as_mut().ok_or_else(|| broken("it has ended"))?;
            questions.write_all(lines.as_bytes()).and_then(|()| questions.flush()).map_err(ChangeError::Run)?;
            for _ in chunk {
                blobs.push(self.answer()?);
            }
        }
        Ok(blobs)
    }

    fn answer(&mut self) -> Result<Blob, ChangeError> {
        let mut head = String::new();
        self.answers.read_line(&mut head).map_err(ChangeError::Run)?;
        let mut words = head.split_ascii_whitespace().skip(1);
        let (kind, size) = (words.next(), words.next());
        if kind == Some("missing") {
            return Ok(Blob::Missing);
        }
        let size: u64 = size.and_then(|size| size.parse().ok()).ok_or_else(|| broken(head.trim()))?;
        let keep = kind == Some("blob") && size <= MAX_BLOB;
        let blob = if keep {
            let mut bytes = vec![0; usize::try_from(size).map_err(|_| broken("a size out of range"))?];
            self.answers.read_exact(&mut bytes).map_err(ChangeError::Run)?;
            Blob::Bytes(Arc::from(bytes))
        } else {
            io::copy(&mut (&mut self.answers).take(size), &mut io::sink()).map_err(ChangeError::Run)?;
            if kind == Some("blob") { Blob::TooLarge(size) } else { Blob::Missing }
        };
        let mut end = [0; 1];
        self.answers.read_exact(&mut end).map_err(ChangeError::Run)?;
        Ok(blob)
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // At the end of its input it ends by itself.
        self.questions = None;
        let _ = self.child.wait();
    }
}

fn broken(what: &str) -> ChangeError {
    ChangeError::Answer { command: "cat-file", what: what.to_owned() }
}
