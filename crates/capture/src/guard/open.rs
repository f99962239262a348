//! Opens.
//!
//! Where the caller has rights that we can't take (another user namespace, seen by a privileged recorder), an open that is
//! not denied is let go on, and the recording says that denying is best effort there.

use super::caller::Caller;
use super::walk::{self, Found, Start, There};
use super::{Guard, errno};
use crate::gate::Ruling;
use crate::identity;
use crate::ptrace::call::Before;
use crate::ptrace::errand::HeldOpen;
use crate::ptrace::files::{TMPFILE_BIT, access_of, has};
use crate::ptrace::paths;
use crate::sys::credentials;
use crate::sys::notify::{self, Held};
use crate::sys::{fd, memory};
use agentprov_model::{CallResult, ClaimClass, FileOpened, Gap, GapKind, OsBytes, ProcessId, What};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, PoisonError};

/// `struct open_how` as it was at first.
const HOW_SIZE: u64 = 24;
/// How often a name is looked at again that turned into a link meanwhile.
const TRIES: usize = 8;
/// Controlling terminal, `/dev/tty`.
const TTY: (u32, u32) = (5, 0);
/// Memory devices: `/dev/null` and its kin never wait.
const MEMORY: u32 = 1;

/// The arguments of an open, copied.
struct Asked {
    dirfd: i32,
    path: Vec<u8>,
    flags: i32,
    mode: u32,
}

/// One held open: who, what, and where its path leads from.
struct Call {
    held: Held,
    caller: Caller,
    process: Option<ProcessId>,
    asked: Asked,
    root: OwnedFd,
    base: OwnedFd,
}

/// How an open went on.
enum Made {
    /// It is open.
    File(OwnedFd),
    /// The name turned into something else: look again.
    Changed,
}

impl Guard {
    pub(super) fn on_open(self: &Arc<Self>, held: Held) {
        let call = match self.copy_open(held) {
            Ok(call) => call,
            Err(error) => return notify::answer(self.listener.as_raw_fd(), held.id, errno(&error)),
        };
        let Some(rights) = self.ourselves.rights_for(&call.caller) else { return self.let_go_on(&call) };
        let own = &self.ourselves.rights;
        let found = credentials::with_rights(own, &rights, || call.find(self.ourselves.pid));
        let found = match found {
            Some(Ok(found)) => found,
            Some(Err(error)) => {
                let (fact, _) = call.fact(None);
                return self.refuse(&call, fact, errno(&error));
            }
            None => return self.let_go_on(&call),
        };
        let (fact, path) = call.fact(Some(&found));
        if self.post.gate.open(call.process, &fact) == Ruling::Deny {
            return self.refuse(&call, fact, libc::EPERM);
        }
        let waits = found.there.as_ref().is_some_and(|there| may_wait(there, call.asked.flags));
        if waits {
            self.aside(held.id, move |guard| guard.open(&call, found, path))
        } else {
            self.open(&call, found, path)
        }
    }

    /// Opens, enters the file into the recording, and hands it over.
    fn open(&self, call: &Call, mut found: Found, mut path: Vec<u8>) {
        let flags = call.asked.flags;
        let changes = access_of(flags.cast_unsigned()).writes() || flags & (libc::O_CREAT | libc::O_TRUNC) != 0;
        let Some(rights) = self.ourselves.rights_for(&call.caller) else { return self.let_go_on(call) };
        for _ in 0..TRIES {
            let before = if changes { self.before(&found, flags) } else { Before::Nothing };
            let own = &self.ourselves.rights;
            let made = credentials::with_rights(own, &rights, || call.make(&found));
            match made {
                Some(Ok(Made::File(file))) => return self.hand_over(call, file, &found, (path, before, changes)),
                Some(Ok(Made::Changed)) => {}
                Some(Err(error)) => {
                    let (fact, _) = call.fact(Some(&found));
                    return self.refuse(call, fact, errno(&error));
                }
                None => return self.let_go_on(call),
            }
            let again = credentials::with_rights(own, &rights, || call.find(self.ourselves.pid));
            let fact;
            (found, (fact, path)) = match again {
                Some(Ok(found)) => {
                    let fact = call.fact(Some(&found));
                    (found, fact)
                }
                Some(Err(error)) => return self.refuse(call, call.fact(None).0, errno(&error)),
                None => return self.let_go_on(call),
            };
            // Another file is another question.
            if self.post.gate.open(call.process, &fact) == Ruling::Deny {
                return self.refuse(call, fact, libc::EPERM);
            }
        }
        self.refuse(call, call.fact(Some(&found)).0, libc::ELOOP);
    }

