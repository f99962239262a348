//! Calls that change names and attributes: rename, link, unlink, mkdir, chmod and their kin.

use super::call::{Before, Change};
use super::paths;
use super::process::Caller;
use super::syscalls::Call;
use super::tracer::Tracer;
use crate::sys::memory;
use crate::workspace::job::{Job, Pin};
use crate::workspace::policy::Place;
use agentprov_model::{CallResult, EventTime, FileChanged, FileOp, OsBytes, ProcessId, VersionCause, What};

const CWD: i32 = libc::AT_FDCWD;
/// `RENAME_EXCHANGE`, renameat2(2).
const RENAME_EXCHANGE: u64 = 2;
const AT_REMOVEDIR: u64 = libc::AT_REMOVEDIR as u64;
const AT_EMPTY_PATH: u64 = libc::AT_EMPTY_PATH as u64;
const AT_SYMLINK_FOLLOW: u64 = libc::AT_SYMLINK_FOLLOW as u64;

impl Tracer {
    pub(crate) fn change_entry(&mut self, caller: &Caller, call: Call, args: &[u64; 6]) -> Option<Change> {
        let [a, b, c, d, e, _] = *args;
        Some(match call {
            Call::Rename => self.rename(caller, (CWD, a), (CWD, b), 0),
            Call::Renameat => self.rename(caller, (a as i32, b), (c as i32, d), 0),
            Call::Renameat2 => self.rename(caller, (a as i32, b), (c as i32, d), e),
            Call::Link => self.link(caller, (CWD, a), (CWD, b), 0),
            Call::Linkat => self.link(caller, (a as i32, b), (c as i32, d), e),
            Call::Symlink => self.symlink(caller, a, (CWD, b)),
            Call::Symlinkat => self.symlink(caller, a, (b as i32, c)),
            Call::Unlink => self.unlink(caller, (CWD, a)),
            Call::Unlinkat if c & AT_REMOVEDIR == 0 => self.unlink(caller, (a as i32, b)),
            Call::Unlinkat => self.plain(FileOp::Rmdir, caller, (a as i32, b), None),
            Call::Rmdir => self.plain(FileOp::Rmdir, caller, (CWD, a), None),
            Call::Mkdir => self.plain(FileOp::Mkdir, caller, (CWD, a), Some(b)),
            Call::Mkdirat => self.plain(FileOp::Mkdir, caller, (a as i32, b), Some(c)),
            Call::Mknod => self.plain(FileOp::Mknod, caller, (CWD, a), Some(b)),
            Call::Mknodat => self.plain(FileOp::Mknod, caller, (a as i32, b), Some(c)),
            Call::Chmod => self.chmod(caller, Some((CWD, a)), 0, b),
            Call::Fchmod => self.chmod(caller, None, a as i32, b),
            Call::Fchmodat => self.chmod(caller, Some((a as i32, b)), 0, c),
            Call::Chown | Call::Lchown => self.plain(FileOp::Chown, caller, (CWD, a), None),
            Call::Fchownat => self.plain(FileOp::Chown, caller, (a as i32, b), None),
            Call::Fchown => {
                let path = paths::of_fd(caller.tid, i64::from(a as i32)).unwrap_or_default();
                change(FileOp::Chown, path)
            }
            Call::Truncate => self.truncate(caller, a),
            _ => return None,
        })
    }

    fn name_of(&self, caller: &Caller, (dirfd, address): (i32, u64)) -> (Vec<u8>, Vec<u8>) {
        let given = memory::read_string(caller.tid, address).unwrap_or_default();
        (paths::name(caller, dirfd, &given), given)
    }

    /// Versions are made for files of the workspace, and for others whose earlier state we know.
    fn concerns(&self, path: &[u8]) -> bool {
        let place = self.desk.layout.place(path);
        place.inside() || place != Place::Unversioned && self.desk.saw(path)
    }

    fn pin(&self, caller: &Caller, dirfd: i32, given: &[u8], readable: bool) -> Option<Pin> {
        paths::pin(&paths::reach(caller, dirfd, given), false, readable).ok()
    }

    fn rename(&mut self, caller: &Caller, old: (i32, u64), new: (i32, u64), flags: u64) -> Change {
        let (path, given) = self.name_of(caller, old);
        let (path2, given2) = self.name_of(caller, new);
        let exchange = flags & RENAME_EXCHANGE != 0;
        let versioned = self.concerns(&path) || self.concerns(&path2);
        let pin = self.pin(caller, old.0, &given, versioned);
        let pin2 = if versioned && (exchange || !self.desk.saw(&path2)) {
            self.pin(caller, new.0, &given2, true)
        } else {
            None
        };
        Change {
            path2: Some(path2),
            directory: pin.as_ref().is_some_and(|pin| pin.stat.is_dir()),
            pin,
            pin2,
            versioned,
            ..change(if exchange { FileOp::Exchange } else { FileOp::Rename }, path)
        }
    }

    fn link(&mut self, caller: &Caller, old: (i32, u64), new: (i32, u64), flags: u64) -> Change {
        let given = memory::read_string(caller.tid, old.1).unwrap_or_default();
        let follow = flags & AT_SYMLINK_FOLLOW != 0 || given.is_empty() && flags & AT_EMPTY_PATH != 0;
        let reach = paths::reach(caller, old.0, &given);
        let path = if follow {
            crate::sys::fd::open(&reach, libc::O_PATH)
                .ok()
                .and_then(|handle| paths::of_own(&handle))
                .unwrap_or_else(|| paths::name(caller, old.0, &given))
        } else {
            paths::name(caller, old.0, &given)
        };
        let (path2, _) = self.name_of(caller, new);
        let versioned = self.desk.layout.place(&path2) != Place::Unversioned;
        let pin = if versioned { paths::pin(&reach, follow, true).ok() } else { None };
        Change { path2: Some(path2), pin, versioned, ..change(FileOp::Link, path) }
    }

