//! Judging lines of JSON without keeping anything: what `policy test` does.

use crate::event::{EventScope, PolicyEvent};
use crate::rules::RuleSet;
use agentprov_model::{MatchedRule, OsBytes, RuleMode, Severity, Verdict};
use serde::Serialize;
use serde_json::{Map, Value};
use std::io::{self, BufRead, Read};

/// Bytes of one line; longer ones are refused, not cut.
const MAX_LINE: u64 = 4 << 20;

/// What became of a line.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(untagged)]
pub enum TrialRow {
    /// It was judged.
    Judged(Box<Judged>),
    /// It is no event.
    Refused {
        /// Line number, from 1.
        line: u64,
        /// Why.
        error: String,
    },
}

/// A line that was judged.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Judged {
    /// The verdict.
    pub decision: Verdict,
    /// The event as the rules saw it.
    pub event: Map<String, Value>,
    /// Reason of the deciding rule; empty for `allow`.
    pub reason: String,
    /// The deciding rule; empty for `allow`.
    pub rule_id: String,
    /// The verdict if everything were enforced.
    pub intended: Verdict,
    /// The mode in which the rules ran.
    pub mode: RuleMode,
    /// The heaviest severity of the rules that matched.
    pub severity: Severity,
    /// Every rule that matched.
    pub matched: Vec<MatchedRule>,
    /// Digest of the rule set.
    pub ruleset: String,
    /// Keys of the line that no rule can ask about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignored_keys: Vec<String>,
}

/// Judges every line of a JSONL text and hands each result to `row`; blank lines are passed over.
///
/// # Errors
/// What reading the input or `row` says.
pub fn test(
    mut input: impl BufRead,
    rules: &RuleSet,
    mode: RuleMode,
    mut row: impl FnMut(TrialRow) -> io::Result<()>,
) -> io::Result<()> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if input.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.len() as u64 > MAX_LINE {
            input.skip_until(b'\n')?;
            let error = format!("the line has more than {MAX_LINE} bytes");
            row(TrialRow::Refused { line: number, error })?;
            continue;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        row(match judge_line(&line, rules, mode) {
            Ok(judged) => TrialRow::Judged(Box::new(judged)),
            Err(error) => TrialRow::Refused { line: number, error },
        })?;
    }
    Ok(())
}

/// Judges one event in JSON.
///
/// # Errors
/// Why the text is no event, for people.
pub fn judge_line(line: &[u8], rules: &RuleSet, mode: RuleMode) -> Result<Judged, String> {
    let value: Value = serde_json::from_slice(line).map_err(|error| format!("not JSON: {error}"))?;
    let Value::Object(fields) = value else { return Err("an event is a JSON object".into()) };
    let (event, ignored_keys) = event_of(&fields)?;
    let judgement = rules.judge(&event, mode);
    let kept = fields.into_iter().filter(|(key, _)| !ignored_keys.contains(key)).collect();
    Ok(Judged {
        decision: judgement.verdict,
        event: kept,
        reason: judgement.rule.map(|rule| rule.reason.clone()).unwrap_or_default(),
        rule_id: judgement.rule.map(|rule| rule.id.clone()).unwrap_or_default(),
        intended: judgement.intended,
        mode,
        severity: judgement.severity,
        matched: judgement.matched_rules(),
        ruleset: rules.digest().to_owned(),
        ignored_keys,
    })
}

/// The event in a JSON object, and the keys that say nothing to rules.
///
/// # Errors
/// Why the object is no event, for people.
pub fn event_of(fields: &Map<String, Value>) -> Result<(PolicyEvent, Vec<String>), String> {
    let mut event = PolicyEvent::default();
    let mut ignored = Vec::new();
    let mut port = None;
    for (key, value) in fields {
        if value.is_null() {
            continue;
        }
        match key.as_str() {
            "source" => event.source = text(key, value)?.into(),
            "event_type" | "type" => event.event_type = text(key, value)?.into(),
            "dst_ip" | "dst" | "host" => event.take_destination(&text(key, value)?),
            "dst_port" | "port" => port = Some(number(key, value)?),
            "path" | "file" => event.paths.push(OsBytes::from(text(key, value)?)),
            "args" | "argv" => event.args.extend(texts(key, value)?),
            "command" => event.args.extend(["sh".to_owned(), "-c".to_owned(), text(key, value)?]),
            "exe" => event.exe = Some(text(key, value)?),
            "uid" | "user" => event.user = Some(number(key, value)?),
            "ancestors" => event.ancestors = texts(key, value)?,
            "tainted" => event.tainted = flag(key, value)?,
            "access" => match text(key, value)?.as_str() {
                "read" => event.reads = true,
                "write" => event.writes = true,
                "read_write" => (event.reads, event.writes) = (true, true),
                other => return Err(format!("'access' is read, write or read_write, not '{other}'")),
            },
            "outcome" => match text(key, value)?.as_str() {
                "succeeded" => event.failed = false,
                "failed" => event.failed = true,
                other => return Err(format!("'outcome' is succeeded or failed, not '{other}'")),
            },
            "run_id" | "session_id" | "attempt_id" | "tool_call_id" => {
                take_scope(&mut event.scope, key, text(key, value)?)
            }
            "process_id" | "snapshot_id" => {}
            _ => ignored.push(key.clone()),
        }
    }
    event.dst_port = port.or(event.dst_port);
    if event.event_type.is_empty() {
        return Err("the event has no 'event_type'".into());
    }
    by_type(&mut event);
    Ok((event, ignored))
}

/// What the type alone says about the access; a line that names it has the last word.
fn by_type(event: &mut PolicyEvent) {
    if event.reads || event.writes {
        return;
    }
    match event.event_type.as_ref() {
        "file_write" | "file_rename" | "file_unlink" | "file_link" => event.writes = true,
        // Unknown is not harmless: without an access mode it may have been either.
        "file_open" | "secret_path" => (event.reads, event.writes) = (true, true),
        _ => {}
    }
    let to_root = |names: &[&str]| event.args.iter().any(|argument| names.contains(&argument.as_str()));
    let named = to_root(&["setuid_root", "setgid_root"]);
    if !named && event.args.iter().any(|argument| argument == "0") && event.user != Some(0) {
        match event.event_type.as_ref() {
            "setuid" => event.args.push("setuid_root".into()),
            "setgid" => event.args.push("setgid_root".into()),
            _ => {}
        }
    }
}

fn take_scope(scope: &mut EventScope, key: &str, value: String) {
    let field = match key {
        "run_id" => &mut scope.run,
        "session_id" => &mut scope.session,
        "attempt_id" => &mut scope.attempt,
        _ => &mut scope.tool_call,
    };
    *field = Some(value.into());
}

fn text(key: &str, value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("'{key}' must be a text"))
}

fn texts(key: &str, value: &Value) -> Result<Vec<String>, String> {
    let wrong = || format!("'{key}' must be a list of texts");
    value.as_array().ok_or_else(wrong)?.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
}

fn flag(key: &str, value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("'{key}' must be true or false"))
}

fn number<T: TryFrom<u64>>(key: &str, value: &Value) -> Result<T, String> {
    let number = value.as_u64().and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| format!("'{key}' must be a number in its range"))
}
