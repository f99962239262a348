//! Who makes a held call, and with which rights.

use crate::ptrace::paths;
use crate::sys::credentials::Rights;
use std::io;

/// What `/proc/<tid>/status` says of a caller.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) tid: i32,
    pub(super) tgid: i32,
    /// Its process number in the innermost pid namespace.
    pub(super) inner_pid: i32,
    pub(super) umask: u32,
    pub(super) rights: Rights,
    /// Its capabilities count in another user namespace than ours.
    pub(super) other_users: bool,
}

/// The recorder's own rights.
#[derive(Debug)]
pub(super) struct Ourselves {
    pub(super) pid: i32,
    pub(super) rights: Rights,
    users: Option<Vec<u8>>,
}

impl Ourselves {
    pub(super) fn look() -> io::Result<Self> {
        let pid = std::process::id().cast_signed();
        let own = status(pid)?;
        Ok(Self { pid, rights: own.rights, users: paths::link(pid, "ns/user") })
    }

    /// Whose call it is.
    pub(super) fn caller(&self, tid: i32) -> io::Result<Caller> {
        let caller = status(tid)?;
        // Only where rights differ can the namespace matter.
        let other_users = caller.rights != self.rights && paths::link(tid, "ns/user") != self.users;
        Ok(Caller { other_users, ..caller })
    }

    /// The rights with which to open for the caller; `None` where we have no way to take them.
    pub(super) fn rights_for(&self, caller: &Caller) -> Option<Rights> {
        if !caller.other_users {
            return Some(caller.rights.clone());
        }
        let same_ids = caller.rights.user == self.rights.user
            && caller.rights.group == self.rights.group
            && caller.rights.groups == self.rights.groups;
        // Capabilities of another namespace are none here. Where we have none ourselves, both see the same files.
        (same_ids && self.rights.capabilities == 0).then(|| self.rights.clone())
    }
}

fn status(tid: i32) -> io::Result<Caller> {
    let text = std::fs::read_to_string(format!("/proc/{tid}/status"))?;
    parse(tid, &text).ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))
}

fn parse(tid: i32, text: &str) -> Option<Caller> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    // Real, effective, saved, for files.
    let for_files = |name: &str| field(name)?.split_whitespace().nth(3)?.parse::<u32>().ok();
    let groups = field("Groups:")?.split_whitespace().map(|group| group.parse::<u32>().ok()).collect::<Option<_>>()?;
    let rights = Rights {
        user: for_files("Uid:")?,
        group: for_files("Gid:")?,
        groups,
        capabilities: u64::from_str_radix(field("CapEff:")?, 16).ok()?,
    };
    Some(Caller {
        tid,
        tgid: field("Tgid:")?.parse().ok()?,
        inner_pid: inner_group(text)?,
        umask: u32::from_str_radix(field("Umask:")?, 8).ok()?,
        rights,
        other_users: false,
    })
}

/// The last number of `NStgid`.
fn inner_group(text: &str) -> Option<i32> {
    let line = text.lines().find_map(|line| line.strip_prefix("NStgid:"))?;
    line.split_whitespace().next_back()?.parse().ok()
}

/// The process of a thread.
pub(super) fn group_of(tid: i32) -> io::Result<i32> {
    let status = std::fs::read_to_string(format!("/proc/{tid}/status"))?;
    let tgid = status.lines().find_map(|line| line.strip_prefix("Tgid:")).and_then(|text| text.trim().parse().ok());
    tgid.ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_read_from_a_status() {
        let text = "Name:\tx\nUmask:\t0027\nTgid:\t7\nPid:\t9\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t10 20 \n\
                    NStgid:\t7\t2\nCapEff:\t000000000000000a\n";
        let caller = parse(9, text).expect("a status");
        assert_eq!((caller.tid, caller.tgid, caller.inner_pid, caller.umask), (9, 7, 2, 0o27));
        assert_eq!(caller.rights, Rights { user: 4, group: 8, groups: vec![10, 20], capabilities: 10 });
        assert!(parse(9, "Name:\tx\n").is_none());
    }

    #[test]
    fn rights_of_another_namespace_are_not_taken() {
        let mut ourselves = Ourselves::look().expect("we are here");
        let mut caller = ourselves.caller(ourselves.pid).expect("we are here");
        assert_eq!(ourselves.rights_for(&caller).as_ref(), Some(&ourselves.rights));
        caller.other_users = true;
        ourselves.rights.capabilities = 1;
        assert_eq!(ourselves.rights_for(&caller), None);
        ourselves.rights.capabilities = 0;
        assert_eq!(ourselves.rights_for(&caller), Some(ourselves.rights.clone()));
    }
}
