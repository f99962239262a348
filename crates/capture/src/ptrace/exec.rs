//! exec: the arguments of the new image, and of calls that failed.

use super::paths;
use super::process::Caller;
use crate::sys::{fd, memory};
use agentprov_model::declared::TraceParent;
use agentprov_model::process::ArgvCut;
use agentprov_model::{ContentId, OsBytes};
use sha2::{Digest, Sha256};
use std::ffi::CString;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;

/// Bytes of an argument list that are kept whole.
const ARGV_BYTES: usize = 64 * 1024;
/// Bytes that the first read of an argument list asks for.
const SHORT_ARGV: usize = 4 * 1024;
/// Bytes of an environment that are looked through.
const ENVIRONMENT_BYTES: usize = 16 * 1024;
/// Arguments that are read from the memory of a caller whose exec failed.
const FAILED_ARGV: usize = 1024;

/// The argument list of the image that a process runs now (`/proc/<pid>/cmdline`).
pub(crate) fn argv_of(pid: i32) -> (Vec<OsBytes>, Option<ArgvCut>) {
    let raw = command_line(pid).unwrap_or_default();
    let whole = raw.strip_suffix(b"\0").unwrap_or(&raw);
    if raw.is_empty() {
        return (Vec::new(), None);
    }
    if raw.len() <= ARGV_BYTES {
        return (whole.split(|byte| *byte == 0).map(OsBytes::from).collect(), None);
    }
    let mut kept = Vec::new();
    let mut bytes = 0;
    for argument in whole.split(|byte| *byte == 0) {
        bytes += argument.len() + 1;
        if bytes > ARGV_BYTES {
            break;
        }
        kept.push(OsBytes::from(argument));
    }
    let cut = ArgvCut {
        arguments: whole.split(|byte| *byte == 0).count() as u64,
        bytes: raw.len() as u64,
        sha256: ContentId::from_bytes(Sha256::digest(&raw).into()),
    };
    (kept, Some(cut))
}

/// `/proc/<pid>/cmdline`; a short one, as nearly all are, with a single read.
fn command_line(pid: i32) -> io::Result<Vec<u8>> {
    let path = paths::proc_path(format_args!("/proc/{pid}/cmdline"));
    let mut file = std::fs::File::from(fd::open(&path, libc::O_RDONLY)?);
    let mut raw = vec![0; SHORT_ARGV];
    let length = file.read(&mut raw)?;
    raw.truncate(length);
    if length == SHORT_ARGV {
        file.read_to_end(&mut raw)?;
    }
    Ok(raw)
}

/// The trace context in the environment that the image of a process started with. One read, no more: a variable behind
/// the first 16 KiB is not found, and of the rest of the environment nothing is looked at.
pub(crate) fn trace_of(pid: i32) -> Option<TraceParent> {
    let mut environment = [0u8; ENVIRONMENT_BYTES];
    let file = std::fs::File::open(format!("/proc/{pid}/environ")).ok()?;
    let length = file.read_at(&mut environment, 0).ok()?;
    trace_in(&environment[..length])
}

/// A value that the end of what was read cuts off is none.
fn trace_in(environment: &[u8]) -> Option<TraceParent> {
    let ended = environment.split_inclusive(|byte| *byte == 0).filter_map(|entry| entry.strip_suffix(b"\0"));
    let value = ended.filter_map(|entry| entry.strip_prefix(b"TRACEPARENT=")).next()?;
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// The argument list at an address of the caller, as far as it can be read.
pub(crate) fn argv_at(tid: i32, mut address: u64, narrow: bool) -> Vec<OsBytes> {
    let mut argv = Vec::new();
    let mut bytes = 0;
    while argv.len() < FAILED_ARGV && bytes < ARGV_BYTES {
        let width = if narrow { 4 } else { 8 };
        let mut word = [0u8; 8];
        if memory::read_exact(tid, address, &mut word[..width]).is_err() {
            break;
        }
        let pointer = u64::from_le_bytes(word);
        if pointer == 0 {
            break;
        }
        let Ok(text) = memory::read_string(tid, pointer) else { break };
        bytes += text.len() + 1;
        argv.push(OsBytes::from(text));
        address += width as u64;
    }
    argv
}

/// True where the image that a process runs asked for privilege and did not get it.
pub(crate) fn lost_privilege(caller: &Caller) -> bool {
    let Ok(exe) = CString::new(format!("/proc/{}/exe", caller.tgid)) else { return false };
    let Ok(stat) = fd::stat(&exe, true) else { return false };
    let setuid = stat.mode & libc::S_ISUID != 0;
    let setgid = stat.mode & (libc::S_ISGID | libc::S_IXGRP) == libc::S_ISGID | libc::S_IXGRP;
    let capable = fd::has_xattr(&exe, c"security.capability");
    if !setuid && !setgid && !capable {
        return false;
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", caller.tgid)).unwrap_or_default();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
    // Real, effective, saved, file system.
    let effective = |name: &str| field(name).and_then(|ids| ids.split_whitespace().nth(1)?.parse::<u32>().ok());
    let no_capability = field("CapEff:").is_some_and(|caps| caps.trim().bytes().all(|byte| byte == b'0'));
    setuid && effective("Uid:") != Some(stat.uid)
        || setgid && effective("Gid:") != Some(stat.gid)
        || capable && !setuid && no_capability
}

/// Inodes that the descriptors of a process lead to.
pub(crate) fn open_inodes(pid: i32) -> Vec<fd::Inode> {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| CString::new(entry.path().as_os_str().as_bytes()).ok())
        .filter_map(|link| fd::stat(&link, true).ok())
        .map(|stat| stat.inode)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{trace_in, trace_of};
    use std::io::Read;

    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn trace_context_is_found_whole_or_not_at_all() {
        let found = |environment: String| trace_in(environment.as_bytes()).map(|trace| trace.as_str().to_owned());
        assert_eq!(found(format!("A=1\0TRACEPARENT={TRACE}\0B=2\0")).as_deref(), Some(TRACE));
        assert_eq!(found(format!("OTHER_TRACEPARENT={TRACE}\0A=TRACEPARENT={TRACE}\0")), None);
        assert_eq!(found("TRACEPARENT=nonsense\0".to_owned()), None);
        assert_eq!(found(format!("A=1\0TRACEPARENT={TRACE}")), None, "cut off: more of it may follow");
        assert_eq!(found(String::new()), None);
    }

    #[test]
    fn a_process_shows_what_it_started_with() {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "echo; read -r line"]).env("TRACEPARENT", TRACE);
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        // When it writes, its exec is certainly over: spawning may return before the new environment is in place.
        let mut written = [0];
        child.stdout.as_mut().expect("piped").read_exact(&mut written).expect("it writes");
        let found = trace_of(i32::try_from(child.id()).expect("a pid"));
        child.kill().and_then(|()| child.wait()).expect("it ends");
        assert_eq!(found.as_ref().map(|trace| trace.as_str()), Some(TRACE));
    }
}
