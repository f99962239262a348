//! Falco's JSON output: what a rule's `output_fields` name.

use super::calls::{Deed, system_call};
use super::draft::{Draft, FileObject, Loss, Received, RowError};
use super::json::Json;
use super::words::{
    access_of, bytes, container, container_name, errno_number, first, instant, is_cut, narrow, port, returned, scalar,
    signed, split_command, text, wide,
};
use agentprov_model::special::Destination;
use agentprov_model::telemetry::{
    Detection, ExecSeen, ExitSeen, FileAction, MapSeen, NetworkAction, PrivilegeSeen, SpawnSeen, TelemetryBody,
    TelemetryFlag,
};
use agentprov_model::{
    Access, CallResult, ClaimClass, ClassTable, EventTime, OsBytes, Outcome, RuntimeIdentity, SourceName, Vantage,
};

const SOURCE: SourceName = SourceName::FALCO;

/// True for rows of Falco.
pub fn detect(row: &Json<'_>) -> bool {
    matches!(row.get("output_fields"), Some(Json::Object(_)))
}

/// Reads a row.
///
/// # Errors
/// [`RowError`] where the row lacks what its type must say.
pub fn receive(row: &Json<'_>, table: &ClassTable) -> Result<Received, RowError> {
    let Some(fields @ Json::Object(_)) = row.get("output_fields") else {
        return Err(RowError::incomplete("falco", "output_fields"));
    };
    let at = time(row, fields)?;
    let rule = row.get("rule").and_then(Json::text);
    if row.get("source").and_then(Json::text) == Some("internal")
        || rule.is_some_and(|rule| rule.starts_with("Falco internal:"))
    {
        return Ok(internal(row, fields, rule.unwrap_or("internal"), at));
    }
    let Some(kind) = first(fields, &["evt.type"]).or_else(|| first(row, &["evt.type"])).and_then(Json::text) else {
        return Ok(Received::Skipped("the rule's output does not name evt.type".to_owned()));
    };
    let kind = kind.to_ascii_lowercase();
    let Some(deed) = system_call(&kind) else {
        return Ok(Received::Skipped(format!("evt.type '{kind}' is not mapped")));
    };
    let mut draft = draft(fields, &kind, deed, table)?.at(at);
    draft.event.native_id = scalar(first(fields, &["evt.num"]).or_else(|| first(row, &["uuid", "id"])));
    draft.event.host = text(row.get("hostname"));
    draft.event.identity = identity(fields);
    draft.event.result = result(fields);
    draft.event.detection = detection(row);
    if draft.event.identity.container.as_deref().is_some_and(is_cut) {
        draft.flag(TelemetryFlag::ContainerPrefix);
    }
    Ok(Received::Event(draft))
}

fn time(row: &Json<'_>, fields: &Json<'_>) -> Result<Option<EventTime>, RowError> {
    if let Some(nanos) = signed(fields.get("evt.rawtime")).filter(|&nanos| nanos > 0) {
        return Ok(Some(EventTime::from_nanos(nanos)));
    }
    let written = first(row, &["time", "timestamp"]).or_else(|| first(fields, &["evt.time.iso8601", "evt.time"]));
    written.map(|value| instant(value).ok_or_else(|| RowError::value("time", value, "time"))).transpose()
}

fn detection(row: &Json<'_>) -> Option<Detection> {
    let rule = text(row.get("rule"))?;
    Some(Detection { rule, priority: text(row.get("priority")), action: None })
}

fn identity(fields: &Json<'_>) -> RuntimeIdentity {
    RuntimeIdentity {
        pid: narrow(fields.get("proc.pid")),
        tid: narrow(fields.get("thread.tid")),
        ppid: narrow(first(fields, &["proc.ppid", "proc.apid[1]"])),
        ns_pid: narrow(fields.get("proc.vpid")),
        start_ns: signed(fields.get("proc.pid.ts")).filter(|&nanos| nanos > 0),
        container: container(fields.get("container.id")),
        container_name: container_name(fields.get("container.name")),
        cgroup: scalar(first(fields, &["container.cgroup", "proc.cgroup"])),
        uid: narrow(fields.get("user.uid")),
        comm: bytes(fields.get("proc.name")),
        exe: bytes(fields.get("proc.exepath")),
        cwd: bytes(fields.get("proc.cwd")),
        ..RuntimeIdentity::default()
    }
}

/// `evt.res` is `SUCCESS` or an errno's name; `evt.rawres` a number.
fn result(fields: &Json<'_>) -> CallResult {
    if let Some(raw) = signed(fields.get("evt.rawres")) {
        return returned(raw);
    }
    match fields.get("evt.res").and_then(Json::text) {
        Some("SUCCESS") => CallResult::Ok(0),
        Some(name) => match (errno_number(name), name.parse::<i64>()) {
            (Some(number), _) => CallResult::Errno(number),
            (None, Ok(value)) => returned(value),
            (None, Err(_)) => CallResult::Unknown,
        },
        None => CallResult::Unknown,
    }
}

