//! Rows of our own eBPF sensor: flat JSON with `source` = `agentprov_ebpf`.

use super::draft::{Draft, FileObject, Received, RowError};
use super::json::Json;
use super::words::{
    bytes, container, container_name, first, instant, narrow, port, returned, scalar, signed, split_command, text, wide,
};
use agentprov_model::special::Destination;
use agentprov_model::telemetry::{
    DnsSeen, ExecSeen, ExitSeen, FileAction, NetworkAction, PressureSeen, PrivilegeSeen, ProcessSeen, SpawnSeen,
    TelemetryBody, TelemetryFlag, TlsDirection, TlsSeen, TreeSeen, VerdictSeen,
};
use agentprov_model::{Access, BootId, ClassTable, OsBytes, Outcome, RuntimeIdentity, SourceName, Vantage};
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// True for rows of our sensor.
pub fn detect(row: &Json<'_>) -> bool {
    row.get("source").and_then(Json::text) == Some(SourceName::NATIVE.as_str())
}

/// Reads a row.
///
/// # Errors
/// [`RowError`] where the row lacks what its type must say.
pub fn receive(row: &Json<'_>, table: &ClassTable) -> Result<Received, RowError> {
    let Some(kind) = first(row, &["event_type", "type"]).and_then(Json::text) else {
        return Err(RowError::incomplete("native", "event_type"));
    };
    let kind = lower(kind);
    let Some(mut draft) = draft(row, &kind, table)? else {
        return Ok(Received::Skipped(format!("event type '{kind}' is not mapped")));
    };
    if let Some(time) = first(row, &["time", "timestamp"]) {
        let at = instant(time).ok_or_else(|| RowError::value("timestamp", time, "time"))?;
        draft = draft.at(Some(at));
    }
    draft.event.native_id = scalar(first(row, &["id", "uuid", "event_id"]));
    draft.event.host = text(row.get("hostname").or_else(|| row.get("node")));
    draft.event.identity = identity(row);
    if matches!(&draft.event.body, TelemetryBody::Privilege(privilege) if privilege.uid.is_some()) {
        // Of this call `uid` is what was asked for. Whose the process is, the row does not say.
        draft.event.identity.uid = None;
    }
    if let Some(ret) = signed(row.get("ret")) {
        draft.event.result = returned(ret);
    }
    if draft.event.identity.container.as_deref().is_some_and(super::words::is_cut) {
        draft.flag(TelemetryFlag::ContainerPrefix);
    }
    Ok(Received::Event(draft))
}

/// In lower case; nearly every word is so already.
fn lower(word: &str) -> Cow<'_, str> {
    match word.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => word.to_ascii_lowercase().into(),
        false => word.into(),
    }
}

fn identity(row: &Json<'_>) -> RuntimeIdentity {
    RuntimeIdentity {
        boot: text(row.get("boot_id")).map(BootId),
        pid: narrow(row.get("pid")),
        tgid: narrow(row.get("tgid")),
        tid: narrow(row.get("tid")),
        ppid: narrow(row.get("ppid")),
        ns_pid: narrow(row.get("ns_pid")),
        start_ticks: wide(row.get("start_ticks")),
        start_ns: signed(row.get("pid_start_ns")),
        exec_id: text(row.get("exec_id")),
        parent_exec_id: text(row.get("parent_exec_id")),
        container: container(first(row, &["container_id", "container.id"])),
        container_name: container_name(first(row, &["container_name", "container.name"])),
        cgroup: scalar(first(row, &["cgroup_id", "cgroup.id"])),
        uid: narrow(row.get("uid")),
        comm: bytes(row.get("comm")),
        exe: bytes(row.get("exe")),
        cwd: bytes(row.get("cwd")),
    }
}

fn draft(row: &Json<'_>, kind: &str, table: &ClassTable) -> Result<Option<Draft>, RowError> {
    let plain = |body| Some(Draft::new(SourceName::NATIVE, Vantage::Ebpf, kind, body));
    Ok(match kind {
        "execve" | "exec" | "process_exec" => exec(row, kind),
        "process_exit" | "exit" => {
            let signal = narrow(row.get("signal")).filter(|&signal| signal > 0);
            let code = signed(row.get("exit_code")).and_then(|code| i32::try_from(code).ok());
            let outcome = match (signal, code) {
                (Some(signal), _) => Some(Outcome::Signaled { signal: signal as i32, core: false }),
                (None, Some(code)) => Some(Outcome::Exited(code)),
                (None, None) => return Err(RowError::incomplete(kind, "a numeric exit_code")),
            };
            plain(TelemetryBody::Exit(ExitSeen { outcome }))
        }
        "process_fork" | "fork" | "clone" => {
            plain(TelemetryBody::Spawn(SpawnSeen { child: narrow(row.get("child_pid")) }))
        }
        "process_observed" => {
            if narrow(row.get("pid")).is_none() {
                return Err(RowError::incomplete(kind, "a numeric pid"));
            }
            plain(TelemetryBody::Process(ProcessSeen { command: bytes(row.get("command")) }))
        }
        "network_connect" | "connect" | "metadata_ip" | "private_cidr" => Some(connect(row, kind, table)?),
        "file_open" | "open" | "openat" | "file_write" | "file_read" | "secret_path" => Some(opened(row, kind, table)?),
        "file_rename" | "rename" | "renameat" | "renameat2" => Some(file(row, kind, FileAction::Rename, table)?),
        "file_unlink" | "unlink" | "unlinkat" => Some(file(row, kind, FileAction::Unlink, table)?),
        "setuid" | "setgid" | "ptrace" => plain(TelemetryBody::Privilege(PrivilegeSeen {
            call: kind.to_owned(),
            uid: narrow(row.get("uid")).filter(|_| kind == "setuid"),
            gid: narrow(row.get("gid")).filter(|_| kind == "setgid"),
            target: narrow(row.get("target_pid")),
            request: scalar(row.get("request")),
        })),
        "dns_query" | "dns" | "getaddrinfo" => {
            let host = first(row, &["host", "query"]).and_then(Json::text);
            let host = host.ok_or_else(|| RowError::incomplete(kind, "host"))?;
            let host = host.trim_end_matches('.').to_ascii_lowercase();
            let class = table.host(&host).1;
            let mut draft = Draft::new(SourceName::NATIVE, Vantage::Ebpf, kind, TelemetryBody::Dns(DnsSeen { host }));
            draft.event.class = class;
            Some(draft)
        }
        "resource_pressure" => plain(TelemetryBody::Pressure(PressureSeen {
            resource: text(row.get("resource")).or_else(|| Some("sensor_ringbuf".to_owned())),
            signal: text(row.get("signal")).or_else(|| Some("event_drop".to_owned())),
            dropped: wide(row.get("dropped")),
            dropped_delta: wide(row.get("dropped_delta")),
        })),
        "abnormal_process_tree" => {
            plain(TelemetryBody::Tree(TreeSeen { command: bytes(row.get("command")), reason: text(row.get("reason")) }))
        }
        "policy_verdict" => {
            let word = scalar(first(row, &["verdict", "decision"]));
            let verdict = word.ok_or_else(|| RowError::incomplete(kind, "decision or verdict"))?;
            plain(TelemetryBody::Verdict(VerdictSeen { verdict, reason: text(row.get("reason")) }))
        }
        "tls_read" => plain(TelemetryBody::Tls(tls(row, TlsDirection::Read))),
        "tls_write" => plain(TelemetryBody::Tls(tls(row, TlsDirection::Write))),
        _ => None,
    })
}

