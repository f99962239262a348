//! What agents say of themselves.

use super::Redactor;
use agentprov_model::declared::{Declared, Deed, ToolInput};
use agentprov_model::{OsBytes, Redaction};
use serde_json::Value;

pub(super) fn redact(redactor: &Redactor, declared: &mut Declared, receipts: &mut Vec<Redaction>) {
    match &mut declared.deed {
        Deed::CallStarted(start) => input(redactor, &mut start.input, receipts),
        Deed::CallEnded(end) => {
            if let Some(told) = &mut end.input {
                input(redactor, told, receipts);
            }
        }
        _ => {}
    }
    for (name, field) in &mut declared.other {
        value(redactor, field, name, receipts);
    }
}

fn input(redactor: &Redactor, input: &mut ToolInput, receipts: &mut Vec<Redaction>) {
    match input {
        ToolInput::Shell(shell) => {
            // Cut afterwards: of a secret that the cut goes through, the beginning would not be known as one.
            redactor.place(&mut shell.command, "command", receipts);
            cut(&mut shell.command);
        }
        ToolInput::Address(address) => redactor.place(address, "address", receipts),
        ToolInput::Write(_)
        | ToolInput::Edit(_)
        | ToolInput::Patch(_)
        | ToolInput::Paths(_)
        | ToolInput::Mcp { .. }
        | ToolInput::Other => {}
    }
}

/// Longest command that is kept as text; its keyed hash is over the whole.
const LONGEST_COMMAND: usize = 2_048;

fn cut(command: &mut OsBytes) {
    let end = command.as_str().map(|text| {
        let limit = text.len().min(LONGEST_COMMAND);
        (0..=limit).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
    });
    *command = OsBytes::from(&command.as_bytes()[..end.unwrap_or(LONGEST_COMMAND.min(command.len()))]);
}

/// Names such as `password` make a secret of whatever they hold.
const SECRET_NAMES: [&str; 8] =
    ["password", "passwd", "passphrase", "secret", "token", "api_key", "apikey", "authorization"];

fn value(redactor: &Redactor, found: &mut Value, place: &str, receipts: &mut Vec<Redaction>) {
    match found {
        Value::String(text) => {
            let mut bytes = OsBytes::from(text.as_str());
            redactor.place(&mut bytes, place, receipts);
            *text = bytes.lossy().into_owned();
        }
        Value::Array(items) => items.iter_mut().for_each(|item| value(redactor, item, place, receipts)),
        Value::Object(members) => {
            for (name, member) in members {
                let inner = format!("{place}.{name}");
                let lower = name.to_ascii_lowercase();
                if member.is_string() && SECRET_NAMES.iter().any(|secret| lower.ends_with(secret)) {
                    *member = Value::String("[redacted:secret_field]".to_owned());
                    receipts.push(Redaction { rule: "secret_field".to_owned(), place: inner, count: 1 });
                } else {
                    value(redactor, member, &inner, receipts);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