    fn symlink(&mut self, caller: &Caller, target: u64, new: (i32, u64)) -> Change {
        let target = memory::read_string(caller.tid, target).unwrap_or_default();
        let (path, _) = self.name_of(caller, new);
        let versioned = self.concerns(&path);
        Change { path2: Some(target), versioned, ..change(FileOp::Symlink, path) }
    }

    fn unlink(&mut self, caller: &Caller, at: (i32, u64)) -> Change {
        let (path, given) = self.name_of(caller, at);
        let versioned = self.concerns(&path);
        let pin = if versioned && !self.desk.saw(&path) { self.pin(caller, at.0, &given, true) } else { None };
        Change { pin, versioned, ..change(FileOp::Unlink, path) }
    }

    fn plain(&mut self, op: FileOp, caller: &Caller, at: (i32, u64), mode: Option<u64>) -> Change {
        let (path, _) = self.name_of(caller, at);
        let directory = matches!(op, FileOp::Mkdir | FileOp::Rmdir);
        Change { mode: mode.map(|mode| mode as u32 & 0o7777), directory, ..change(op, path) }
    }

    fn chmod(&mut self, caller: &Caller, at: Option<(i32, u64)>, number: i32, mode: u64) -> Change {
        let (path, reach) = match at {
            Some((dirfd, address)) => {
                let given = memory::read_string(caller.tid, address).unwrap_or_default();
                let reach = paths::reach(caller, dirfd, &given);
                // chmod follows a last symbolic link: the fact names the file that changes.
                let path = crate::sys::fd::open(&reach, libc::O_PATH)
                    .ok()
                    .and_then(|handle| paths::of_own(&handle))
                    .unwrap_or_else(|| paths::join(caller, dirfd, &given));
                (path, reach)
            }
            None => {
                let link = paths::fd_link(caller.tid, i64::from(number));
                (crate::sys::fd::readlink(&link).unwrap_or_default(), link)
            }
        };
        let versioned = self.concerns(&path);
        let pin = if versioned { paths::pin(&reach, true, !self.desk.saw(&path)).ok() } else { None };
        let directory = pin.as_ref().is_some_and(|pin| pin.stat.is_dir());
        Change { mode: Some(mode as u32 & 0o7777), pin, directory, versioned, ..change(FileOp::Chmod, path) }
    }

    fn truncate(&mut self, caller: &Caller, address: u64) -> Change {
        let given = memory::read_string(caller.tid, address).unwrap_or_default();
        let before = self.before(caller, CWD, &given, true);
        let path = match &before {
            Before::File { path, .. } => path.clone(),
            _ => paths::join(caller, CWD, &given),
        };
        let versioned = matches!(before, Before::File { .. });
        Change { before: Some(before), versioned, ..change(FileOp::Truncate, path) }
    }

    pub(crate) fn change_exit(&mut self, caller: &Caller, change: Change, result: CallResult) {
        let at = self.out.now();
        let fact = FileChanged {
            op: change.op,
            path: OsBytes::from(change.path.as_slice()),
            path2: change.path2.as_deref().map(OsBytes::from),
            mode: change.mode,
            directory: change.directory,
            result,
        };
        if result.succeeded() && change.versioned {
            self.follow_up(change, caller.id, at);
        }
        self.out.say_of(at, Some(caller.id), caller.thread(), What::FileChanged(fact));
    }

    fn follow_up(&mut self, change: Change, by: ProcessId, at: EventTime) {
        let Change { op, path, path2, mode, pin, pin2, before, .. } = change;
        let second = path2.unwrap_or_default();
        for name in [&path, &second] {
            if !name.is_empty() && op != FileOp::Symlink {
                self.desk.see(name);
            }
        }
        if matches!(op, FileOp::Rename | FileOp::Exchange | FileOp::Link) {
            pin.iter()
                .chain(&pin2)
                .filter(|pin| pin.stat.is_file())
                .for_each(|pin| self.desk.note_move(pin.stat.inode));
        }
        let job = match op {
            FileOp::Rename => Job::Renamed { old: path, new: second, source: pin, target: pin2, by, at },
            FileOp::Exchange => Job::Exchanged { a: path, b: second, pin_a: pin, pin_b: pin2, by, at },
            FileOp::Link => Job::Linked { old: path, new: second, source: pin, by, at },
            FileOp::Symlink => {
                self.desk.see(&path);
                Job::Symlinked { path, target: second, by, at }
            }
            FileOp::Unlink => Job::Unlinked { path, was: pin, by, at },
            FileOp::Chmod => match pin {
                Some(was) => Job::Mode { path, was, mode: mode.unwrap_or(0), by, at },
                None => return,
            },
            FileOp::Truncate => {
                if let Some(Before::File { path, image: Some(image), .. }) = before {
                    self.desk.send(Job::Before { path, image });
                }
                self.desk.send(Job::Now { path, by, at, cause: VersionCause::Truncated });
                // The next write must not be mixed into this version.
                self.desk.barrier();
                return;
            }
            _ => return,
        };
        self.desk.send(job);
    }
}

const fn change(op: FileOp, path: Vec<u8>) -> Change {
    Change {
        op,
        path,
        path2: None,
        mode: None,
        directory: false,
        pin: None,
        pin2: None,
        before: None,
        versioned: false,
    }
}
