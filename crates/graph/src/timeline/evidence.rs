//! What a fact says, as an object with the contract's keys.

use agentprov_model::network::SocketAddress;
use agentprov_model::{CallResult, Fact, FileState, FileVersion, OsBytes, Outcome, VersionCause, What};
use serde_json::{Map, Value, json};

use super::sentence::{command_line, errno_name};

/// An object with sorted keys.
pub type Evidence = Map<String, Value>;

/// The fact's own fields, and beside them the contract's names for the same things.
pub fn evidence_of(fact: &Fact) -> Evidence {
    let mut evidence = own_fields(&fact.what);
    let mut put = |key: &str, value: Value| {
        evidence.insert(key.to_owned(), value);
    };
    match &fact.what {
        What::AttemptStarted(started) => put("command", command_line(&started.argv).into()),
        What::AttemptEnded(ended) => {
            put("exit_code", ended.outcome.shell_status().into());
            put("wall_ms", (ended.wall_ns / 1_000_000).into());
        }
        What::Bound(bound) => put("root_pid", bound.root.pid.into()),
        What::ProcessExec(exec) => {
            put("command", command_line(&exec.argv).into());
            put_result(&mut put, exec.result);
        }
        What::ProcessExited(exited) => {
            // An end that was not seen has no exit code: null, not 0.
            put("exit_code", exited.outcome.as_ref().map(Outcome::shell_status).into());
        }
        What::FileOpened(open) => {
            put("path", text(&open.path));
            put_result(&mut put, open.result);
        }
        What::FileChanged(change) => {
            put("path", text(&change.path));
            if let Some(second) = &change.path2 {
                put("new_path", text(second));
            }
            put_result(&mut put, change.result);
        }
        What::FileVersion(version) => put_version(&mut put, version),
        What::Network(call) => {
            put("dst", call.address.to_string().into());
            if let SocketAddress::Ip { ip, port } = &call.address {
                put("dst_ip", ip.to_string().into());
                put("dst_port", (*port).into());
            }
            put_result(&mut put, call.result);
        }
        What::Privilege(call) => {
            for (name, value) in &call.args {
                put(name, text(value));
            }
            put_result(&mut put, call.result);
        }
        What::Output(output) => {
            put("sha256", output.content.sha256.to_hex().into());
            put("bytes", output.content.size.into());
        }
        What::ProcessStarted(_)
        | What::ProcessOutlived
        | What::ScopeEnded(_)
        | What::Gap(_)
        | What::AttemptInterrupted(_)
        | What::RulesApplied(_)
        | What::Decision(_)
        | What::RiskSignal(_)
        | What::ResponseAction(_)
        | What::Telemetry(_)
        | What::ScopeBinding(_)
        | What::BindingEnded(_)
        | What::Resolution(_)
        | What::IngestBatch(_)
        | What::RawLines(_)
        | What::Pruned(_)
        | What::ReviewDecision(_)
        | What::Declared(_)
        | What::Mcp(_)
        | What::Llm(_) => {}
    }
    if !fact.redacted.is_empty() {
        let receipts = serde_json::to_value(&fact.redacted).unwrap_or_default();
        evidence.insert("redacted".to_owned(), receipts);
    }
    evidence
}

/// A variant serialises as an object of one key, or as its bare name where it has no fields.
fn own_fields(what: &What) -> Evidence {
    match serde_json::to_value(what) {
        Ok(Value::Object(outer)) => match outer.into_iter().next() {
            Some((_, Value::Object(fields))) => fields,
            _ => Map::new(),
        },
        _ => Map::new(),
    }
}

fn text(bytes: &OsBytes) -> Value {
    bytes.lossy().into()
}

fn put_result(put: &mut impl FnMut(&str, Value), result: CallResult) {
    match result {
        CallResult::Ok(value) => put("ret", value.into()),
        CallResult::Errno(number) => {
            put("ret", (-number).into());
            put("errno", errno_name(number).into());
        }
        CallResult::Unknown => put("ret", Value::Null),
    }
}

fn put_version(put: &mut impl FnMut(&str, Value), version: &FileVersion) {
    put("path", text(version.workspace_path.as_ref().unwrap_or(&version.path)));
    put("absolute_path", text(&version.path));
    put("op", cause_name(&version.cause).into());
    put("change", change_name(version).into());
    for (prefix, state) in [("before", &version.before), ("after", &version.after)] {
        if let Some(content) = state.content() {
            put(&format!("{prefix}_sha256"), content.sha256.to_hex().into());
            put(&format!("{prefix}_bytes"), content.size.into());
        }
    }
    put("writers", json!(version.writers));
}

/// What became of the file: the contract's words.
pub(super) fn change_name(version: &FileVersion) -> &'static str {
    match (&version.cause, &version.before, &version.after) {
        (VersionCause::ModeChanged, ..) => "mode_changed",
        (VersionCause::RenamedFrom(_) | VersionCause::RenamedTo(_), ..) => "renamed",
        (_, _, FileState::Missing) => "deleted",
        (_, FileState::Missing, _) => "created",
        _ => "modified",
    }
}

fn cause_name(cause: &VersionCause) -> &'static str {
    match cause {
        VersionCause::Closed => "closed",
        VersionCause::RenamedFrom(_) => "renamed_from",
        VersionCause::RenamedTo(_) => "renamed_to",
        VersionCause::LinkedFrom(_) => "linked_from",
        VersionCause::Symlinked => "symlinked",
        VersionCause::Unlinked => "unlinked",
        VersionCause::Truncated => "truncated",
        VersionCause::ModeChanged => "mode_changed",
        VersionCause::StillOpen => "still_open",
        VersionCause::Compared => "compared",
    }
}