    fn before(&self, found: &Found, flags: i32) -> Before {
        if flags.cast_unsigned() & TMPFILE_BIT != 0 {
            return Before::Nameless;
        }
        match &found.there {
            None => Before::Missing,
            Some(There { handle, stat }) if stat.is_file() => {
                handle.try_clone().map_or(Before::Nothing, |handle| self.post.errands.before(handle))
            }
            Some(_) => Before::Nothing,
        }
    }

    /// The watch is set before the caller can write, and everything is said before it can end.
    fn hand_over(&self, call: &Call, file: OwnedFd, found: &Found, (path, before, changes): (Vec<u8>, Before, bool)) {
        let listener = self.listener.as_raw_fd();
        let flags = call.asked.flags;
        let regular = fd::fstat(file.as_raw_fd()).is_ok_and(|stat| stat.is_file());
        let path = paths::of_own(&file).unwrap_or(path);
        let mut at = None;
        self.say(|out| at = Some(out.now()));
        if let Some(at) = at.filter(|_| changes && regular)
            && let Ok(file) = file.try_clone()
        {
            let (tid, path, flags) = (call.caller.tid, path.clone(), flags.cast_unsigned());
            self.post.errands.opened(HeldOpen { tid, file, path, flags, before, at });
        }
        let given = notify::give_descriptor(listener, call.held.id, &file, (flags & libc::O_CLOEXEC).cast_unsigned());
        // Ours goes first, so that the caller's close is the last one.
        drop(file);
        let fact = FileOpened { path: OsBytes::from(path), ..call.fact(Some(found)).0 };
        match given {
            Ok(number) => {
                self.said(call, fact, CallResult::Ok(number.into()));
                notify::answer_with(listener, call.held.id, number);
            }
            Err(error) => self.refuse(call, fact, errno(&error)),
        }
    }

    fn refuse(&self, call: &Call, fact: FileOpened, errno: i32) {
        self.said(call, fact, CallResult::Errno(errno));
        notify::answer(self.listener.as_raw_fd(), call.held.id, errno);
    }

    /// What can't be opened by us is asked of the gate by its name alone.
    fn let_go_on(&self, call: &Call) {
        let (fact, _) = call.fact(None);
        if self.post.gate.open(call.process, &fact) == Ruling::Deny {
            return self.refuse(call, fact, libc::EPERM);
        }
        let first = call
            .process
            .is_none_or(|process| self.let_go.lock().unwrap_or_else(PoisonError::into_inner).insert(process));
        if first {
            let gap = Gap {
                kind: GapKind::BestEffort,
                classes: vec![ClaimClass::FileWrites, ClaimClass::FileReads, ClaimClass::Contents],
                detail: "best_effort: opens of a process with rights that the recorder can't take are judged by their \
                         name and then made by the kernel; their results and versions are not seen"
                    .to_owned(),
                way_out: Some("record as the user whose rights the process has".to_owned()),
                count: 1,
            };
            self.say(|out| out.gap(call.process, gap));
        }
        self.said(call, fact, CallResult::Unknown);
        notify::let_go(self.listener.as_raw_fd(), call.held.id);
    }

    fn said(&self, call: &Call, fact: FileOpened, result: CallResult) {
        let changes = fact.access.writes() || fact.create || fact.truncate;
        if !changes && !self.post.reads && result != CallResult::Errno(libc::EPERM) {
            return;
        }
        let tid = (call.caller.tid != call.caller.tgid).then_some(call.caller.tid.cast_unsigned());
        let fact = FileOpened { result, ..fact };
        self.say(|out| out.say_of(out.now(), call.process, tid, What::FileOpened(fact)));
    }