fn exec(row: &Json<'_>, kind: &str) -> Option<Draft> {
    let argv: Vec<OsBytes> = row
        .get("argv")
        .map(Json::items)
        .unwrap_or_default()
        .iter()
        .filter_map(|item| match item {
            Json::Text(text) => Some(OsBytes::from(text.as_ref())),
            _ => None,
        })
        .collect();
    let joined = row.get("command").and_then(Json::text);
    let mut flags = Vec::new();
    let argv = match (argv.is_empty(), joined) {
        (false, _) => argv,
        (true, Some(joined)) => {
            flags.push(TelemetryFlag::ArgvSplit);
            split_command(joined)
        }
        (true, None) => first(row, &["path", "comm"]).and_then(Json::text).map(OsBytes::from).into_iter().collect(),
    };
    if argv.is_empty() {
        flags.push(TelemetryFlag::Incomplete);
    }
    let body = ExecSeen {
        path: bytes(first(row, &["path", "exe"])),
        argv,
        argv_raw: joined.map(OsBytes::from),
        cwd: bytes(row.get("cwd")),
    };
    let mut draft = Draft::new(SourceName::NATIVE, Vantage::Ebpf, kind, TelemetryBody::Exec(body));
    draft.event.flags = flags;
    Some(draft)
}

fn connect(row: &Json<'_>, kind: &str, table: &ClassTable) -> Result<Draft, RowError> {
    let place = first(row, &["dst_ip", "dst", "host"]).and_then(Json::text);
    let mut other = Destination::parse(place.ok_or_else(|| RowError::incomplete(kind, "dst, dst_ip or host"))?);
    other.port = port(first(row, &["dst_port", "port"])).or(other.port);
    if other.host.is_none() {
        other.host = text(row.get("host")).filter(|host| Destination::parse(host).ip.is_none());
    }
    Ok(Draft::network(SourceName::NATIVE, Vantage::Ebpf, kind, NetworkAction::Connect, other, table))
}

fn opened(row: &Json<'_>, kind: &str, table: &ClassTable) -> Result<Draft, RowError> {
    let mode = row.get("mode").and_then(Json::text).map(lower);
    let action = match (mode.as_deref(), kind) {
        (Some("read"), _) | (None, "file_read" | "secret_path") => FileAction::Open,
        _ => FileAction::Write,
    };
    let mut draft = file(row, kind, action, table)?;
    if let (FileAction::Open, TelemetryBody::File(file)) = (action, &mut draft.event.body) {
        file.access = Some(Access::Read);
    }
    Ok(draft)
}

fn file(row: &Json<'_>, kind: &str, action: FileAction, table: &ClassTable) -> Result<Draft, RowError> {
    let cwd = bytes(row.get("cwd"));
    let path = first(row, &["path", "file"]).and_then(Json::text);
    let path = path.ok_or_else(|| RowError::incomplete(kind, "path or file"))?;
    let object = FileObject::new(action, path.as_bytes(), cwd.as_ref())
        .second(row.get("new_path").and_then(Json::text), cwd.as_ref());
    Ok(Draft::file(SourceName::NATIVE, Vantage::Ebpf, kind, object, table))
}

/// Only the hash of captured text is kept, and of HTTP no query strings.
fn tls(row: &Json<'_>, direction: TlsDirection) -> TlsSeen {
    let http = row.get("http");
    let member = |key: &str| http.and_then(|http| http.get(key));
    let hashed = row
        .get("data")
        .and_then(Json::text)
        .map(|data| data_encoding::HEXLOWER.encode(&Sha256::digest(data.as_bytes())));
    TlsSeen {
        direction,
        preview_sha256: text(row.get("preview_sha256")).or(hashed),
        length: wide(first(row, &["length", "len"])),
        host: text(member("host")),
        method: text(member("method")),
        path: text(member("path")).map(|path| path.split('?').next().unwrap_or_default().to_owned()),
        status: port(member("status")),
    }
}
