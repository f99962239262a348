//! From the records of an event to the event.

use super::super::calls::{Deed, system_call};
use super::super::draft::{Draft, FileObject, Received, RowError};
use super::super::words::returned;
use super::record::{Record, Serial, decode};
use super::syscalls;
use agentprov_model::special::Destination;
use agentprov_model::telemetry::{
    ExecSeen, ExitSeen, FileAction, MapSeen, NetworkAction, PrivilegeSeen, SpawnSeen, TelemetryBody, TelemetryFlag,
};
use agentprov_model::{Access, ClassTable, OsBytes, Outcome, RuntimeIdentity, SourceName, Vantage};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const SOURCE: SourceName = SourceName::AUDITD;
/// Arguments that one event may have.
const MAX_ARGUMENTS: usize = 8192;

pub(super) fn assemble(serial: &Serial, records: &[Record], table: &ClassTable) -> Result<Received, RowError> {
    let of_kind = |kind: &str| records.iter().find(|record| record.kind == kind);
    let Some(call) = of_kind("SYSCALL").or_else(|| of_kind("URINGOP")) else {
        let kinds: Vec<&str> = records.iter().map(|record| record.kind.as_str()).collect();
        return Ok(Received::Skipped(format!("no system call in {} records", kinds.join(", "))));
    };
    let uring = call.kind == "URINGOP";
    let Some(name) = call_name(call, uring) else {
        return Ok(Received::Skipped("a system call that is not mapped".to_owned()));
    };
    let Some(deed) = system_call(&name) else {
        return Ok(Received::Skipped(format!("system call '{name}' is not mapped")));
    };
    let parts = Parts { call, records, cwd: of_kind("CWD").and_then(|cwd| cwd.bytes("cwd")) };
    let mut draft = parts.draft(&name, deed, table)?.at(serial.time());
    draft.event.native_id = Some(serial.stamp.clone());
    draft.event.host.clone_from(&serial.node);
    draft.event.identity = parts.identity();
    if let Some(value) = call.decimal("exit") {
        draft.event.result = returned(value);
    }
    Ok(Received::Event(draft))
}

/// The interpreted name where the log is enriched, else by number.
fn call_name(call: &Record, uring: bool) -> Option<String> {
    if uring {
        return Some("io_uring_enter".to_owned());
    }
    if let Some(name) = call.raw("SYSCALL").filter(|name| !name.starts_with("unknown")) {
        return Some(name.to_owned());
    }
    match call.decimal("syscall") {
        Some(number) => syscalls::name(call.hex("arch"), number).map(str::to_owned),
        None => call.raw("syscall").map(str::to_owned),
    }
}

struct Parts<'r> {
    call: &'r Record,
    records: &'r [Record],
    cwd: Option<OsBytes>,
}

