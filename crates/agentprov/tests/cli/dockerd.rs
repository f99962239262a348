//! A Docker daemon of a test's own, and what really runs in its containers.

use crate::bounded::InTime as _;
use crate::place::has;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// A daemon that takes longer does not come up.
const UP_WITHIN: Duration = Duration::from_secs(30);

/// What it makes outside its own folder (its key in `/etc`, sockets in `/run`) goes into folders of its namespace.
const UP: &str = r#"
place=$1; programs=$2; group=$3
mkdir "$place/etc"
for name in passwd group hosts nsswitch.conf ld.so.cache ld.so.conf ld.so.conf.d; do
    [ ! -e "/etc/$name" ] || cp -a "/etc/$name" "$place/etc/"
done
mount --bind "$place/etc" /etc
for folder in /run /opt; do
    case $place/:$programs/ in
        *:$folder/*|$folder/*) ;;
        *) mount -t tmpfs none $folder ;;
    esac
done
echo '{}' >"$place/daemon.json"
PATH=$programs/usr/sbin:$programs/usr/bin:$programs/sbin:$programs/bin:$PATH
export PATH
exec dockerd --config-file="$place/daemon.json" --data-root="$place/data" --exec-root="$place/exec" \
    --host="unix://$place/docker.sock" --pidfile="$place/dockerd.pid" --cgroup-parent="/$group" \
    --exec-opt native.cgroupdriver=cgroupfs --storage-driver=vfs --bridge=none \
    --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false
"#;

/// The image of the tests: a shell, and what it calls.
pub(crate) const IMAGE: &str = "agentprov-test";

pub(crate) struct Daemon {
    folder: tempfile::TempDir,
    programs: PathBuf,
    /// Below which its containers have their cgroups.
    group: String,
    child: Child,
}

impl Daemon {
    /// None, said on standard output, where Docker can't be had here.
    pub(crate) fn started(test: &str) -> Option<Self> {
        let programs = std::env::var_os("AGENTPROV_TEST_DOCKER").map(PathBuf::from);
        let Some(programs) = programs.filter(|folder| folder.join("usr/sbin/dockerd").is_file()) else {
            println!("SKIP {test}: no Docker in AGENTPROV_TEST_DOCKER; `cargo xtask test --only docker` brings it");
            return None;
        };
        if !rustix::process::geteuid().is_root() {
            println!("SKIP {test}: only root can run a Docker daemon");
            return None;
        }
        if !["bash", "unshare", "setpriv", "mount", "tar"].into_iter().all(|program| has(test, program)) {
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let group = format!("agentprov-test-{}", std::process::id());
        let log = File::create(folder.path().join("log")).expect("a log");
        // With this thread, `unshare` dies, with it the first process of the namespace, and with that all others.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child=KILL"]);
        command.args(["--mount-proc", "sh", "-euc", UP, "up"]).args([folder.path(), &programs]).arg(&group);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        let child = command.spawn().expect("setpriv runs");
        let mut daemon = Self { folder, programs, group, child };
        if let Err(why) = daemon.comes_up().and_then(|()| daemon.makes_image()) {
            println!("SKIP {test}: no Docker daemon comes up here: {why}");
            return None;
        }
        Some(daemon)
    }

    fn comes_up(&mut self) -> Result<(), String> {
        let limit = Instant::now() + UP_WITHIN;
        while Instant::now() < limit {
            if self.child.try_wait().expect("it is waited for").is_some() {
                break;
            }
            if self.socket().exists() && self.docker(&["version"]).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        Err(log.lines().last().unwrap_or("it says nothing").to_owned())
    }

    fn makes_image(&self) -> Result<(), String> {
        let root = self.folder.path().join("image");
        let bin = root.join("bin");
        std::fs::create_dir_all(&bin).expect("a folder");
        std::fs::copy(self.programs.join("bin/busybox"), bin.join("busybox")).expect("a program");
        for name in ["sh", "sleep", "cat"] {
            std::os::unix::fs::symlink("busybox", bin.join(name)).expect("a link");
        }
        let archive = self.folder.path().join("image.tar");
        let packed = Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&archive).arg(".").output_in_time();
        assert!(packed.status.success(), "tar packs");
        self.docker(&["import", &archive.to_string_lossy(), IMAGE])?;
        // What the kernel or the sandbox forbids shows itself only now.
        self.docker(&["run", "--rm", "--network", "none", IMAGE, "sh", "-c", "true"]).map(drop)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    /// The client, by its absolute path.
    pub(crate) fn client(&self) -> String {
        self.programs.join("usr/bin/docker").to_string_lossy().into_owned()
    }

    /// Lines of a shell script that put the client on the path.
    pub(crate) fn surroundings(&self) -> String {
        let folder = self.programs.join("usr/bin");
        let socket = self.socket();
        format!(
            "PATH='{}':\"$PATH\"\nDOCKER_HOST='unix://{}'\nexport PATH DOCKER_HOST",
            folder.display(),
            socket.display()
        )
    }

    /// What the client prints.
    pub(crate) fn docker(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(self.client());
        command.arg("--host").arg(format!("unix://{}", self.socket().display())).args(arguments);
        let output = command.env("HOME", self.folder.path()).stdin(Stdio::null()).output_in_time();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    pub(crate) fn watched(&self) -> Watch {
        Watch::new(self.group.clone())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let init = children(self.child.id()).into_iter().next();
        // A container's first process heeds no request to end; its daemon would wait for it.
        let running = if self.socket().exists() { self.docker(&["ps", "--all", "--quiet"]).ok() } else { None };
        if let Some(running) = running {
            let words = ["rm", "--force"].into_iter().chain(running.lines());
            let _ = self.docker(&words.collect::<Vec<_>>());
        }
        // Then, and where the daemon does not listen, all of its namespace is killed.
        if let Some(init) = init {
            let _ = Command::new("kill").args(["-TERM", &init.to_string()]).status();
        }
        let limit = Instant::now() + Duration::from_secs(15);
        while self.child.try_wait().is_ok_and(|status| status.is_none()) && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        while init.is_some_and(|init| Path::new(&format!("/proc/{init}")).exists()) && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(50));
        }
        remove_groups(Path::new("/sys/fs/cgroup"), &self.group, 4);
    }
}

fn children(pid: u32) -> Vec<u32> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Cgroups without processes go like empty folders, the innermost first.
fn remove_groups(folder: &Path, group: &str, depth: u32) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        if entry.file_name() == group {
            let inner = std::fs::read_dir(entry.path()).into_iter().flatten().flatten();
            inner.for_each(|entry| drop(std::fs::remove_dir(entry.path())));
            let _ = std::fs::remove_dir(entry.path());
        } else if depth > 0 {
            remove_groups(&entry.path(), group, depth - 1);
        }
    }
}

/// A program that ran in a container, as the kernel has it.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    /// All 64 characters.
    pub(crate) container: String,
    pub(crate) pid: u32,
    pub(crate) ppid: u32,
    /// In the container.
    pub(crate) ns_pid: u32,
    pub(crate) words: Vec<String>,
    /// When its process was made, to some hundredths of a second.
    pub(crate) at: SystemTime,
}

/// Looks at the processes of the containers, again and again, until it is asked what it saw.
pub(crate) struct Watch {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Ran>>,
}

impl Watch {
    fn new(group: String) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let mut seen: BTreeMap<(u32, Vec<String>), Ran> = BTreeMap::new();
            let limit = Instant::now() + Duration::from_secs(240);
            while !asked.load(Ordering::Relaxed) && Instant::now() < limit {
                for ran in running(&group) {
                    seen.entry((ran.pid, ran.words.clone())).or_insert(ran);
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            seen.into_values().collect()
        });
        Self { over, thread }
    }

    pub(crate) fn ran(self) -> Vec<Ran> {
        self.over.store(true, Ordering::Relaxed);
        let mut ran = self.thread.join().expect("the watch ends");
        ran.sort_by_key(|ran| ran.at);
        ran
    }
}

fn running(group: &str) -> Vec<Ran> {
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| in_container(pid, group)).collect()
}

/// None where the process is in no container, is on its way into one, or has ended.
fn in_container(pid: u32, group: &str) -> Option<Ran> {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).ok();
    let cgroups = read("cgroup")?;
    let (_, rest) = cgroups.split_once(&format!("/{group}/"))?;
    let container = rest.get(..64)?.to_owned();
    let words: Vec<String> = read("cmdline")?.split_terminator('\0').map(str::to_owned).collect();
    let status = read("status")?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
    let number = |name: &str| field(name)?.split_whitespace().last()?.parse().ok();
    let runtime = words.first().is_none_or(|word| word.contains("runc"));
    let at = made_at(&read("stat")?)?;
    (!runtime).then_some(Ran { container, pid, ppid: number("PPid:")?, ns_pid: number("NSpid:")?, words, at })
}

/// From the age of a process, for its start is told in ticks of the clock since boot.
fn made_at(stat: &str) -> Option<SystemTime> {
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let uptime: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let ticks: f64 = rest.split_whitespace().nth(19)?.parse().ok()?;
    SystemTime::now().checked_sub(Duration::from_secs_f64((uptime - ticks / 100.0).max(0.0)))
}
