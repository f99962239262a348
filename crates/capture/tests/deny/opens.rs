//! Opens.

use crate::recording::{self, Ended};
use agentprov_capture::{Gate, Opens, Ruling};
use agentprov_model::{CallResult, FileOpened, Outcome, ProcessId, SocketAddress, What};
use std::ffi::CString;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// The folder of the racing program.
const RACE: &str = "DENY_TEST_RACE";
/// The folder of the program that opens in every way.
const WAYS: &str = "DENY_TEST_WAYS";
const OPENS: usize = 2_000;

/// Denies opening files with one name.
struct DenyName(&'static str, Opens);

impl Gate for DenyName {
    fn connect(&self, _process: Option<ProcessId>, _address: &SocketAddress) -> Ruling {
        Ruling::Allow
    }

    fn opens(&self) -> Opens {
        self.1
    }

    fn open(&self, process: Option<ProcessId>, open: &FileOpened) -> Ruling {
        assert!(process.is_some());
        if open.path.lossy().ends_with(self.0) { Ruling::Deny } else { Ruling::Allow }
    }
}

fn sort(what: &What, _hint: &str) -> Option<Ended> {
    let What::FileOpened(open) = what else { return None };
    let path = open.path.lossy().into_owned();
    let denied = path.ends_with("file-d");
    if !denied && !path.ends_with("file-a") {
        return None;
    }
    Some(match (denied, open.result) {
        (true, CallResult::Errno(libc::EPERM)) => Ended::Denied,
        (false, CallResult::Ok(_)) => Ended::Passed,
        (_, result) => Ended::Other(format!("{path} ended with {result:?}")),
    })
}

/// The command, where this is it.
pub(crate) fn command() -> bool {
    if let Ok(folder) = std::env::var(RACE) {
        race(Path::new(&folder));
        return true;
    }
    let Ok(folder) = std::env::var(WAYS) else { return false };
    let said = open_in_every_way(Path::new(&folder));
    std::fs::write(Path::new(&folder).join("said"), said).expect("a file");
    std::fs::write(Path::new(&folder).join("of the recorder"), of_the_recorder()).expect("a file");
    true
}

pub(crate) fn a_thread_that_rewrites_the_path_never_gets_through() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["file-a", "file-d"] {
        std::fs::write(folder.path().join(name), "").expect("a file");
    }
    let text = folder.path().to_str().expect("text").to_owned();
    let gate = Arc::new(DenyName("file-d", Opens::Changing));
    let (finished, counts) = recording::again((RACE, &text), folder.path(), gate, (sort, ""));
    assert_eq!(finished.outcome, Outcome::Exited(0));
    let length = |name: &str| std::fs::metadata(folder.path().join(name)).expect("a file").len();
    assert_eq!(length("file-d"), 0, "opens of the denied file that got through");
    assert_eq!((counts.denied + counts.passed, counts.wrong), (OPENS as u64, 0), "{counts:?}");
    assert!(counts.denied > 0 && counts.passed > 0, "the race must go both ways: {counts:?}");
    assert_eq!(length("file-a"), counts.passed, "what is recorded is what happened");
}

/// Appends a byte to what it opens while another thread rewrites the name.
fn race(folder: &Path) {
    let path = CString::new(folder.join("file-a").to_str().expect("text")).expect("no NUL").into_bytes_with_nul();
    let last = path.len() - 2;
    let path: &'static [AtomicU8] = Box::leak(path.into_iter().map(AtomicU8::new).collect::<Box<[_]>>());
    let stop = Arc::new(AtomicBool::new(false));
    let done = Arc::clone(&stop);
    let rewriter = std::thread::spawn(move || {
        while !done.load(Ordering::Relaxed) {
            path[last].store(b'd', Ordering::Relaxed);
            path[last].store(b'a', Ordering::Relaxed);
        }
    });
    for round in 0..OPENS {
        // A busy machine may keep the other thread from running: both names must come all the same.
        path[last].store(if round % 2 == 0 { b'a' } else { b'd' }, Ordering::Relaxed);
        // SAFETY: the path is live and ends with a NUL; one byte of it may change, as the test means it to.
        let fd = unsafe { libc::open(path.as_ptr().cast(), libc::O_WRONLY | libc::O_APPEND) };
        if fd >= 0 {
            // SAFETY: the descriptor was just given to us.
            let mut file = std::fs::File::from(unsafe { OwnedFd::from_raw_fd(fd) });
            file.write_all(b"x").expect("a byte");
        }
    }
    stop.store(true, Ordering::Relaxed);
    rewriter.join().expect("the thread ends");
}

