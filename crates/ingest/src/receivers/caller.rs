//! Events that a caller hands over one by one: a type, identities, and a payload whose shape the type decides.

use super::draft::{Draft, Received, RowError};
use super::json::{Json, Members};
use super::native;
use super::words::text;
use agentprov_model::special::{DestinationClass, ObjectClass, Severity};
use agentprov_model::telemetry::{FileAction, TelemetryBody};
use agentprov_model::{ClassMatch, ClassTable, SourceName, Vantage};
use std::borrow::Cow;

/// Types that a caller may name, and what the payload of each must hold one of.
const TYPES: [(&str, &[&str]); 20] = [
    ("execve", &["argv", "command"]),
    ("process_exit", &["exit_code"]),
    ("process_observed", &["pid"]),
    ("file_open", &["path", "file"]),
    ("file_write", &["path", "file"]),
    ("secret_path", &["path", "file"]),
    ("network_connect", &["dst", "dst_ip", "host"]),
    ("metadata_ip", &["dst", "dst_ip", "host"]),
    ("private_cidr", &["dst", "dst_ip", "host"]),
    ("abnormal_process_tree", &["pid", "command"]),
    ("resource_pressure", &["resource", "signal"]),
    ("policy_verdict", &["decision", "verdict"]),
    ("tls_write", &[]),
    ("tls_read", &[]),
    ("setuid", &[]),
    ("setgid", &[]),
    ("ptrace", &[]),
    ("file_rename", &["path", "file"]),
    ("file_unlink", &["path", "file"]),
    ("dns_query", &["host", "query"]),
];

/// Members of the row beside the payload; a payload can't change them.
const OUTER: [&str; 8] = ["event_type", "timestamp", "id", "container_id", "cgroup_id", "pid", "tgid", "ppid"];
/// Further names under which a row of ours would tell them.
const OTHER_NAMES: [&str; 7] = ["type", "time", "uuid", "event_id", "hostname", "node", "container.id"];

/// The names of the types that a caller may name.
pub fn types() -> impl Iterator<Item = &'static str> {
    TYPES.iter().map(|(name, _)| *name)
}

/// Reads a row `{event_type, timestamp, source, id, container_id, cgroup_id, pid, tgid, ppid, payload}`.
///
/// # Errors
/// [`RowError`] for a type that callers may not name, and for a payload that lacks what its type must say.
pub fn receive(row: &Json<'_>, table: &ClassTable) -> Result<Received, RowError> {
    let named = row.get("event_type").ok_or_else(|| RowError::incomplete("telemetry", "event_type"))?;
    let kind = named.text().unwrap_or_default();
    let wrong = || RowError::value("event_type", named, "event type that can be taken in");
    let (kind, needs) = TYPES.iter().find(|(name, _)| *name == kind).ok_or_else(wrong)?;
    let empty = Json::Object(Members::default());
    let payload = row.get("payload").unwrap_or(&empty);
    let Json::Object(members) = payload else { return Err(RowError::value("payload", payload, "JSON object")) };
    require(kind, needs, payload)?;
    let source = row.get("source").ok_or_else(|| RowError::incomplete(kind, "source"))?;
    let source_name = SourceName::new(text(Some(source)).unwrap_or_default())
        .map_err(|_| RowError::value("source", source, "source name"))?;
    let mut flat: Vec<_> = OUTER.iter().filter_map(|key| Some((Cow::Borrowed(*key), row.get(key)?.clone()))).collect();
    let inner = members.iter().filter(|(key, _)| {
        let own_pid = key == "pid" && row.get("pid").is_none();
        own_pid || !(OUTER.contains(&key.as_ref()) || OTHER_NAMES.contains(&key.as_ref()))
    });
    flat.extend(inner.cloned());
    let received = native::receive(&Json::Object(flat.into()), table)?;
    let Received::Event(mut draft) = received else { return Ok(received) };
    draft.vantage = Vantage::Sdk;
    draft.event.source = source_name;
    claim(kind, &mut draft);
    Ok(Received::Event(draft))
}

