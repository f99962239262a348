//! The list of receivers, and which one a row is for.

use super::auditd::Auditd;
use super::draft::{Received, RowError};
use super::json::Json;
use super::{caller, context_keys, falco, json, loongcollector, native, tetragon};
use agentprov_model::ClassTable;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Format that the caller asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// Each row tells its own.
    #[default]
    Auto,
    /// Every row has this one.
    Fixed(DetectedFormat),
}

/// Format of a row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DetectedFormat {
    /// Our own sensor.
    Native,
    /// Falco.
    Falco,
    /// Tetragon.
    Tetragon,
    /// LoongCollector.
    Loongcollector,
    /// Linux audit.
    Auditd,
    /// One event that a caller hands over in our own words. No file has it, so none is looked at for it.
    Normalized,
}

impl DetectedFormat {
    /// Every format of files.
    pub const ALL: [Self; 5] = [Self::Native, Self::Falco, Self::Tetragon, Self::Loongcollector, Self::Auditd];

    /// The name as it stands in documents and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Falco => "falco",
            Self::Tetragon => "tetragon",
            Self::Loongcollector => "loongcollector",
            Self::Auditd => "auditd",
            Self::Normalized => "normalized",
        }
    }

    /// By the marks that only this format has.
    fn of(row: &Json<'_>) -> Option<Self> {
        if tetragon::detect(row) {
            Some(Self::Tetragon)
        } else if falco::detect(row) {
            Some(Self::Falco)
        } else if native::detect(row) {
            Some(Self::Native)
        } else if loongcollector::detect(row) {
            Some(Self::Loongcollector)
        } else {
            None
        }
    }
}

/// A format name that is none.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("unknown format '{0}': use auto, native, falco, tetragon, loongcollector or auditd")]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let found = DetectedFormat::ALL.into_iter().find(|format| format.name() == text);
        found.map(Self::Fixed).ok_or_else(|| UnknownFormat(text.to_owned()))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Fixed(format) => format.name(),
        })
    }
}

/// Reads rows of one input.
pub struct Receivers {
    format: Format,
    strict: bool,
    table: Arc<ClassTable>,
    auditd: Auditd,
}

/// A row as it was understood, or why it was not.
#[derive(Debug)]
pub struct Reading {
    /// Its format, where one was found.
    pub format: Option<DetectedFormat>,
    /// Places of application context in it.
    pub context: Vec<String>,
    /// What it says.
    pub outcome: Result<Received, RowError>,
}

impl Receivers {
    /// Receivers for an input; `strict` refuses rows that name application context.
    pub fn new(format: Format, strict: bool, table: Arc<ClassTable>) -> Self {
        Self { format, strict, table, auditd: Auditd::default() }
    }

    /// Reads one line, without its line end. `line` is its number, from 1.
    pub fn read(&mut self, line: u64, bytes: &[u8]) -> Reading {
        let failed = |error| Reading { format: None, context: Vec::new(), outcome: Err(error) };
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.trim(),
            Err(error) => return failed(RowError::Encoding(error.valid_up_to())),
        };
        if text.is_empty() {
            let outcome = Ok(Received::Skipped("the line is empty".to_owned()));
            return Reading { format: None, context: Vec::new(), outcome };
        }
        let fixed = match self.format {
            Format::Auto => None,
            Format::Fixed(format) => Some(format),
        };
        let is_audit = fixed == Some(DetectedFormat::Auditd) || (fixed.is_none() && super::auditd::detect(text));
        if is_audit {
            let outcome = self.auditd.receive(line, text, &self.table);
            return Reading { format: Some(DetectedFormat::Auditd), context: Vec::new(), outcome };
        }
        match Json::parse(text) {
            Ok(row) => self.read_json(fixed, &row),
            Err(error) => failed(RowError::Json(json::fault(&error))),
        }
    }

    fn read_json(&self, fixed: Option<DetectedFormat>, row: &Json<'_>) -> Reading {
        let Some(format) = fixed.or_else(|| DetectedFormat::of(row)) else {
            return Reading { format: None, context: Vec::new(), outcome: Err(RowError::UnknownFormat) };
        };
        let context = context_keys::find_context(row);
        if self.strict && !context.is_empty() {
            return Reading { format: Some(format), outcome: Err(RowError::Context(context.clone())), context };
        }
        let mut outcome = match format {
            DetectedFormat::Native => native::receive(row, &self.table),
            DetectedFormat::Falco => falco::receive(row, &self.table),
            DetectedFormat::Tetragon => tetragon::receive(row, &self.table),
            DetectedFormat::Loongcollector => loongcollector::receive(row, &self.table),
            DetectedFormat::Normalized => caller::receive(row, &self.table),
            DetectedFormat::Auditd => Err(RowError::UnknownFormat),
        };
        if let Ok(Received::Event(draft)) = &mut outcome {
            draft.event.context_dropped.clone_from(&context);
        }
        Reading { format: Some(format), context, outcome }
    }

    /// Events of several rows that were given up waiting for, each with the number of the line that began it.
    pub fn evicted(&mut self) -> Vec<(u64, Result<Received, RowError>)> {
        self.auditd.evicted(&self.table)
    }

    /// Events that still wait for rows when the input ends, each with the number of the line that began it.
    pub fn finish(&mut self) -> Vec<(u64, Result<Received, RowError>)> {
        self.auditd.finish(&self.table)
    }
}