pub(crate) fn an_open_that_is_allowed_happens_as_if_nobody_had_asked() {
    let [alone, watched] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    for folder in [&alone, &watched] {
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).expect("a mode");
    }
    let status = std::process::Command::new(std::env::current_exe().expect("this test"))
        .args([crate::TEST, "--exact"])
        .current_dir(alone.path())
        .env(WAYS, alone.path())
        .stdout(std::process::Stdio::null())
        .status();
    assert!(status.expect("it starts").success());
    let text = watched.path().to_str().expect("text").to_owned();
    let gate = Arc::new(DenyName("no such name", Opens::All));
    let (finished, _) = recording::again((WAYS, &text), watched.path(), gate, (|_, _| None, ""));
    assert_eq!(finished.outcome, Outcome::Exited(0));
    let said = |folder: &Path| std::fs::read_to_string(folder.join("said")).expect("a report");
    let (alone, watched) = (said(alone.path()), said(watched.path()));
    assert!(alone.lines().count() > 40, "{alone}");
    for (watched, alone) in watched.lines().zip(alone.lines()) {
        assert_eq!(watched, alone);
    }
    assert_eq!(watched.lines().count(), alone.lines().count());
    let refused = std::fs::read_to_string(text.clone() + "/of the recorder").expect("a report");
    assert_eq!(refused, "mem: error Some(13)\nfd/0: error Some(13)\nroot/etc: error Some(13)\ncomm: opened\n");
}

/// The recorder opens for us: what is its own it must not give away.
fn of_the_recorder() -> String {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:")).expect("a number").trim().to_owned();
    let mut said = String::new();
    for name in ["mem", "fd/0", "root/etc", "comm"] {
        match std::fs::File::open(format!("/proc/./{tracer}/{name}")) {
            Ok(_) => writeln!(said, "{name}: opened").expect("memory"),
            Err(error) => writeln!(said, "{name}: error {:?}", error.raw_os_error()).expect("memory"),
        }
    }
    said
}

/// Opens, and says how that went.
fn try_open(said: &mut String, name: &str, dir: i32, path: &str, flags: i32, mode: u32) -> Option<OwnedFd> {
    let text = CString::new(path).expect("no NUL");
    // SAFETY: the path is live and ends with a NUL.
    let fd = unsafe { libc::openat(dir, text.as_ptr(), flags, mode) };
    if fd < 0 {
        let error = std::io::Error::last_os_error().raw_os_error();
        writeln!(said, "{name}: error {error:?}").expect("memory");
        return None;
    }
    // SAFETY: the descriptor was just given to us.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let metadata = std::fs::metadata(format!("/proc/self/fd/{}", fd.as_raw_fd())).expect("it is open");
    // SAFETY: plain integers.
    let (status, closes) =
        unsafe { (libc::fcntl(fd.as_raw_fd(), libc::F_GETFL), libc::fcntl(fd.as_raw_fd(), libc::F_GETFD)) };
    let (size, uid) = (if metadata.is_file() { metadata.len() } else { 0 }, metadata.uid());
    let (mode, number) = (metadata.mode(), fd.as_raw_fd());
    writeln!(said, "{name}: fd {number} mode {mode:o} uid {uid} size {size} flags {status:o} closes {closes}")
        .expect("memory");
    Some(fd)
}