fn draft(fields: &Json<'_>, kind: &str, deed: Deed, table: &ClassTable) -> Result<Draft, RowError> {
    let plain = |body| Draft::new(SOURCE, Vantage::Falco, kind, body);
    Ok(match deed {
        Deed::Exec => exec(fields, kind),
        Deed::Exit => plain(TelemetryBody::Exit(ExitSeen { outcome: exit_outcome(fields) })),
        Deed::Spawn => {
            let child = signed(first(fields, &["evt.rawres", "evt.arg.res"])).filter(|&pid| pid > 0);
            plain(TelemetryBody::Spawn(SpawnSeen { child: child.and_then(|pid| u32::try_from(pid).ok()) }))
        }
        Deed::File(action) => file(fields, kind, action, table)?,
        Deed::Network(action) => network(fields, kind, action, table)?,
        Deed::Privilege => plain(TelemetryBody::Privilege(privilege(fields, kind))),
        Deed::IoUring => plain(TelemetryBody::Map(MapSeen { io_uring: true, path: None })),
        Deed::ExecMap => plain(TelemetryBody::Map(MapSeen { io_uring: false, path: bytes(fields.get("fd.name")) })),
    })
}

fn exec(fields: &Json<'_>, kind: &str) -> Draft {
    let joined = fields.get("proc.cmdline").and_then(Json::text);
    let path = bytes(first(fields, &["proc.exepath", "evt.arg.filename"]));
    let mut flags = Vec::new();
    let argv = match (joined, &path) {
        (Some(joined), _) => {
            flags.push(TelemetryFlag::ArgvSplit);
            split_command(joined)
        }
        (None, Some(path)) => vec![path.clone()],
        (None, None) => Vec::new(),
    };
    if argv.is_empty() {
        flags.push(TelemetryFlag::Incomplete);
    }
    let body = ExecSeen { path, argv, argv_raw: joined.map(OsBytes::from), cwd: bytes(fields.get("proc.cwd")) };
    let mut draft = Draft::new(SOURCE, Vantage::Falco, kind, TelemetryBody::Exec(body));
    draft.event.flags = flags;
    draft
}

/// `evt.arg.sig` where it was a signal, else `evt.arg.ret` (the exit status), else the raw wait status.
fn exit_outcome(fields: &Json<'_>) -> Option<Outcome> {
    let number = |key| signed(fields.get(key)).and_then(|value| i32::try_from(value).ok());
    let signal = fields.get("evt.arg.sig").and_then(|value| {
        value.integer().and_then(|number| i32::try_from(number).ok()).or_else(|| signal_number(value.text()?))
    });
    match (signal.filter(|&signal| signal > 0), number("evt.arg.ret").or_else(|| number("proc.exit_code"))) {
        (Some(signal), _) => Some(Outcome::Signaled { signal, core: number("evt.arg.core") == Some(1) }),
        (None, Some(status)) => Some(Outcome::Exited(status)),
        (None, None) => number("evt.arg.status").map(|status| Outcome::Exited(status >> 8 & 0xff)),
    }
}

pub(super) fn signal_number(name: &str) -> Option<i32> {
    (1..32).find(|&number| agentprov_model::signal::name(number) == Some(name))
}

fn file(fields: &Json<'_>, kind: &str, action: FileAction, table: &ClassTable) -> Result<Draft, RowError> {
    let keys: &[&str] = match action {
        FileAction::Rename | FileAction::Link => {
            &["evt.arg.oldpath", "evt.arg.target", "fs.path.source", "fs.path.name", "fd.name", "evt.arg.path"]
        }
        _ => &["fd.name", "fs.path.name", "evt.arg.path", "evt.arg.name", "evt.arg.filename"],
    };
    let path =
        first(fields, keys).and_then(Json::text).ok_or_else(|| RowError::incomplete(kind, "a path (fd.name)"))?;
    let cwd = bytes(fields.get("proc.cwd"));
    let second = match action {
        FileAction::Rename | FileAction::Link => {
            first(fields, &["evt.arg.newpath", "evt.arg.linkpath", "fs.path.target"]).and_then(Json::text)
        }
        _ => None,
    };
    let mut object = FileObject::new(action, path.as_bytes(), cwd.as_ref()).second(second, cwd.as_ref());
    if action == FileAction::Open {
        let words = text(first(fields, &["evt.arg.flags", "evt.args"]));
        let marked = fields.get("evt.is_open_write") == Some(&Json::Bool(true));
        let access = match (marked, words.as_deref().map(access_of)) {
            (true, None | Some(Access::Read)) => Access::Write,
            (_, Some(access)) => access,
            (false, None) => Access::Read,
        };
        object = object.opened(access, words);
    }
    object.file.inode = wide(fields.get("fd.ino"));
    Ok(Draft::file(SOURCE, Vantage::Falco, kind, object, table))
}

