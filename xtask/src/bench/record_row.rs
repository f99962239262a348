//! Rows that record a workload: every workload with every mode of recording.

use std::path::Path;

use super::agentprov::Recorded;
use super::row::{Aim, Prepared, Row};
use super::workload::{Bare, Missing, Straced, Workload};
use super::workloads;
use crate::Result;
use crate::scratch::Scratch;
use crate::workspace;

struct Mode {
    suffix: &'static str,
    options: &'static [&'static str],
}

const MODES: [Mode; 3] = [
    Mode { suffix: "", options: &[] },
    Mode { suffix: ", content capture off", options: &["--no-contents"] },
    Mode { suffix: ", reads off", options: &["--no-reads"] },
];

struct RecordRow {
    workload: Box<dyn Workload>,
    mode: &'static Mode,
    against_strace: bool,
    aim: Option<Aim>,
}

pub(crate) fn rows() -> Vec<Box<dyn Row>> {
    let mut rows: Vec<Box<dyn Row>> = Vec::new();
    for mode in &MODES {
        for workload in workloads::all() {
            // The bare command is the first rival, strace the second; the long build is held against the bare command.
            let aim = if workload.name().contains("5 s or more") {
                Aim::TimesRival { place: 1, times: 1.10 }
            } else {
                Aim::TimesRival { place: 2, times: 1.0 }
            };
            rows.push(Box::new(RecordRow { workload, mode, against_strace: true, aim: Some(aim) }));
        }
    }
    rows.push(Box::new(RecordRow {
        workload: Box::new(workloads::large_workspace::LargeWorkspace),
        mode: &MODES[0],
        against_strace: false,
        aim: Some(Aim::AboveFirstRival(std::time::Duration::from_millis(150))),
    }));
    rows
}

impl Row for RecordRow {
    fn name(&self) -> String {
        format!("record: {}{}", self.workload.name(), self.mode.suffix)
    }

    fn measures(&self) -> String {
        let rivals = if self.against_strace {
            "the bare command and strace with the same system calls"
        } else {
            "the bare command"
        };
        let mut command = vec!["agentprov record"];
        command.extend(self.mode.options);
        format!("wall time of the command under `{}` against {rivals}", command.join(" "))
    }

    fn aim(&self) -> Option<Aim> {
        self.aim
    }

    fn prepare(&self, agentprov: &Path) -> Result<Prepared> {
        if self.against_strace && workspace::find_program("strace").is_none() {
            return Ok(Prepared::Unavailable("strace is not installed".to_owned()));
        }
        let fixture = match self.workload.prepare()? {
            Ok(fixture) => fixture,
            Err(Missing(reason)) => return Ok(Prepared::Unavailable(reason)),
        };
        let subject = Recorded {
            program: agentprov.to_owned(),
            options: self.mode.options,
            fixture: fixture.clone(),
            store: None,
        };
        let mut contestants: Vec<Box<dyn super::contestant::Contestant>> =
            vec![Box::new(subject), Box::new(Bare(fixture.clone()))];
        if self.against_strace {
            contestants.push(Box::new(Straced { fixture, output: Scratch::new("strace")? }));
        }
        Ok(Prepared::Ready(contestants))
    }
}
