//! Who a process is: host boot, pid, start time.

use agentprov_model::{BootId, ProcessKey};
use std::io;
use std::sync::OnceLock;

/// What `/proc/<pid>/stat` says, as far as we use it (proc_pid_stat(5)).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StatLine {
    pub(crate) state: u8,
    pub(crate) ppid: i32,
    /// In 10 ms ticks since boot.
    pub(crate) start_ticks: u64,
}

/// Boot id of this host: `/proc/sys/kernel/random/boot_id`.
///
/// # Errors
/// When `/proc` can't be read.
pub fn boot_id() -> io::Result<BootId> {
    static BOOT: OnceLock<BootId> = OnceLock::new();
    if let Some(known) = BOOT.get() {
        return Ok(known.clone());
    }
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    Ok(BOOT.get_or_init(|| BootId(text.trim().to_owned())).clone())
}

/// The key of a process that is alive or not yet reaped. A pid beyond `i32` is no process.
///
/// # Errors
/// When there is no such process, or `/proc` can't be read.
pub fn process_key(pid: u32) -> io::Result<ProcessKey> {
    let number = i32::try_from(pid).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?;
    Ok(ProcessKey { boot: boot_id()?, pid, start_ticks: stat_line(number)?.start_ticks })
}

/// Parent and start of a process, as `/proc/<pid>/stat` has them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProcessStat {
    /// Pid of the parent; 0 where there is none in this pid namespace.
    pub ppid: u32,
    /// Start in 10 ms ticks since boot.
    pub start_ticks: u64,
}

/// Looks at a process that is alive or not yet reaped.
///
/// # Errors
/// When there is no such process, or `/proc` can't be read.
pub fn process_stat(pid: u32) -> io::Result<ProcessStat> {
    let number = i32::try_from(pid).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?;
    let line = stat_line(number)?;
    Ok(ProcessStat { ppid: u32::try_from(line.ppid).unwrap_or(0), start_ticks: line.start_ticks })
}

/// True where exactly that process is alive: same boot, same start, and not a zombie.
pub fn is_alive(key: &ProcessKey) -> bool {
    let same_boot = boot_id().is_ok_and(|boot| boot == key.boot);
    same_boot
        && i32::try_from(key.pid)
            .ok()
            .and_then(|pid| stat_line(pid).ok())
            .is_some_and(|line| line.start_ticks == key.start_ticks && line.state != b'Z' && line.state != b'X')
}

/// Reads `/proc/<pid>/stat`.
pub(crate) fn stat_line(pid: i32) -> io::Result<StatLine> {
    use std::io::Read;
    let mut buffer = [0u8; 1024];
    let mut file = std::fs::File::open(format!("/proc/{pid}/stat"))?;
    let length = file.read(&mut buffer)?;
    parse(&buffer[..length]).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// The name of the program may hold spaces and parentheses: fields count from the last `)`.
fn parse(line: &[u8]) -> Option<StatLine> {
    let after = line.iter().rposition(|byte| *byte == b')')? + 2;
    let mut fields = line.get(after..)?.split(|byte| *byte == b' ');
    let number = |field: Option<&[u8]>| std::str::from_utf8(field?).ok()?.trim().parse::<u64>().ok();
    let state = *fields.next()?.first()?;
    let ppid = i32::try_from(number(fields.next())?).ok()?;
    // ppid is field 4, the start time 22.
    let start_ticks = number(fields.nth(17))?;
    Some(StatLine { state, ppid, start_ticks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_program_names_do_not_shift_fields() {
        let line = b"42 (a) b) (c) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 17 1 0";
        let parsed = parse(line).expect("a stat line");
        assert_eq!((parsed.state, parsed.ppid, parsed.start_ticks), (b'S', 7, 987_654));
    }

    #[test]
    fn we_are_alive_and_our_successor_is_not_us() {
        let mut key = process_key(std::process::id()).expect("our own key");
        assert!(is_alive(&key));
        key.start_ticks += 1;
        assert!(!is_alive(&key));
    }
}