fn network(fields: &Json<'_>, kind: &str, action: NetworkAction, table: &ClassTable) -> Result<Draft, RowError> {
    let (near, far) = match fields.get("fd.name").and_then(Json::text).and_then(|name| name.split_once("->")) {
        Some((near, far)) => (Some(near), Some(far)),
        None => (None, fields.get("fd.name").and_then(Json::text)),
    };
    // For a connection that was taken the other end is the client, else the server.
    let other_keys: [&str; 3] = match action {
        NetworkAction::Accept => ["fd.cip", "fd.rip", "fd.sip"],
        _ => ["fd.rip", "fd.sip", "fd.sip.name"],
    };
    let far = if action == NetworkAction::Accept { near.or(far) } else { far };
    let place = first(fields, &other_keys).and_then(Json::text).or(far).or_else(|| fields.get("evt.arg.addr")?.text());
    let place = place.ok_or_else(|| RowError::incomplete(kind, "a destination (fd.rip, fd.sip or fd.name)"))?;
    if place.starts_with('/') || place.starts_with("unix") {
        return Ok(unix(kind, action, place, table));
    }
    let mut other = Destination::parse(place);
    let port_key = if action == NetworkAction::Accept { "fd.cport" } else { "fd.rport" };
    let written = port(first(fields, &[port_key, "fd.sport"]));
    other.port = written.or(other.port).or_else(|| Destination::parse(far?).port);
    if other.host.is_none() {
        other.host = text(fields.get("fd.sip.name")).filter(|name| Destination::parse(name).ip.is_none());
    }
    let mut draft = Draft::network(SOURCE, Vantage::Falco, kind, action, other, table);
    if let TelemetryBody::Network(network) = &mut draft.event.body {
        network.protocol = text(fields.get("fd.l4proto"));
        if let Some(near) = near.filter(|_| action != NetworkAction::Accept) {
            let near = Destination::parse(near);
            (network.local_ip, network.local_port) = (near.ip, near.port);
        }
    }
    Ok(draft)
}

/// A connection on this host: the socket's path stands as the host.
fn unix(kind: &str, action: NetworkAction, path: &str, table: &ClassTable) -> Draft {
    let mut draft = Draft::network(SOURCE, Vantage::Falco, kind, action, Destination::default(), table);
    if let TelemetryBody::Network(network) = &mut draft.event.body {
        network.host = Some(path.to_owned());
        network.protocol = Some("unix".to_owned());
        network.destination = agentprov_model::DestinationClass::Loopback;
    }
    draft
}

fn privilege(fields: &Json<'_>, kind: &str) -> PrivilegeSeen {
    PrivilegeSeen {
        call: kind.to_owned(),
        uid: narrow(first(fields, &["evt.arg.uid", "evt.arg.euid"])).filter(|_| kind.ends_with("uid")),
        gid: narrow(first(fields, &["evt.arg.gid", "evt.arg.egid"])).filter(|_| kind.ends_with("gid")),
        target: narrow(first(fields, &["evt.arg.pid"])).filter(|_| kind == "ptrace"),
        request: scalar(first(fields, &["evt.arg.request", "evt.arg.type"])),
    }
}

/// Falco about itself: drops are losses, anything else says nothing about the host.
fn internal(row: &Json<'_>, fields: &Json<'_>, rule: &str, at: Option<EventTime>) -> Received {
    let counters = ["n_drops", "scap.n_drops", "falco.outputs_queue_num_drops"];
    let found = counters.iter().filter_map(|key| Some((*key, wide(fields.get(key))?))).find(|(_, count)| *count > 0);
    let is_drop_alert = rule.contains("event drop");
    if found.is_none() && !is_drop_alert {
        return Received::Skipped(format!("'{rule}' reports no loss"));
    }
    let count = found.map(|(_, count)| count);
    let detail = match found {
        Some((key, count)) if is_drop_alert => format!("falco dropped {count} events in one second ({key})"),
        Some((key, count)) => format!("falco has dropped {count} events since it began ({key})"),
        None => format!("falco reports drops without a number: {rule}"),
    };
    let classes = vec![
        ClaimClass::Processes,
        ClaimClass::FileWrites,
        ClaimClass::FileReads,
        ClaimClass::Network,
        ClaimClass::Privilege,
    ];
    let host = text(row.get("hostname"));
    Received::Loss(Loss { at, vantage: Vantage::Falco, source: SOURCE, host, count, classes, detail })
}
