//! Detectors of the user: programs that read JSON from their input and write JSON to their output.
//!
//! The input is `{"schema": "agentprov.detector-input/v1", "files": [{"path", "language", "changed_lines", "content"}]}`,
//! with `content_base64` instead of `content` where a file is no UTF-8. The output is
//! `{"findings": [{"path", "line", "rule", "severity", "category", "message", ...}], "gaps": [{"path", "detail"}]}`.

use crate::detect::capability::{self, Capability};
use crate::detect::gap::{CoverageGap, GapReason};
use crate::detect::input::ScanFile;
use crate::detect::language::{self, Spoken};
use crate::detect::outside::{Place, Reported};
use crate::detect::process::{self, Invocation, Limits, RunError};
use crate::detect::registry::{Detector, Scan};
use crate::finding::{Category, Cwe, Engine, RuleId, Severity};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The name of the input's form.
pub const INPUT_SCHEMA: &str = "agentprov.detector-input/v1";

/// What a detector may take unless its configuration says otherwise.
pub const DEFAULT_LIMITS: Limits = Limits { timeout: Duration::from_secs(60), memory: 2 << 30, output: 16 << 20 };

/// A detector of the user.
#[derive(Clone, Debug)]
pub struct Custom {
    /// Under which it reports.
    pub name: Engine,
    /// The program, by absolute path, and its arguments.
    pub argv: Vec<OsString>,
    /// Where it is started.
    pub folder: PathBuf,
    /// What it may take.
    pub limits: Limits,
}

#[derive(Serialize)]
struct Input<'f> {
    schema: &'static str,
    files: Vec<InputFile<'f>>,
}

#[derive(Serialize)]
struct InputFile<'f> {
    path: &'f str,
    language: Option<&'static str>,
    changed_lines: &'f crate::lines::LineSet,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'f str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_base64: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    findings: Vec<AnswerFinding>,
    #[serde(default)]
    gaps: Vec<AnswerGap>,
}

#[derive(Deserialize)]
struct AnswerFinding {
    path: String,
    line: usize,
    end_line: Option<usize>,
    start_column: Option<u32>,
    end_column: Option<u32>,
    rule: String,
    rule_version: Option<String>,
    severity: String,
    category: Option<String>,
    cwe: Option<String>,
    message: String,
    #[serde(default)]
    help: String,
}

#[derive(Deserialize)]
struct AnswerGap {
    path: Option<String>,
    detail: String,
}

impl Custom {
    fn ask(&self, files: &[ScanFile]) -> Result<Answer, GapReason> {
        let failed = |detail: String| GapReason::EngineFailed { detail };
        let input = Input { schema: INPUT_SCHEMA, files: files.iter().map(input_file).collect() };
        let input = serde_json::to_vec(&input).map_err(|error| failed(error.to_string()))?;
        let environment = [("PATH", std::env::var_os("PATH").unwrap_or_default()), ("LANG", "C.UTF-8".into())];
        let invocation = Invocation { argv: &self.argv, folder: &self.folder, environment: &environment, input };
        let output = process::run(invocation, self.limits).map_err(|error| match error {
            RunError::TimedOut(time) => GapReason::timed_out(time),
            other => failed(other.to_string()),
        })?;
        if !output.status.success() {
            return Err(failed(output.complaint()));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| failed(format!("its output is not understood: {error}")))
    }

    fn gap(&self, path: Option<String>, reason: GapReason) -> CoverageGap {
        CoverageGap { path, engine: self.name.clone(), reason }
    }
}

impl Detector for Custom {
    fn scan(&self, files: &[ScanFile]) -> Scan {
        if files.is_empty() {
            return Scan::default();
        }
        let answer = match self.ask(files) {
            Ok(answer) => answer,
            Err(reason) => return Scan { gaps: vec![self.gap(None, reason)], ..Scan::default() },
        };
        let mut scan = crate::detect::outside::place(files, &self.name, answer.findings.into_iter().map(reported));
        for gap in answer.gaps {
            scan.gaps.push(self.gap(gap.path, GapReason::Skipped { detail: gap.detail }));
        }
        scan
    }

    fn capabilities(&self) -> Vec<Capability> {
        let mut capability = Capability::named(self.name.as_str(), "A program of the user's");
        let program = self.argv.first().map(Path::new);
        capability.config_path = program.and_then(capability::base_name);
        capability.last_modified = program.and_then(capability::last_modified);
        match program.map(std::fs::read) {
            Some(Ok(bytes)) => {
                let digest = capability::sha256_hex(&bytes);
                capability.config_sha256 = Some(digest.clone());
                capability.digest = Some(digest);
            }
            Some(Err(error)) => capability.problem = Some(format!("can't read the program: {error}")),
            None => capability.problem = Some("no program is named".into()),
        }
        vec![capability]
    }
}

fn input_file(file: &ScanFile) -> InputFile<'_> {
    let content = std::str::from_utf8(&file.bytes).ok();
    let language = match language::of_file(file) {
        Spoken::Languages(languages) => languages.first().map(|language| language.as_str()),
        Spoken::Prose | Spoken::Unsupported(_) | Spoken::Unknown => None,
    };
    let content_base64 = content.is_none().then(|| data_encoding::BASE64.encode(&file.bytes));
    InputFile { path: &file.path, language, changed_lines: &file.changed_lines, content, content_base64 }
}

fn reported(found: AnswerFinding) -> Reported {
    Reported {
        // A word that is not known must not make a finding less than it may be.
        severity: Severity::parse(&found.severity).unwrap_or(Severity::High),
        rule: RuleId::new(found.rule),
        rule_version: found.rule_version.unwrap_or_else(|| "1.0.0".into()),
        category: Category::new(found.category.unwrap_or_else(|| "general".into())),
        cwe: found.cwe.as_deref().and_then(Cwe::parse),
        message: found.message,
        help: found.help,
        place: Place {
            path: found.path,
            line: found.line,
            end_line: found.end_line,
            start_column: found.start_column,
            end_column: found.end_column,
        },
    }
}