impl Parts<'_> {
    fn identity(&self) -> RuntimeIdentity {
        let number = |key| self.call.decimal(key).and_then(|value| u32::try_from(value).ok());
        RuntimeIdentity {
            pid: number("pid"),
            ppid: number("ppid"),
            uid: number("uid"),
            comm: self.call.bytes("comm"),
            exe: self.call.bytes("exe"),
            cwd: self.cwd.clone(),
            ..RuntimeIdentity::default()
        }
    }

    fn draft(&self, name: &str, deed: Deed, table: &ClassTable) -> Result<Draft, RowError> {
        let plain = |body| Draft::new(SOURCE, Vantage::Auditd, name, body);
        let argument = |key| self.call.hex(key).and_then(|value| u32::try_from(value).ok());
        Ok(match deed {
            Deed::Exec => self.exec(name),
            Deed::Exit => {
                let status = argument("a0").map(|status| Outcome::Exited((status & 0xff) as i32));
                plain(TelemetryBody::Exit(ExitSeen { outcome: status }))
            }
            Deed::Spawn => {
                let child = self.call.decimal("exit").filter(|&pid| pid > 0).and_then(|pid| u32::try_from(pid).ok());
                plain(TelemetryBody::Spawn(SpawnSeen { child }))
            }
            Deed::File(action) => self.file(name, action, table)?,
            Deed::Network(action) => self.network(name, action, table)?,
            Deed::Privilege => plain(TelemetryBody::Privilege(PrivilegeSeen {
                call: name.to_owned(),
                uid: argument("a0").filter(|_| name.ends_with("uid")),
                gid: argument("a0").filter(|_| name.ends_with("gid")),
                target: argument("a1").filter(|_| name == "ptrace"),
                request: argument("a0").filter(|_| name == "ptrace").map(|request| request.to_string()),
            })),
            Deed::IoUring => plain(TelemetryBody::Map(MapSeen { io_uring: true, path: None })),
            Deed::ExecMap => plain(TelemetryBody::Map(MapSeen::default())),
        })
    }

    fn exec(&self, name: &str) -> Draft {
        let path = self.paths().next().and_then(|path| path.bytes("name")).or_else(|| self.call.bytes("exe"));
        let (argv, cut) = self.argv();
        let incomplete = argv.is_empty();
        let body = ExecSeen { path, argv, argv_raw: None, cwd: self.cwd.clone() };
        let mut draft = Draft::new(SOURCE, Vantage::Auditd, name, TelemetryBody::Exec(body));
        if cut {
            draft.flag(TelemetryFlag::ArgvTruncated);
        }
        if incomplete {
            draft.flag(TelemetryFlag::Incomplete);
        }
        draft
    }

    /// Arguments over all EXECVE records; true where some are missing.
    fn argv(&self) -> (Vec<OsBytes>, bool) {
        let execs = || self.records.iter().filter(|record| record.kind == "EXECVE");
        let declared = execs().find_map(|exec| exec.decimal("argc")).and_then(|count| usize::try_from(count).ok());
        let declared = declared.unwrap_or(0);
        let values: HashMap<&str, &str> = execs().flat_map(Record::fields).collect();
        let argument = |index: usize| {
            let whole = values.get(format!("a{index}").as_str()).and_then(|value| decode(value));
            whole.or_else(|| pieces(&values, index))
        };
        let argv: Vec<OsBytes> = (0..declared.min(MAX_ARGUMENTS)).map_while(argument).collect();
        let cut = argv.len() < declared;
        (argv, cut)
    }

    fn paths(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| record.kind == "PATH")
    }

    fn path_of(&self, kinds: &[&str]) -> Option<OsBytes> {
        self.paths().find(|path| path.raw("nametype").is_some_and(|kind| kinds.contains(&kind)))?.bytes("name")
    }

    fn file(&self, name: &str, action: FileAction, table: &ClassTable) -> Result<Draft, RowError> {
        let created = self.path_of(&["CREATE"]);
        let action = match action {
            FileAction::Open if created.is_some() => FileAction::Create,
            action => action,
        };
        let first = match action {
            FileAction::Rename | FileAction::Unlink => self.path_of(&["DELETE"]),
            FileAction::Create | FileAction::Meta => created.clone(),
            _ => None,
        };
        let path = first.or_else(|| self.path_of(&["NORMAL", "UNKNOWN", "DELETE", "CREATE"]));
        let path = path.ok_or_else(|| RowError::incomplete(name, "a PATH record with a name"))?;
        let mut object = FileObject::new(action, path.as_bytes(), self.cwd.as_ref());
        if matches!(action, FileAction::Rename | FileAction::Link) {
            let second = created.as_ref().and_then(OsBytes::as_str);
            object = object.second(second, self.cwd.as_ref());
        }
        if action == FileAction::Open {
            let flags = self.call.hex(if name == "open" { "a1" } else { "a2" });
            let access = match flags.map(|flags| flags & 3) {
                Some(1) => Access::Write,
                Some(2) => Access::ReadWrite,
                _ => Access::Read,
            };
            object = object.opened(access, flags.map(|flags| format!("{flags:#x}")));
        }
        Ok(Draft::file(SOURCE, Vantage::Auditd, name, object, table))
    }

    fn network(&self, name: &str, action: NetworkAction, table: &ClassTable) -> Result<Draft, RowError> {
        let address = self.records.iter().find(|record| record.kind == "SOCKADDR");
        let address = address.and_then(|record| record.raw("saddr")).and_then(socket_address);
        let address = address.ok_or_else(|| RowError::incomplete(name, "a SOCKADDR record"))?;
        let unix = matches!(address, Address::Unix(_));
        let other = match address {
            Address::Ip(ip, port) => Destination { ip: Some(ip), host: None, port: Some(port) },
            Address::Unix(path) => Destination { ip: None, host: Some(path), port: None },
            Address::Other(family) => Destination { ip: None, host: Some(format!("family {family}")), port: None },
        };
        let mut draft = Draft::network(SOURCE, Vantage::Auditd, name, action, other, table);
        if let (true, TelemetryBody::Network(network)) = (unix, &mut draft.event.body) {
            network.protocol = Some("unix".to_owned());
            network.destination = agentprov_model::DestinationClass::Loopback;
        }
        Ok(draft)
    }
}

/// A long argument over several records: `a1[0]`, `a1[1]`, ...
fn pieces(values: &HashMap<&str, &str>, argument: usize) -> Option<OsBytes> {
    let piece = |number: usize| values.get(format!("a{argument}[{number}]").as_str()).and_then(|value| decode(value));
    let mut whole = piece(0)?.into_bytes();
    for next in (1..MAX_ARGUMENTS).map_while(piece) {
        whole.extend_from_slice(next.as_bytes());
    }
    Some(OsBytes::new(whole))
}

enum Address {
    Ip(IpAddr, u16),
    Unix(String),
    Other(u16),
}

/// The family in host order (little-endian), port and address in network order.
fn socket_address(hex: &str) -> Option<Address> {
    let bytes = data_encoding::HEXUPPER_PERMISSIVE.decode(hex.as_bytes()).ok()?;
    let family = u16::from_le_bytes([*bytes.first()?, *bytes.get(1)?]);
    let port = || Some(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]));
    Some(match family {
        1 => {
            let name = bytes.get(2..).unwrap_or_default();
            let end = name.iter().skip(1).position(|&byte| byte == 0).map_or(name.len(), |at| at + 1);
            let text = String::from_utf8_lossy(&name[..end.min(name.len())]).replace('\0', "@");
            Address::Unix(text)
        }
        2 => Address::Ip(IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes.get(4..8)?).ok()?)), port()?),
        10 => Address::Ip(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes.get(8..24)?).ok()?)), port()?),
        other => Address::Other(other),
    })
}
