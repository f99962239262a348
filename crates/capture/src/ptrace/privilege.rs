//! Attempts at privilege: how their arguments are shown.

use super::syscalls::{Kind, Privileged};
use crate::sys::memory;
use agentprov_model::OsBytes;

/// Names and values of the arguments, read at the entry.
pub(crate) fn arguments(tid: i32, which: &Privileged, args: &[u64; 6]) -> Vec<(String, OsBytes)> {
    which
        .args
        .iter()
        .zip(args)
        .map(|((name, kind), raw)| {
            let value = match kind {
                Kind::Int => OsBytes::from((*raw as u32).cast_signed().to_string()),
                Kind::Flags if which.name == "unshare" || which.name == "setns" => OsBytes::from(namespaces(*raw)),
                Kind::Flags => OsBytes::from(format!("{raw:#x}")),
                Kind::Text if *raw == 0 => OsBytes::from("NULL"),
                Kind::Text => memory::read_string(tid, *raw).map_or_else(|_| OsBytes::from("?"), OsBytes::from),
            };
            ((*name).to_owned(), value)
        })
        .collect()
}

/// Flags of unshare(2) and setns(2) by name, the rest in hexadecimal.
fn namespaces(raw: u64) -> String {
    const NAMES: [(i32, &str); 8] = [
        (libc::CLONE_NEWNS, "CLONE_NEWNS"),
        (libc::CLONE_NEWUSER, "CLONE_NEWUSER"),
        (libc::CLONE_NEWPID, "CLONE_NEWPID"),
        (libc::CLONE_NEWNET, "CLONE_NEWNET"),
        (libc::CLONE_NEWIPC, "CLONE_NEWIPC"),
        (libc::CLONE_NEWUTS, "CLONE_NEWUTS"),
        (libc::CLONE_NEWCGROUP, "CLONE_NEWCGROUP"),
        (libc::CLONE_FS, "CLONE_FS"),
    ];
    let mut rest = raw as u32;
    let mut parts = Vec::new();
    for (bit, name) in NAMES {
        if rest & bit.cast_unsigned() != 0 {
            rest &= !bit.cast_unsigned();
            parts.push(name.to_owned());
        }
    }
    if rest != 0 || parts.is_empty() {
        parts.push(format!("{rest:#x}"));
    }
    parts.join("|")
}

/// After success the caller's root or mounts may differ from ours.
pub(crate) fn moves_root(which: &Privileged) -> bool {
    matches!(which.name, "chroot" | "pivot_root" | "unshare" | "setns")
}