fn require(kind: &str, needs: &[&'static str], payload: &Json<'_>) -> Result<(), RowError> {
    let says = |key: &&str| match (kind, payload.get(key)) {
        ("process_exit" | "process_observed", Some(value)) => value.integer().is_some(),
        (_, Some(Json::Array(items))) => !items.is_empty(),
        (_, Some(value)) => value.scalar().is_some(),
        (_, None) => false,
    };
    if needs.is_empty() || needs.iter().any(says) {
        return Ok(());
    }
    let needs = match needs {
        ["argv", ..] => "argv or command in its payload",
        ["exit_code"] => "a numeric exit_code in its payload",
        ["pid"] => "a numeric pid in its payload",
        ["path", ..] => "path or file in its payload",
        ["dst", ..] => "dst, dst_ip or host in its payload",
        ["pid", ..] => "pid or command in its payload",
        ["resource", ..] => "resource or signal in its payload",
        ["host", ..] => "host or query in its payload",
        _ => "decision or verdict in its payload",
    };
    Err(RowError::incomplete(kind, needs))
}

/// A caller may know of places that our table does not: a special type stays what it was called, never less.
fn claim(kind: &str, draft: &mut Draft) {
    let claimed = |class| ClassMatch { entry: "claimed".to_owned(), class, severity: Severity::High };
    match (kind, &mut draft.event.body) {
        ("file_open", TelemetryBody::File(file)) => file.action = FileAction::Open,
        ("secret_path", _) => {
            let known = draft.event.class.as_ref().is_some_and(|class| class.severity >= Severity::Medium);
            if !known {
                draft.event.class = Some(claimed(ObjectClass::SecretPath));
            }
        }
        ("metadata_ip", TelemetryBody::Network(network)) if network.destination != DestinationClass::Metadata => {
            network.destination = DestinationClass::Metadata;
            draft.event.class = Some(claimed(ObjectClass::Metadata));
        }
        ("private_cidr", TelemetryBody::Network(network))
            if network.destination != DestinationClass::Metadata && !network.destination.is_private_cidr() =>
        {
            network.destination = DestinationClass::Private;
            draft.event.class = Some(claimed(ObjectClass::PrivateCidr));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Draft, RowError> {
        match receive(&Json::parse(text).expect("it parses"), ClassTable::builtin())? {
            Received::Event(draft) => Ok(draft),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_type_keeps_its_name() {
        let payload = r#"{"argv":["x"],"exit_code":1,"pid":7,"path":"/srv/x","dst":"93.184.216.34","command":"x",
            "resource":"cpu","verdict":"deny","host":"example.org"}"#;
        for kind in types() {
            let row = format!(r#"{{"event_type":"{kind}","source":"mine","payload":{payload}}}"#);
            let draft = read(&row).unwrap_or_else(|error| panic!("{kind}: {error}"));
            assert_eq!(draft.event.event_type().name(), kind);
            assert_eq!((draft.event.source.as_str(), draft.vantage), ("mine", Vantage::Sdk));
        }
    }

    #[test]
    fn what_a_type_must_say_is_asked_for() {
        for (kind, needs) in TYPES.iter().filter(|(_, needs)| !needs.is_empty()) {
            let row = format!(r#"{{"event_type":"{kind}","source":"mine","pid":3,"payload":{{"x":1}}}}"#);
            let error = read(&row).expect_err(kind).to_string();
            assert!(needs.iter().all(|need| error.contains(need)), "{kind}: {error}");
        }
        assert!(read(r#"{"event_type":"exec_start","source":"mine","payload":{}}"#).is_err());
    }

    #[test]
    fn a_payload_changes_neither_time_nor_identity() {
        let row = r#"{"event_type":"setuid","source":"mine","pid":3,"timestamp":"2026-01-02T03:04:05Z","id":"a",
            "payload":{"pid":4,"time":"2020-01-01T00:00:00Z","uuid":"b","hostname":"h","container.id":"c","uid":0}}"#;
        let draft = read(row).expect("an event");
        assert_eq!(draft.event.identity.pid, Some(3));
        assert_eq!(draft.event.native_id.as_deref(), Some("a"));
        assert_eq!((draft.event.host, draft.event.identity.container), (None, None));
        assert_eq!(draft.event.identity.uid, None, "the uid that was asked for is not whose the process is");
        assert_eq!(draft.at.map(|at| at.to_rfc3339()).as_deref(), Some("2026-01-02T03:04:05.000000000Z"));
    }
}