fn open_in_every_way(folder: &Path) -> String {
    use libc::{
        O_APPEND, O_CLOEXEC, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR, O_TMPFILE,
        O_TRUNC, O_WRONLY,
    };
    let at = |name: &str| folder.join(name).to_str().expect("text").to_owned();
    std::fs::write(at("old"), "old text").expect("a file");
    std::fs::create_dir(at("dir")).expect("a directory");
    std::fs::write(at("dir/inner"), "inner").expect("a file");
    symlink("old", at("link")).expect("a link");
    symlink("dangling target", at("dangling")).expect("a link");
    symlink(at("dir"), at("dirlink")).expect("a link");
    symlink("loop", at("loop")).expect("a link");
    symlink("../dir/../old", at("dir/up")).expect("a link");
    let fifo = CString::new(at("fifo")).expect("no NUL");
    // SAFETY: the path is live and ends with a NUL.
    assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o600) }, 0);
    let dir = std::fs::File::open(at("dir")).expect("a directory");
    let here = libc::AT_FDCWD;
    let mut said = String::new();
    let cases: &[(&str, i32, String, i32, u32)] = &[
        ("read", here, at("old"), O_RDONLY, 0),
        ("read, close on exec", here, at("old"), O_RDONLY | O_CLOEXEC, 0),
        ("relative", here, "old".into(), O_RDWR | O_APPEND, 0),
        ("below a descriptor", dir.as_raw_fd(), "inner".into(), O_RDONLY, 0),
        ("a closed descriptor", 999, "inner".into(), O_RDONLY, 0),
        ("a file as directory", here, "old/x".into(), O_RDONLY, 0),
        ("through a link", here, "link".into(), O_RDWR, 0),
        ("through links and dots", here, "dirlink/./up".into(), O_RDONLY, 0),
        ("beyond the top", here, format!("/../../..{}", at("old")), O_RDONLY, 0),
        ("a link itself", here, "link".into(), O_RDONLY | O_NOFOLLOW, 0),
        ("the path of a link", here, "link".into(), O_PATH | O_NOFOLLOW, 0),
        ("a loop", here, "loop".into(), O_RDONLY, 0),
        ("nothing", here, "nothing".into(), O_RDWR, 0),
        ("no name", here, String::new(), O_RDONLY, 0),
        ("in no directory", here, "nothing/x".into(), O_CREAT | O_WRONLY, 0o666),
        ("made", here, "made".into(), O_CREAT | O_WRONLY, 0o666),
        ("made with bits", here, "made-bits".into(), O_CREAT | O_RDWR | O_CLOEXEC, 0o4757),
        ("made anew", here, "made".into(), O_CREAT | O_EXCL | O_WRONLY, 0o666),
        ("made once", here, "made-once".into(), O_CREAT | O_EXCL | O_WRONLY, 0o640),
        ("made through a link", here, "dangling".into(), O_CREAT | O_WRONLY, 0o600),
        ("not made through a link", here, "link".into(), O_CREAT | O_EXCL | O_WRONLY, 0o600),
        ("made with a slash", here, "made-slash/".into(), O_CREAT | O_WRONLY, 0o600),
        ("made where a directory is", here, "dir".into(), O_CREAT | O_WRONLY, 0o600),
        ("cut", here, "dir/inner".into(), O_WRONLY | O_TRUNC, 0),
        ("nameless", here, "dir".into(), O_TMPFILE | O_RDWR, 0o666),
        ("a directory", here, "dir/".into(), O_RDONLY | O_DIRECTORY, 0),
        ("a directory for writing", here, "dir".into(), O_WRONLY, 0),
        ("a file with a slash", here, "old/".into(), O_RDONLY, 0),
        ("not a directory", here, "old".into(), O_RDONLY | O_DIRECTORY, 0),
        ("here", here, ".".into(), O_RDONLY, 0),
        ("above", dir.as_raw_fd(), "..".into(), O_RDONLY | O_DIRECTORY, 0),
        ("the top", here, "/".into(), O_PATH, 0),
        ("a path only", here, "old".into(), O_PATH | O_CREAT | O_TRUNC, 0),
        ("a pipe with nobody", here, "fifo".into(), O_WRONLY | O_NONBLOCK, 0),
        ("a pipe at once", here, "fifo".into(), O_RDONLY | O_NONBLOCK, 0),
        ("null", here, "/dev/null".into(), O_RDWR, 0),
        ("an open file again", here, format!("/proc/self/fd/{}", dir.as_raw_fd()), O_RDONLY, 0),
        ("the same by another name", here, format!("/dev/fd/{}", dir.as_raw_fd()), O_RDONLY, 0),
        ("own memory", here, "/proc/self/mem".into(), O_RDWR, 0),
        ("own memory by thread", here, "/proc/thread-self/mem".into(), O_RDWR, 0),
        ("own name by a detour", here, "/proc/../proc/./self/comm".into(), O_RDONLY, 0),
        ("a setting of the kernel", here, "/proc/sys/kernel/ostype".into(), O_RDONLY, 0),
        ("own program", here, "/proc/self/exe".into(), O_RDONLY, 0),
        ("own directory", here, "/proc/self/cwd/old".into(), O_RDONLY, 0),
        ("somebody's name", here, "/proc/1/comm".into(), O_RDONLY, 0),
        ("a long name", here, "x".repeat(300), O_RDONLY, 0),
        ("a long path", here, "x/".repeat(3000), O_RDONLY, 0),
    ];
    for mask in [0o022, 0o077] {
        // SAFETY: plain integer.
        unsafe { libc::umask(mask) };
        for (name, dir, path, flags, mode) in cases {
            try_open(&mut said, name, *dir, path, *flags, *mode);
        }
        for name in ["made", "made-bits", "made-once", "dangling target"] {
            let _not_made = std::fs::remove_file(at(name));
        }
    }
    // The file behind a descriptor is the process's own.
    let mut name = String::new();
    std::fs::File::open("/proc/self/comm").and_then(|mut file| file.read_to_string(&mut name)).expect("a name");
    writeln!(said, "comm {name}").expect("memory");
    // A pipe waits for its other end without keeping others from their opens.
    let other = at("fifo");
    let writer = std::thread::spawn(move || std::fs::write(other, "through the pipe"));
    said.push_str(&std::fs::read_to_string(at("fifo")).expect("a pipe"));
    writer.join().expect("it ends").expect("it writes");
    as_somebody_else(&mut said, folder);
    said
}

/// The same with the rights of another user, where we may take them.
fn as_somebody_else(said: &mut String, folder: &Path) {
    let hidden = folder.join("hidden");
    std::fs::write(&hidden, "hidden").expect("a file");
    std::fs::set_permissions(&hidden, PermissionsExt::from_mode(0o600)).expect("a mode");
    let text = |path: &Path| path.to_str().expect("text").to_owned();
    // SAFETY: plain integers; the raw call changes this thread only.
    let before = unsafe { libc::syscall(libc::SYS_setfsuid, 12_345) };
    let own = try_open(
        said,
        "made by another",
        libc::AT_FDCWD,
        &text(&folder.join("theirs")),
        libc::O_CREAT | libc::O_WRONLY,
        0o644,
    );
    drop(own);
    drop(try_open(said, "not theirs", libc::AT_FDCWD, &text(&hidden), libc::O_RDONLY, 0));
    // SAFETY: as above.
    unsafe { libc::syscall(libc::SYS_setfsuid, before) };
    drop(try_open(said, "ours again", libc::AT_FDCWD, &text(&hidden), libc::O_RDONLY, 0));
}
