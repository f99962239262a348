//! Tetragon's JSON export: exactly one of the event messages beside `time` and `node_name`.

mod arguments;

use super::calls::{Deed, bare_name, kernel_function};
use super::draft::{Draft, FileObject, Loss, Received, RowError};
use super::falco::signal_number;
use super::json::Json;
use super::words::{bytes, container, instant, is_cut, narrow, returned, split_command, text, wide};
use agentprov_model::telemetry::{
    Detection, ExecSeen, ExitSeen, FileAction, MapSeen, NetworkAction, PrivilegeSeen, SpawnSeen, TelemetryBody,
    TelemetryFlag,
};
use agentprov_model::{
    CallResult, ClaimClass, ClassTable, EventTime, OsBytes, Outcome, RuntimeIdentity, SourceName, Vantage,
};
use arguments::Arguments;

const SOURCE: SourceName = SourceName::TETRAGON;

/// Messages of which a row has exactly one.
const MESSAGES: [&str; 11] = [
    "process_exec",
    "process_exit",
    "process_kprobe",
    "process_tracepoint",
    "process_loader",
    "process_uprobe",
    "process_throttle",
    "process_lsm",
    "process_usdt",
    "rate_limit_info",
    "test",
];

/// True for rows of Tetragon.
pub fn detect(row: &Json<'_>) -> bool {
    message(row).is_some_and(|(name, _)| name != "test" || row.get("node_name").is_some())
}

fn message<'j, 't>(row: &'j Json<'t>) -> Option<(&'static str, &'j Json<'t>)> {
    MESSAGES.iter().find_map(|name| match row.get(name) {
        Some(body @ Json::Object(_)) => Some((*name, body)),
        _ => None,
    })
}

/// Reads a row.
///
/// # Errors
/// [`RowError`] where the row lacks what its type must say.
pub fn receive(row: &Json<'_>, table: &ClassTable) -> Result<Received, RowError> {
    let Some((name, body)) = message(row) else {
        return Err(RowError::incomplete("tetragon", "one of process_exec, process_exit, process_kprobe and the like"));
    };
    let at = time(row, body)?;
    let host = text(row.get("node_name"));
    let draft = match name {
        "process_exec" => exec(body),
        "process_exit" => exit(body),
        "process_kprobe" | "process_lsm" => {
            let function = body.get("function_name").and_then(Json::text);
            let function = function.ok_or_else(|| RowError::incomplete(name, "function_name"))?;
            match kernel_function(function) {
                Some(deed) => probe(body, function, deed, table)?,
                None => return Ok(Received::Skipped(format!("function '{function}' is not mapped"))),
            }
        }
        "process_tracepoint" => {
            let event = body.get("event").and_then(Json::text);
            let event = event.ok_or_else(|| RowError::incomplete(name, "event"))?;
            match kernel_function(event) {
                Some(deed) => probe(body, event, deed, table)?,
                None => return Ok(Received::Skipped(format!("tracepoint '{event}' is not mapped"))),
            }
        }
        "process_loader" => {
            let path = bytes(body.get("path"));
            let map = MapSeen { io_uring: false, path };
            Draft::new(SOURCE, Vantage::Tetragon, "loader", TelemetryBody::Map(map))
        }
        "process_throttle" | "rate_limit_info" => return Ok(loss(name, body, at, host)),
        other => return Ok(Received::Skipped(format!("{other} rows are not mapped"))),
    };
    Ok(Received::Event(identified(draft.at(at), body, host)))
}

fn time(row: &Json<'_>, body: &Json<'_>) -> Result<Option<EventTime>, RowError> {
    let written = row.get("time").or_else(|| body.get("time"));
    written.map(|value| instant(value).ok_or_else(|| RowError::value("time", value, "time"))).transpose()
}