    fn copy_open(&self, held: Held) -> io::Result<Call> {
        let tid = held.tid;
        let caller = self.ourselves.caller(tid)?;
        let asked = arguments(&held)?;
        let path_only = libc::O_PATH | libc::O_DIRECTORY;
        let root = fd::open(&proc_name(tid, "root"), path_only)?;
        let base = match asked.dirfd {
            _ if asked.path.starts_with(b"/") => root.try_clone()?,
            libc::AT_FDCWD => fd::open(&proc_name(tid, "cwd"), path_only)?,
            number => directory(tid, number)?,
        };
        let process = identity::process_key(caller.tgid.cast_unsigned()).ok().map(|key| key.id());
        if !self.waits(&held) {
            return Err(io::Error::from_raw_os_error(libc::EINTR));
        }
        Ok(Call { held, caller, process, asked, root, base })
    }
}

impl Call {
    fn find(&self, own_pid: i32) -> io::Result<Found> {
        let start = Start { caller: &self.caller, own_pid, root: self.root.try_clone()?, base: self.base.try_clone()? };
        let exclusive = self.asked.flags & libc::O_CREAT != 0 && self.asked.flags & libc::O_EXCL != 0;
        let follow = self.asked.flags & libc::O_NOFOLLOW == 0 && !exclusive;
        let found = walk::find(&start, &self.asked.path, follow)?;
        let is_tty = |there: &There| is_device(there, libc::S_IFCHR) && device(there) == TTY;
        match &found.there {
            Some(there) if is_tty(there) => {
                // Ours would be another one, or none.
                walk::find(&start, &terminal(self.caller.tgid)?, true)
            }
            _ => Ok(found),
        }
    }

    /// What is recorded, without its result; and the path.
    fn fact(&self, found: Option<&Found>) -> (FileOpened, Vec<u8>) {
        let given = &self.asked.path;
        let joined = || {
            let mut path =
                if given.starts_with(b"/") { Vec::new() } else { paths::of_own(&self.base).unwrap_or_default() };
            if !given.is_empty() && !given.starts_with(b"/") && path.last() != Some(&b'/') {
                path.push(b'/');
            }
            path.extend_from_slice(given);
            path
        };
        let (path, differs) = match found.map(Found::path) {
            Some(path) => {
                let differs = !paths::says_the_same(&path, given) && joined() != path;
                (path, differs)
            }
            None => (joined(), false),
        };
        let flags = self.asked.flags.cast_unsigned();
        let fact = FileOpened {
            path: OsBytes::from(path.clone()),
            given: differs.then(|| OsBytes::from(given.clone())),
            access: access_of(flags),
            create: has(flags, libc::O_CREAT),
            truncate: has(flags, libc::O_TRUNC),
            result: CallResult::Unknown,
        };
        (fact, path)
    }

    /// Opens exactly what was found: an existing file through its own descriptor, a new one by its name in its directory.
    fn make(&self, found: &Found) -> io::Result<Made> {
        let Asked { flags, mode, .. } = self.asked;
        let creates = flags & libc::O_CREAT != 0;
        // A terminal must not become ours.
        let flags = flags | libc::O_NOCTTY;
        let Some(There { handle, stat }) = &found.there else {
            if !creates {
                return Err(io::Error::from_raw_os_error(libc::ENOENT));
            }
            if found.slash {
                return Err(io::Error::from_raw_os_error(libc::EISDIR));
            }
            credentials::set_umask(self.caller.umask);
            return match fd::open_no_links(&found.parent, &found.name, flags, mode) {
                Err(error) if error.raw_os_error() == Some(libc::ELOOP) => Ok(Made::Changed),
                other => other.map(Made::File),
            };
        };
        if creates && flags & libc::O_EXCL != 0 {
            return Err(io::Error::from_raw_os_error(libc::EEXIST));
        }
        if creates && stat.is_dir() {
            return Err(io::Error::from_raw_os_error(libc::EISDIR));
        }
        if stat.is_symlink() {
            return Err(io::Error::from_raw_os_error(libc::ELOOP));
        }
        let flags = flags & !(libc::O_CREAT | libc::O_NOFOLLOW);
        // A file without a name is made in a directory that is there.
        if flags.cast_unsigned() & TMPFILE_BIT != 0 {
            credentials::set_umask(self.caller.umask);
        }
        fd::open_with_mode(&paths::own_link(handle), flags, mode).map(Made::File)
    }
}

