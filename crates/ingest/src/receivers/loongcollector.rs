//! LoongCollector's eBPF rows: flat, mostly strings, dotted names as literal keys.

use super::calls::{Deed, kernel_function, system_call};
use super::draft::{Draft, FileObject, Received, RowError};
use super::json::Json;
use super::words::{
    bytes, container, container_name, first, instant, is_cut, narrow, port, scalar, signed, split_command, text,
};
use agentprov_model::special::Destination;
use agentprov_model::telemetry::{
    EventClock, ExecSeen, ExitSeen, FileAction, MapSeen, NetworkAction, PrivilegeSeen, SpawnSeen, TelemetryBody,
    TelemetryFlag,
};
use agentprov_model::{ClassTable, OsBytes, Outcome, RuntimeIdentity, SourceName, Vantage};

const SOURCE: SourceName = SourceName::LOONGCOLLECTOR;

/// True for rows with a mark of LoongCollector: its source, its tag, or its own names beside a known call.
pub fn detect(row: &Json<'_>) -> bool {
    let source = row.get("source").and_then(Json::text);
    if source == Some("loongcollector") || source == Some(SOURCE.as_str()) || row.get("__tag__:__path__").is_some() {
        return true;
    }
    match source {
        Some(_) => false,
        None => kind_of(row).is_some_and(|kind| deed_of(&kind).is_some()),
    }
}

fn kind_of(row: &Json<'_>) -> Option<String> {
    let call = row.get("call_name").filter(|value| value.text().is_some());
    let kind = call.or_else(|| first(row, &["event_type", "type", "event.name"])).and_then(Json::text)?;
    Some(kind.to_ascii_lowercase())
}

fn deed_of(kind: &str) -> Option<Deed> {
    match kind {
        "exec" | "process_exec" => Some(Deed::Exec),
        "process_exit" => Some(Deed::Exit),
        "file_open" => Some(Deed::File(FileAction::Open)),
        "file_write" => Some(Deed::File(FileAction::Write)),
        "network_connect" => Some(Deed::Network(NetworkAction::Connect)),
        other => system_call(other).or_else(|| kernel_function(other)),
    }
}

/// Reads a row.
///
/// # Errors
/// [`RowError`] where the row lacks what its type must say.
pub fn receive(row: &Json<'_>, table: &ClassTable) -> Result<Received, RowError> {
    let kind = kind_of(row).ok_or_else(|| RowError::incomplete("loongcollector", "event_type or call_name"))?;
    let Some(deed) = deed_of(&kind) else {
        return Ok(Received::Skipped(format!("event '{kind}' is not mapped")));
    };
    let mut draft = draft(row, &kind, deed, table)?;
    if let Some(time) = first(row, &["time", "timestamp"]) {
        let at = instant(time).ok_or_else(|| RowError::value("time", time, "time"))?;
        draft = draft.at(Some(at));
    } else if let Some(time) = row.get("__time__") {
        let at = instant(time).ok_or_else(|| RowError::value("__time__", time, "time"))?;
        draft = draft.at(Some(at));
        draft.event.clock = EventClock::Seconds;
    }
    draft.event.native_id = scalar(first(row, &["id", "uuid", "event_id", "exec_id"]));
    draft.event.host = text(first(row, &["host.name", "__tag__:__hostname__", "hostname"]));
    draft.event.identity = identity(row);
    if draft.event.identity.container.as_deref().is_some_and(is_cut) {
        draft.flag(TelemetryFlag::ContainerPrefix);
    }
    Ok(Received::Event(draft))
}

fn identity(row: &Json<'_>) -> RuntimeIdentity {
    let ktime = signed(row.get("ktime")).and_then(|nanos| u64::try_from(nanos).ok());
    RuntimeIdentity {
        pid: narrow(row.get("pid")),
        tgid: narrow(row.get("tgid")),
        ppid: narrow(first(row, &["parent.pid", "ppid"])),
        start_ticks: ktime.map(|nanos| nanos / 10_000_000),
        exec_id: text(row.get("exec_id")),
        parent_exec_id: text(row.get("parent.exec_id")),
        container: container(first(row, &["container_id", "container.id"])),
        container_name: container_name(first(row, &["container_name", "container.name"])),
        cgroup: scalar(first(row, &["cgroup_id", "cgroup.id"])),
        uid: narrow(row.get("uid")),
        exe: bytes(row.get("binary")),
        cwd: bytes(row.get("cwd")),
        ..RuntimeIdentity::default()
    }
}

