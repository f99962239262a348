//! Linux audit records: several lines make one event, and events interleave.

mod event;
mod record;
mod syscalls;

use super::draft::{Loss, Received, RowError};
use agentprov_model::{ClaimClass, ClassTable, SourceName, Vantage};
use record::{Record, Serial};
use std::collections::VecDeque;

/// Events that may be open at once; the kernel emits the lines of one event nearly together.
const MAX_OPEN: usize = 64;
/// Lines that one event may have; long argument lists take some hundred.
const MAX_RECORDS: usize = 4096;

/// Joins lines to events.
#[derive(Debug, Default)]
pub struct Auditd {
    open: VecDeque<OpenEvent>,
    /// Events that were given up waiting for, with the line that began them.
    evicted: Vec<OpenEvent>,
}

#[derive(Debug)]
struct OpenEvent {
    serial: Serial,
    line: u64,
    records: Vec<Record>,
}

/// True for lines of the audit log and for the kernel's own words about it.
pub fn detect(line: &str) -> bool {
    !line.starts_with('{') && (line.contains("msg=audit(") || is_kernel_word(line))
}

fn is_kernel_word(line: &str) -> bool {
    line.contains("audit: ")
        && ["backlog limit exceeded", "audit_lost=", "audit_backlog="].iter().any(|words| line.contains(words))
}

impl Auditd {
    /// Reads one line. The line that completes an event gives it; the others are parts.
    ///
    /// # Errors
    /// [`RowError`] where the line is no audit record.
    pub fn receive(&mut self, line: u64, text: &str, table: &ClassTable) -> Result<Received, RowError> {
        if !text.contains("msg=audit(") && is_kernel_word(text) {
            return Ok(kernel_word(text));
        }
        let record =
            Record::parse(text).ok_or_else(|| RowError::Json("no audit record: type=T msg=audit(S:N): ...".into()))?;
        if record.kind.starts_with("DAEMON_") {
            return Ok(daemon(&record));
        }
        let known = self.open.iter().position(|event| event.serial == record.serial);
        let ends = record.kind == "EOE";
        let index = match (known, ends) {
            (Some(index), _) => index,
            (None, true) => return Ok(Received::Skipped("the end of an event that has no other rows".to_owned())),
            (None, false) => {
                self.open.push_back(OpenEvent { serial: record.serial.clone(), line, records: Vec::new() });
                self.open.len() - 1
            }
        };
        if ends {
            return match self.open.remove(index) {
                Some(event) => event::assemble(&event.serial, &event.records, table),
                None => Ok(Received::Part),
            };
        }
        if let Some(event) = self.open.get_mut(index)
            && event.records.len() < MAX_RECORDS
        {
            event.records.push(record);
        }
        if self.open.len() > MAX_OPEN {
            self.evicted.extend(self.open.pop_front());
        }
        Ok(Received::Part)
    }

    /// Events that are complete without an end record: those waited for long enough.
    pub fn evicted(&mut self, table: &ClassTable) -> Vec<(u64, Result<Received, RowError>)> {
        self.evicted
            .drain(..)
            .map(|event| (event.line, event::assemble(&event.serial, &event.records, table)))
            .collect()
    }

    /// Everything that still waits for rows when the input ends.
    pub fn finish(&mut self, table: &ClassTable) -> Vec<(u64, Result<Received, RowError>)> {
        self.evicted.extend(self.open.drain(..));
        self.evicted(table)
    }
}

fn loss(record: Option<&Record>, count: Option<u64>, detail: String) -> Received {
    Received::Loss(Loss {
        at: record.and_then(|record| record.serial.time()),
        vantage: Vantage::Auditd,
        source: SourceName::AUDITD,
        host: record.and_then(|record| record.node.clone()),
        count,
        classes: vec![ClaimClass::Processes, ClaimClass::FileWrites, ClaimClass::FileReads, ClaimClass::Network],
        detail,
    })
}

fn kernel_word(text: &str) -> Received {
    let count = text
        .split("audit_lost=")
        .nth(1)
        .and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()));
    match count {
        Some(count) => loss(None, Some(count), format!("the kernel lost {count} audit records since boot")),
        None if text.contains("backlog limit exceeded") => {
            loss(None, None, "the kernel's audit backlog was full".to_owned())
        }
        None => Received::Skipped("the length of the audit backlog".to_owned()),
    }
}

fn daemon(record: &Record) -> Received {
    match record.kind.as_str() {
        "DAEMON_END" | "DAEMON_ABORT" | "DAEMON_ERR" => {
            loss(Some(record), None, format!("the audit daemon stopped recording: {}", record.kind))
        }
        kind => Received::Skipped(format!("{kind} says nothing about the host")),
    }
}
