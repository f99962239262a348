//! How long it takes until the command line does anything at all.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::contestant::{Contestant, Evidence, time};
use super::row::{Aim, Prepared, Row};
use crate::Result;

pub(crate) struct CliStart;

impl Row for CliStart {
    fn name(&self) -> String {
        "start of the command line".to_owned()
    }

    fn measures(&self) -> String {
        format!("{STARTS} times `agentprov --version`, one after another, against `git --version`")
    }

    fn aim(&self) -> Option<Aim> {
        Some(Aim::AtMost(Duration::from_millis(5) * STARTS))
    }

    fn prepare(&self, agentprov: &Path) -> Result<Prepared> {
        Ok(Prepared::Ready(vec![
            Box::new(Starts { program: agentprov.to_owned(), label: "agentprov --version" }),
            Box::new(Starts { program: "git".into(), label: "git --version" }),
        ]))
    }
}

/// One start is too short to be timed well.
const STARTS: u32 = 20;

struct Starts {
    program: PathBuf,
    label: &'static str,
}

impl Contestant for Starts {
    fn name(&self) -> String {
        self.label.to_owned()
    }

    fn reset(&mut self) -> Result<()> {
        Ok(())
    }

    fn run(&mut self) -> Result<Duration> {
        let mut total = Duration::ZERO;
        for _ in 0..STARTS {
            total += time(Command::new(&self.program).arg("--version"))?;
        }
        Ok(total)
    }

    fn assert_captured(&mut self) -> Result<Evidence> {
        let output = Command::new(&self.program)
            .arg("--version")
            .output()
            .map_err(|error| format!("{}: {error}", self.label))?;
        let printed = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if !printed.contains(|character: char| character.is_ascii_digit()) {
            return Err(format!("`{}` printed no version: {printed:?}", self.label));
        }
        Ok(Evidence { done: printed, stored_bytes: None })
    }
}