fn draft(row: &Json<'_>, kind: &str, deed: Deed, table: &ClassTable) -> Result<Draft, RowError> {
    let plain = |body| Draft::new(SOURCE, Vantage::Loongcollector, kind, body);
    Ok(match deed {
        Deed::Exec => exec(row, kind),
        Deed::Exit => {
            let code = signed(first(row, &["exit_code", "exit.code"])).and_then(|code| i32::try_from(code).ok());
            let code = code.ok_or_else(|| RowError::incomplete(kind, "a numeric exit_code"))?;
            plain(TelemetryBody::Exit(ExitSeen { outcome: Some(Outcome::Exited(code)) }))
        }
        Deed::Spawn => plain(TelemetryBody::Spawn(SpawnSeen::default())),
        Deed::File(action) => {
            let path = first(row, &["path", "file", "file.path"]).and_then(Json::text);
            let path = path.ok_or_else(|| RowError::incomplete(kind, "path or file"))?;
            let object = FileObject::new(action, path.as_bytes(), bytes(row.get("cwd")).as_ref());
            Draft::file(SOURCE, Vantage::Loongcollector, kind, object, table)
        }
        Deed::Network(action) => network(row, kind, action, table)?,
        Deed::Privilege => {
            plain(TelemetryBody::Privilege(PrivilegeSeen { call: kind.to_owned(), ..PrivilegeSeen::default() }))
        }
        Deed::ExecMap => {
            plain(TelemetryBody::Map(MapSeen { io_uring: false, path: bytes(first(row, &["path", "file.path"])) }))
        }
        Deed::IoUring => plain(TelemetryBody::Map(MapSeen { io_uring: true, path: None })),
    })
}

fn exec(row: &Json<'_>, kind: &str) -> Draft {
    let binary = bytes(row.get("binary"));
    let list: Vec<OsBytes> =
        row.get("argv").map(Json::items).unwrap_or_default().iter().filter_map(|item| bytes(Some(item))).collect();
    let command = row.get("command").and_then(Json::text);
    let arguments = row.get("arguments").and_then(Json::text);
    let joined = command.or(arguments);
    let split = list.is_empty() && joined.is_some();
    let argv = match (list.is_empty(), command) {
        (false, _) => list,
        (true, Some(command)) => split_command(command),
        (true, None) => binary.iter().cloned().chain(arguments.map(split_command).unwrap_or_default()).collect(),
    };
    let incomplete = argv.is_empty();
    let body = ExecSeen { path: binary, argv, argv_raw: joined.map(OsBytes::from), cwd: bytes(row.get("cwd")) };
    let mut draft = Draft::new(SOURCE, Vantage::Loongcollector, kind, TelemetryBody::Exec(body));
    if split {
        draft.flag(TelemetryFlag::ArgvSplit);
    }
    if incomplete {
        draft.flag(TelemetryFlag::Incomplete);
    }
    draft
}

fn network(row: &Json<'_>, kind: &str, action: NetworkAction, table: &ClassTable) -> Result<Draft, RowError> {
    let place = first(row, &["dst", "dst_ip", "host", "network.daddr", "net.daddr"]).and_then(Json::text);
    let mut other = Destination::parse(place.ok_or_else(|| RowError::incomplete(kind, "dst, dst_ip or host"))?);
    other.port = port(first(row, &["dst_port", "port", "network.dport", "net.dport"])).or(other.port);
    let mut draft = Draft::network(SOURCE, Vantage::Loongcollector, kind, action, other, table);
    if let TelemetryBody::Network(network) = &mut draft.event.body {
        network.protocol = text(first(row, &["network.protocol", "net.protocol"]));
        let near = first(row, &["network.saddr", "net.saddr"]).and_then(Json::text);
        network.local_ip = near.and_then(|near| Destination::parse(near).ip);
        network.local_port = port(first(row, &["network.sport", "net.sport"]));
    }
    Ok(draft)
}