fn identified(mut draft: Draft, body: &Json<'_>, host: Option<String>) -> Draft {
    let process = body.get("process");
    let parent = body.get("parent");
    let member = |key: &str| process.and_then(|process| process.get(key));
    let exec_id = text(member("exec_id"));
    let pod = member("pod").and_then(|pod| pod.at(&["container", "id"]));
    draft.event.host = host;
    draft.event.native_id.clone_from(&exec_id);
    draft.event.identity = RuntimeIdentity {
        pid: narrow(member("pid")),
        tid: narrow(member("tid")),
        ppid: narrow(parent.and_then(|parent| parent.get("pid"))),
        start_ticks: exec_id.as_deref().and_then(start_ticks),
        start_ns: member("start_time").and_then(instant).map(EventTime::as_nanos),
        parent_exec_id: text(member("parent_exec_id")),
        exec_id,
        container: container(member("docker").filter(|docker| docker.text().is_some()).or(pod)),
        uid: narrow(member("uid")),
        exe: bytes(member("binary")),
        cwd: bytes(member("cwd")),
        ..RuntimeIdentity::default()
    };
    draft.event.detection =
        text(body.get("policy_name")).map(|rule| Detection { rule, priority: None, action: text(body.get("action")) });
    let flags = member("flags").and_then(Json::text).unwrap_or_default();
    let marks = [
        (&["truncArgs", "truncFilename"][..], TelemetryFlag::ArgvTruncated),
        (&["procFS", "miss"][..], TelemetryFlag::ProcessMissed),
    ];
    for (words, flag) in marks {
        if flags.split(' ').any(|word| words.contains(&word)) {
            draft.flag(flag);
        }
    }
    if draft.event.identity.container.as_deref().is_some_and(is_cut) {
        draft.flag(TelemetryFlag::ContainerPrefix);
    }
    draft
}

/// An exec id is base64 of `<node>:<ns since boot>:<pid>`; ticks are 10 ms.
fn start_ticks(exec_id: &str) -> Option<u64> {
    let decoded = data_encoding::BASE64.decode(exec_id.as_bytes()).ok()?;
    let text = std::str::from_utf8(&decoded).ok()?;
    let mut parts = text.rsplit(':');
    let (_pid, since_boot) = (parts.next()?, parts.next()?);
    Some(since_boot.parse::<u64>().ok()? / 10_000_000)
}

fn exec(body: &Json<'_>) -> Draft {
    let process = body.get("process");
    let member = |key: &str| process.and_then(|process| process.get(key));
    let binary = bytes(member("binary"));
    let joined = member("arguments").and_then(Json::text);
    let mut argv: Vec<OsBytes> = binary.iter().cloned().collect();
    argv.extend(joined.map(split_command).unwrap_or_default());
    let seen = ExecSeen { path: binary, argv, argv_raw: joined.map(OsBytes::from), cwd: bytes(member("cwd")) };
    let incomplete = seen.argv.is_empty();
    let mut draft = Draft::new(SOURCE, Vantage::Tetragon, "process_exec", TelemetryBody::Exec(seen));
    if joined.is_some() {
        draft.flag(TelemetryFlag::ArgvSplit);
    }
    if incomplete {
        draft.flag(TelemetryFlag::Incomplete);
    }
    draft
}

/// Defaults vanish on the wire: no status is status 0, no signal is a normal exit.
fn exit(body: &Json<'_>) -> Draft {
    let signal = body.get("signal").and_then(Json::text).and_then(signal_number);
    let status = narrow(body.get("status")).and_then(|status| i32::try_from(status).ok()).unwrap_or(0);
    let outcome = match signal {
        Some(signal) => Outcome::Signaled { signal, core: false },
        None => Outcome::Exited(status),
    };
    let seen = ExitSeen { outcome: Some(outcome) };
    Draft::new(SOURCE, Vantage::Tetragon, "process_exit", TelemetryBody::Exit(seen))
}

fn probe(body: &Json<'_>, function: &str, deed: Deed, table: &ClassTable) -> Result<Draft, RowError> {
    let arguments = Arguments::of(body);
    let op = bare_name(function);
    let plain = |seen| Draft::new(SOURCE, Vantage::Tetragon, op, seen);
    let mut draft = match deed {
        Deed::Exec => {
            let path = arguments.path(0).map(OsBytes::from);
            plain(TelemetryBody::Exec(ExecSeen { argv: path.iter().cloned().collect(), path, ..ExecSeen::default() }))
        }
        Deed::Exit => plain(TelemetryBody::Exit(ExitSeen {
            outcome: arguments.number().and_then(|code| i32::try_from(code).ok()).map(Outcome::Exited),
        })),
        Deed::Spawn => plain(TelemetryBody::Spawn(SpawnSeen::default())),
        Deed::File(action) => file(body, &arguments, op, action, table)?,
        Deed::Network(action) => network(&arguments, op, action, table)?,
        Deed::Privilege => plain(TelemetryBody::Privilege(privilege(&arguments, op))),
        Deed::ExecMap => {
            plain(TelemetryBody::Map(MapSeen { io_uring: false, path: arguments.path(0).map(OsBytes::from) }))
        }
        Deed::IoUring => plain(TelemetryBody::Map(MapSeen { io_uring: true, path: None })),
    };
    draft.event.result = result(body);
    Ok(draft)
}