/// Copies the arguments out of the caller's memory, once.
fn arguments(held: &Held) -> io::Result<Asked> {
    let args = &held.args;
    let (dirfd, address, flags, mode) = match held.call {
        #[cfg(target_arch = "x86_64")]
        libc::SYS_open => (libc::AT_FDCWD, args[0], args[1] as i32, args[2] as u32),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_creat => (libc::AT_FDCWD, args[0], libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC, args[1] as u32),
        libc::SYS_openat2 => {
            let (flags, mode) = how(held)?;
            (args[0] as i32, args[1], flags, mode)
        }
        _ => (args[0] as i32, args[1], args[2] as i32, args[3] as u32),
    };
    let path = memory::read_string(held.tid, address)?;
    if path.len() >= libc::PATH_MAX as usize {
        return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
    }
    Ok(Asked { dirfd, path, flags, mode: mode & 0o7777 })
}

/// `struct open_how`: flags, mode, how to resolve. Restricted ways to resolve are not offered, nor is O_PATH, which can't
/// be handed over; callers know kernels without this call.
fn how(held: &Held) -> io::Result<(i32, u32)> {
    let fail = |errno| Err(io::Error::from_raw_os_error(errno));
    if held.args[3] < HOW_SIZE {
        return fail(libc::EINVAL);
    }
    let mut raw = [0u8; HOW_SIZE as usize];
    memory::read_exact(held.tid, held.args[2], &mut raw)?;
    let word = |at: usize| raw[at..at + 8].iter().rev().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    let [flags, mode, resolve] = [0, 8, 16].map(word);
    if held.args[3] > HOW_SIZE || resolve != 0 || flags & libc::O_PATH as u64 != 0 {
        return fail(libc::ENOSYS);
    }
    let creates = flags & (libc::O_CREAT as u64 | u64::from(TMPFILE_BIT)) != 0;
    match (i32::try_from(flags), mode) {
        (Ok(flags), 0) => Ok((flags, 0)),
        (Ok(flags), mode) if creates && mode <= 0o7777 => Ok((flags, mode as u32)),
        _ => fail(libc::EINVAL),
    }
}

fn proc_name(tid: i32, name: &str) -> CString {
    CString::new(format!("/proc/{tid}/{name}")).unwrap_or_default()
}

fn directory(tid: i32, number: i32) -> io::Result<OwnedFd> {
    let handle = fd::open(&paths::fd_link(tid, number.into()), libc::O_PATH).map_err(|error| {
        let closed = error.raw_os_error() == Some(libc::ENOENT);
        if closed { io::Error::from_raw_os_error(libc::EBADF) } else { error }
    })?;
    if fd::fstat(handle.as_raw_fd())?.is_dir() { Ok(handle) } else { Err(io::Error::from_raw_os_error(libc::ENOTDIR)) }
}

fn device(there: &There) -> (u32, u32) {
    (libc::major(there.stat.device), libc::minor(there.stat.device))
}

fn is_device(there: &There, kind: u32) -> bool {
    there.stat.mode & libc::S_IFMT == kind
}

/// Whether the open may wait for somebody: for the other end of a pipe, for a device.
fn may_wait(there: &There, flags: i32) -> bool {
    if flags & libc::O_NONBLOCK != 0 {
        return false;
    }
    let character = is_device(there, libc::S_IFCHR) && device(there).0 != MEMORY;
    character || is_device(there, libc::S_IFIFO) || is_device(there, libc::S_IFBLK)
}

/// The controlling terminal of a process, by the number in its `stat`.
fn terminal(tgid: i32) -> io::Result<Vec<u8>> {
    let none = || io::Error::from_raw_os_error(libc::ENXIO);
    let line = std::fs::read_to_string(format!("/proc/{tgid}/stat"))?;
    // State, parent, group, session, terminal.
    let number = line.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(4)?.parse::<i32>().ok());
    let number = number.filter(|number| *number != 0).ok_or_else(none)?.cast_unsigned();
    let (major, minor) = (number >> 8 & 0xfff, number & 0xff | number >> 12 & 0xfff00);
    match major {
        136..=143 => Ok(format!("/dev/pts/{}", minor + (major - 136) * 256).into_bytes()),
        4 if minor < 64 => Ok(format!("/dev/tty{minor}").into_bytes()),
        4 => Ok(format!("/dev/ttyS{}", minor - 64).into_bytes()),
        _ => Err(none()),
    }
}
