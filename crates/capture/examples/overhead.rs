//! Runs a command bare, under us with a recorder that only counts, and under strace; prints medians and ratios.
//!
//! `cargo run --release -p agentprov-capture --example overhead -- [-n RUNS] [--no-reads] [--dump] COMMAND...`

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints its measurements")]

use agentprov_capture::{
    AttemptEnd, Backend, Command, ContentSink, Limits, Observation, Options, Orphans, Recorder, RecorderFault,
    ScopeStart, StdoutTo,
};
use agentprov_model::{Content, ContentId, GitBlobId, HashOnly, Kept, OutputStream};
use std::ffi::OsString;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Null {
    dump: Option<std::fs::File>,
}

struct NoContents;

impl ContentSink for NoContents {
    fn keep(&self, _bytes: &[u8], _sha256: ContentId, _git: Option<GitBlobId>) -> Kept {
        Kept::Stored
    }

    fn keep_output(&self, _stream: OutputStream, bytes: Vec<u8>) -> Content {
        let kept = Kept::HashOnly(HashOnly::SwitchedOff);
        Content { sha256: ContentId::from_bytes([0; 32]), git: None, size: bytes.len() as u64, kept }
    }
}

impl Recorder for Null {
    fn begin(&mut self, _start: ScopeStart) -> Result<(), RecorderFault> {
        Ok(())
    }

    fn observe(&mut self, observation: Observation) {
        use std::io::Write;
        if let Some(file) = &mut self.dump {
            let process = observation.process.map(|id| id.to_string()).unwrap_or_default();
            let what = serde_json::to_string(&observation.what).unwrap_or_default();
            let _full = writeln!(file, "{} {process} {what}", observation.at);
        }
    }

    fn contents(&self) -> Arc<dyn ContentSink> {
        Arc::new(NoContents)
    }

    fn end(&mut self, _end: AttemptEnd) -> Result<(), RecorderFault> {
        Ok(())
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

fn main() {
    let mut arguments = std::env::args_os().skip(1).peekable();
    let (mut runs, mut reads, mut dump, mut backend) = (5usize, true, false, Backend::Ptrace);
    while let Some(option) = arguments.peek().and_then(|text| text.to_str()).map(str::to_owned) {
        match option.as_str() {
            "-n" => {
                arguments.next();
                runs = arguments.next().and_then(|text| text.to_str()?.parse().ok()).unwrap_or(5);
                continue;
            }
            "--no-reads" => reads = false,
            "--procfs" => backend = Backend::Procfs,
            "--dump" => dump = true,
            _ => break,
        }
        arguments.next();
    }
    let argv: Vec<OsString> = arguments.collect();
    let workdir = std::env::current_dir().unwrap_or_default();
    let command = Command {
        argv: argv.clone(),
        workdir: workdir.clone(),
        env: vec![],
        stdout: StdoutTo::Inherit,
        keep_output: None,
    };
    let options = Options {
        backend,
        reads,
        grace: Duration::from_millis(200),
        orphans: Orphans::Observe,
        workspace: workdir.canonicalize().unwrap_or(workdir),
        own_files: Vec::new(),
        limits: Limits::default(),
        contents: true,
        sample_interval: Duration::from_millis(20),
    };
    let one = |dump: bool| {
        let make = || Ok(Null { dump: dump.then(|| std::fs::File::create("/tmp/agentprov-dump.txt").ok()).flatten() });
        agentprov_capture::record(&command, &options, make, &mut |notice| eprintln!("notice: {}", notice.text))
    };
    if dump {
        match one(true) {
            Ok(finished) => eprintln!("{finished:#?}\nobservations in /tmp/agentprov-dump.txt"),
            Err(error) => eprintln!("error: {error}"),
        }
        return;
    }
    let bare = || {
        let _status = std::process::Command::new(&argv[0]).args(&argv[1..]).stdout(Stdio::null()).status();
    };
    let list = if reads { "" } else { "!open,openat,openat2," };
    let _all = list;
    let trace = "trace=execve,execveat,open,openat,openat2,creat,rename,renameat,renameat2,link,linkat,symlink,\
                 symlinkat,unlink,unlinkat,rmdir,mkdir,mkdirat,mknod,mknodat,chmod,fchmod,fchmodat,chown,lchown,fchown,\
                 fchownat,truncate,connect,bind,sendto,sendmsg,sendmmsg,setuid,setgid,ptrace,mount,umount2,unshare,setns,chroot";
    let strace = || {
        let mut command = std::process::Command::new("strace");
        command.args(["-f", "--seccomp-bpf", "-o", "/tmp/agentprov-strace.txt", "-e", trace, "--"]).args(&argv);
        let _status = command.stdout(Stdio::null()).status();
    };
    let (mut bare_times, mut our_times, mut strace_times) = (vec![], vec![], vec![]);
    let (mut stops, mut observations) = (0, 0);
    let mut outcomes = Vec::new();
    for _ in 0..runs {
        let time = |body: &mut dyn FnMut()| {
            let start = Instant::now();
            body();
            start.elapsed()
        };
        bare_times.push(time(&mut || bare()));
        our_times.push(time(&mut || match one(false) {
            Ok(finished) => {
                (stops, observations) = (finished.stops, finished.observations);
                outcomes.push((finished.outcome.shell_status(), finished.stops));
            }
            Err(error) => eprintln!("error: {error}"),
        }));
        strace_times.push(time(&mut || strace()));
    }
    let lines = std::fs::read_to_string("/tmp/agentprov-strace.txt").map_or(0, |text| text.lines().count());
    if outcomes.iter().any(|(status, _)| *status != 0)
        || outcomes.windows(2).any(|pair| pair[0].1.abs_diff(pair[1].1) > pair[0].1 / 10 + 50)
    {
        println!("uneven runs (exit status, stops): {outcomes:?}");
    }
    let (bare, ours, strace) = (median(bare_times), median(our_times), median(strace_times));
    println!(
        "bare {bare:.1} ms | agentprov {ours:.1} ms ({:.3}x, {stops} stops, {observations} observations) | strace {strace:.1} ms ({:.3}x, {lines} lines)",
        ours / bare,
        strace / bare
    );
}