fn result(body: &Json<'_>) -> CallResult {
    let value = body.get("return").and_then(|value| {
        ["int_arg", "long_arg", "size_arg"].iter().find_map(|key| value.get(key)).and_then(Json::integer)
    });
    value.and_then(|value| i64::try_from(value).ok()).map_or(CallResult::Unknown, returned)
}

fn file(
    body: &Json<'_>,
    arguments: &Arguments<'_>,
    op: &str,
    action: FileAction,
    table: &ClassTable,
) -> Result<Draft, RowError> {
    // The permission hook says by a number what it guards.
    let action = match (op, arguments.number()) {
        ("security_file_permission" | "file_permission", Some(2)) => FileAction::Write,
        ("security_file_permission" | "file_permission", _) => FileAction::Read,
        _ => action,
    };
    let path = arguments.path(0).ok_or_else(|| RowError::incomplete(op, "a path argument"))?;
    let cwd = bytes(body.at(&["process", "cwd"]));
    let second = match action {
        FileAction::Rename | FileAction::Link => arguments.path(1),
        _ => None,
    };
    let mut object = FileObject::new(action, path.as_bytes(), cwd.as_ref()).second(second, cwd.as_ref());
    if action == FileAction::Open {
        let (access, flags) = arguments.open_flags();
        object = object.opened(access, flags);
    }
    Ok(Draft::file(SOURCE, Vantage::Tetragon, op, object, table))
}

fn network(arguments: &Arguments<'_>, op: &str, action: NetworkAction, table: &ClassTable) -> Result<Draft, RowError> {
    let ends = arguments.socket().ok_or_else(|| RowError::incomplete(op, "a socket argument"))?;
    let mut draft = Draft::network(SOURCE, Vantage::Tetragon, op, action, ends.other, table);
    if let TelemetryBody::Network(network) = &mut draft.event.body {
        network.local_ip = ends.local.ip;
        network.local_port = ends.local.port;
        network.protocol = ends.protocol;
    }
    Ok(draft)
}

fn privilege(arguments: &Arguments<'_>, op: &str) -> PrivilegeSeen {
    let number = arguments.number().and_then(|number| u32::try_from(number).ok());
    PrivilegeSeen {
        call: op.to_owned(),
        uid: number.filter(|_| op.ends_with("uid")),
        gid: number.filter(|_| op.ends_with("gid")),
        target: arguments.second_number().and_then(|pid| u32::try_from(pid).ok()).filter(|_| op == "ptrace"),
        request: number.filter(|_| op == "ptrace").map(|request| request.to_string()),
    }
}

fn loss(name: &str, body: &Json<'_>, at: Option<EventTime>, host: Option<String>) -> Received {
    let count = wide(body.get("number_of_dropped_process_events"));
    let detail = match (name, count) {
        ("rate_limit_info", Some(count)) => format!("tetragon dropped {count} process events by its rate limit"),
        ("rate_limit_info", None) => "tetragon dropped process events by its rate limit".to_owned(),
        _ => {
            let what = body.get("type").and_then(Json::text).unwrap_or("THROTTLE");
            let cgroup = body.get("cgroup").and_then(Json::text).unwrap_or("a cgroup it does not name");
            format!("tetragon throttled events: {what} in {cgroup}")
        }
    };
    let classes = vec![ClaimClass::Processes, ClaimClass::FileWrites, ClaimClass::FileReads, ClaimClass::Network];
    Received::Loss(Loss { at, vantage: Vantage::Tetragon, source: SOURCE, host, count, classes, detail })
}
