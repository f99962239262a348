//! What each stop means: births, deaths, execs, signals, entries and exits of calls.

use super::call::{Pending, result_of};
use super::process::{Caller, Once, Parked, Process, Thread};
use super::serve::{EVENT_STOP, stops_job};
use super::syscalls::Call;
use super::tracer::Tracer;
use super::{exec, network, paths, privilege};
use crate::identity;
use crate::sys::fd::Inode;
use crate::sys::memory;
use crate::sys::ptrace::{self, Change, Entry, Resume};
use crate::wire::{self, Message};
use agentprov_model::{
    CallResult, ClaimClass, Gap, GapKind, NetworkCall, NetworkOp, OsBytes, Outcome, PrivilegeCall, ProcessExec,
    ProcessId, ProcessKey, ProcessOrigin, ProcessStarted, What,
};
use std::time::{Duration, Instant};

/// How long the event of a birth may come after the child's first stop; it takes microseconds, unless the parent died.
const PATIENCE: Duration = Duration::from_millis(100);

impl Tracer {
    pub(crate) fn on_change(&mut self, tid: i32, change: Change) {
        match change {
            Change::Exited(status) => self.on_gone(tid, Outcome::Exited(status)),
            Change::Killed { signal, core } => self.on_gone(tid, Outcome::Signaled { signal, core }),
            Change::Signal(signal) => ptrace::resume(tid, Resume::Cont, signal),
            Change::CallExit => {
                self.on_exit(tid);
                ptrace::resume(tid, Resume::Cont, 0);
            }
            Change::Event { event, signal } => self.on_event(tid, event, signal),
        }
    }

    fn on_event(&mut self, tid: i32, event: i32, signal: i32) {
        match event {
            libc::PTRACE_EVENT_SECCOMP => {
                let how = if self.on_entry(tid) { Resume::ToExit } else { Resume::Cont };
                ptrace::resume(tid, how, 0);
            }
            libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE => {
                match ptrace::event_message(tid) {
                    Ok(child) => self.on_birth(tid, child as i32, event),
                    Err(_) => ptrace::resume(tid, Resume::Cont, 0),
                }
            }
            libc::PTRACE_EVENT_EXEC => {
                self.on_exec(tid);
                ptrace::resume(tid, Resume::Cont, 0);
            }
            EVENT_STOP if stops_job(signal) => {
                if tid == self.root_pid && !(self.enforcing && signal == libc::SIGSTOP) {
                    wire::send(self.front, &Message::RootStopped, None);
                }
                ptrace::resume(tid, Resume::Listen, 0);
            }
            EVENT_STOP if !self.tree.threads.contains_key(&tid) => {
                // Born, but its parent's event has not come yet: it names the way of birth.
                self.tree.parked.push(Parked { tid, since: Instant::now() });
                // A parent that was killed in the call sends none.
                let parent = identity::stat_line(tid).map(|line| line.ppid);
                if parent.map_or(true, |parent| !self.tree.threads.contains_key(&parent)) {
                    self.settle_orphans();
                }
            }
            _ => ptrace::resume(tid, Resume::Cont, 0),
        }
    }

    /// The child waits until it is entered; the parent, of whom everything is known by then, goes on before that.
    fn on_birth(&mut self, parent_tid: i32, child: i32, event: i32) {
        let parent = self.tree.caller(parent_tid);
        let thread = event == libc::PTRACE_EVENT_CLONE
            && parent
                .is_some_and(|parent| std::fs::symlink_metadata(format!("/proc/{}/task/{child}", parent.tgid)).is_ok());
        let namespaces = match parent {
            Some(parent) if thread || !parent.other_root && ptrace::birth_keeps_namespaces(parent_tid) => {
                Namespaces::Ours
            }
            _ => Namespaces::Unknown,
        };
        ptrace::resume(parent_tid, Resume::Cont, 0);
        let Some(parent) = parent else { return };
        if !self.tree.threads.contains_key(&child) && !self.was_settled(child) {
            let origin = match event {
                libc::PTRACE_EVENT_FORK => ProcessOrigin::Fork,
                libc::PTRACE_EVENT_VFORK => ProcessOrigin::Vfork,
                _ => ProcessOrigin::Clone,
            };
            self.enter(child, if thread { parent.tgid } else { child }, Some(parent), origin, namespaces);
        }
        self.release_parked(child);
    }

    fn release_parked(&mut self, tid: i32) {
        if let Some(index) = self.tree.parked.iter().position(|parked| parked.tid == tid) {
            self.tree.parked.swap_remove(index);
            ptrace::resume(tid, Resume::Cont, 0);
        }
    }

    /// Enters a thread; for a new process the fact of its start too.
    fn enter(&mut self, tid: i32, tgid: i32, parent: Option<Caller>, origin: ProcessOrigin, namespaces: Namespaces) {
        self.tree.threads.insert(tid, Thread { tgid, pending: None });
        if self.tree.processes.contains_key(&tgid) {
            return;
        }
        let at = self.out.now();
        let line = identity::stat_line(tgid).ok();
        let start_ticks = line.map_or(0, |line| line.start_ticks);
        let key = ProcessKey { boot: self.boot.clone(), pid: tgid.cast_unsigned(), start_ticks };
        let id = key.id();
        let unlike = |name: &str, ours: &Option<Vec<u8>>| {
            namespaces == Namespaces::Unknown && paths::link(tgid, name).is_some_and(|ns| ours.as_ref() != Some(&ns))
        };
        let foreign_pids = unlike("ns/pid", &self.namespaces[0]);
        let foreign_mounts = unlike("ns/mnt", &self.namespaces[1]);
        let other_root = foreign_pids || foreign_mounts || parent.is_some_and(|parent| parent.other_root);
        let writes = parent.map_or_else(Vec::new, |parent| self.inherit_writes(&parent, tgid, id));
        let started = ProcessStarted {
            pid: tgid.cast_unsigned(),
            start_ticks,
            ns_pid: if foreign_pids { innermost_pid(tgid) } else { None },
            parent: parent.map(|parent| parent.id),
            ppid: parent
                .map_or_else(|| line.map_or(0, |line| line.ppid.cast_unsigned()), |parent| parent.tgid.cast_unsigned()),
            origin,
        };
        self.tree.ids.insert(id);
        self.tree.processes.insert(tgid, Process { id, generation: 0, other_root, reported: 0, writes });
        self.processes_seen += 1;
        self.out.say(at, Some(id), What::ProcessStarted(started));
    }

    /// A child holds what its parent holds, at least until its exec.
    fn inherit_writes(&mut self, parent: &Caller, child: i32, id: ProcessId) -> Vec<Inode> {
        let Some(process) = self.tree.processes.get_mut(&parent.tgid) else { return Vec::new() };
        if process.writes.is_empty() {
            return Vec::new();
        }
        {
            let table = self.desk.watches.lock();
            process.writes.retain(|inode| table.by_inode.contains_key(inode));
        }
        if process.writes.is_empty() {
            return Vec::new();
        }
        // In the table does not mean open: a release may wait to be read.
        let open = exec::open_inodes(child);
        let writes: Vec<Inode> = process.writes.iter().copied().filter(|inode| open.contains(inode)).collect();
        let mut table = self.desk.watches.lock();
        for inode in &writes {
            if let Some(entry) = table.by_inode.get_mut(inode) {
                entry.heirs.push(id);
            }
        }
        writes
    }

    fn on_gone(&mut self, tid: i32, outcome: Outcome) {
        self.tree.parked.retain(|parked| parked.tid != tid);
        let thread = self.tree.threads.remove(&tid);
        if thread.is_some_and(|thread| thread.tgid == tid) || self.tree.processes.contains_key(&tid) {
            self.on_process_gone(tid, outcome);
        }
        self.settle_orphans();
    }

    /// Children whose parent died before its event was seen are entered by what `/proc` says.
    fn settle_orphans(&mut self) {
        for tid in self.tree.parked.iter().map(|parked| parked.tid).collect::<Vec<_>>() {
            let (tgid, parent) = group_and_parent(tid);
            if !parent.is_some_and(|parent| self.tree.threads.contains_key(&parent)) {
                self.settle(tid, tgid);
            }
        }
    }

    /// A dead parent's children belong to another process of the tree where that one asked for them
    /// (PR_SET_CHILD_SUBREAPER), and no event of it comes. Called when every report was read: whoever is parked since
    /// [`PATIENCE`] is not waited for any longer.
    pub(crate) fn settle_overdue(&mut self) {
        let overdue = self.tree.parked.iter().filter(|parked| parked.since.elapsed() >= PATIENCE);
        for tid in overdue.map(|parked| parked.tid).collect::<Vec<_>>() {
            let (tgid, _) = group_and_parent(tid);
            self.settle(tid, tgid);
            // Should the event come yet, from a parent that was not let run meanwhile, the child is not born again.
            if let Ok(line) = identity::stat_line(tid) {
                self.tree.settled.insert(tid, line.start_ticks);
            }
        }
    }

    fn settle(&mut self, tid: i32, tgid: i32) {
        self.enter(tid, tgid, None, ProcessOrigin::Clone, Namespaces::Unknown);
        self.release_parked(tid);
    }

    /// True where the child of a birth that is reported now was entered before, though it may be gone meanwhile.
    fn was_settled(&mut self, child: i32) -> bool {
        let Some(settled) = self.tree.settled.remove(&child) else { return false };
        identity::stat_line(child).map_or(true, |line| line.start_ticks == settled)
    }

    /// Nobody must stay stopped when the tree is no longer recorded.
    pub(crate) fn release_all_parked(&mut self) {
        for parked in std::mem::take(&mut self.tree.parked) {
            ptrace::resume(parked.tid, Resume::Cont, 0);
        }
    }

    fn on_exec(&mut self, tid: i32) {
        let former = ptrace::event_message(tid).map_or(tid, |former| former as i32);
        let pending = self.tree.threads.get_mut(&former).and_then(|thread| thread.pending.take());
        if former != tid {
            // A thread that is not the first made the call: it takes over the pid, all others are gone.
            self.tree.threads.remove(&former);
        }
        self.tree.threads.insert(tid, Thread { tgid: tid, pending: None });
        let at = self.out.now();
        let Some(process) = self.tree.processes.get_mut(&tid) else { return };
        process.generation += 1;
        let generation = process.generation;
        let Some(caller) = self.tree.caller(tid) else { return };
        self.check_inherited_writes(&caller);
        let (argv, argv_cut) = exec::argv_of(tid);
        let path = match pending.map(|pending| *pending) {
            Some(Pending::Exec { path, .. }) => Some(OsBytes::from(path)),
            _ => None,
        };
        let fact = ProcessExec {
            generation,
            path,
            exe: paths::link(tid, "exe").map(OsBytes::from),
            argv,
            argv_cut,
            cwd: paths::link(tid, "cwd").map(OsBytes::from),
            result: CallResult::Ok(0),
            commands: Vec::new(),
            trace: exec::trace_of(tid),
        };
        if self.unprivileged && exec::lost_privilege(&caller) {
            self.privilege_lost(&caller, &fact);
        }
        self.out.say(at, Some(caller.id), What::ProcessExec(fact));
    }

    /// After exec it is certain which descriptors that can write were passed on.
    fn check_inherited_writes(&mut self, caller: &Caller) {
        let Some(process) = self.tree.processes.get_mut(&caller.tgid) else { return };
        if process.writes.is_empty() {
            return;
        }
        let open = exec::open_inodes(caller.tgid);
        let mut table = self.desk.watches.lock();
        process.writes.retain(|inode| {
            let Some(entry) = table.by_inode.get_mut(inode) else { return false };
            let holds = open.contains(inode);
            let heir = entry.heirs.iter().position(|heir| *heir == caller.id);
            if let Some(index) = heir {
                entry.heirs.swap_remove(index);
                if holds && !entry.writers.contains(&caller.id) {
                    entry.writers.push(caller.id);
                }
            }
            holds
        });
    }

    fn privilege_lost(&self, caller: &Caller, fact: &ProcessExec) {
        let exe = fact.exe.as_ref().map_or_else(|| "a program".into(), |exe| exe.lossy().into_owned());
        let detail = format!("{exe} asks for the privilege of another user and runs without it, because it is traced");
        let way_out = "run it outside `agentprov record`, or use `--backend procfs`";
        self.notice(detail.clone(), way_out);
        self.out.gap(
            Some(caller.id),
            Gap {
                kind: GapKind::PrivilegeDropped,
                classes: vec![],
                detail,
                way_out: Some(way_out.to_owned()),
                count: 1,
            },
        );
    }

    /// True where the end of the call is waited for.
    fn on_entry(&mut self, tid: i32) -> bool {
        let Some(caller) = self.tree.caller(tid) else { return false };
        let Ok(Some(entry)) = ptrace::call_entry(tid) else { return false };
        let Some(call) = self.lookup.find(entry.arch, entry.number) else {
            self.foreign(&caller);
            return false;
        };
        let pending = self.pending(&caller, call, &entry);
        let wait = pending.is_some();
        if let Some(thread) = self.tree.threads.get_mut(&tid) {
            thread.pending = pending.map(Box::new);
        }
        wait
    }

    fn pending(&mut self, caller: &Caller, call: Call, entry: &Entry) -> Option<Pending> {
        let args = &entry.args;
        let narrow = entry.arch != super::syscalls::NATIVE;
        let tid = caller.tid;
        match call {
            Call::Open | Call::Openat | Call::Openat2 | Call::Creat => self.open_entry(caller, call, args),
            Call::Connect | Call::Bind | Call::Sendto | Call::Sendmsg | Call::Sendmmsg | Call::Socketcall => {
                let (op, addresses) = network::addresses(tid, call, args, narrow)?;
                Some(Pending::Network { op, addresses })
            }
            Call::Execve => {
                let path = memory::read_string(tid, args[0]).unwrap_or_default();
                Some(Pending::Exec { path, dirfd: libc::AT_FDCWD, argv: args[1], narrow })
            }
            Call::Execveat => {
                let path = memory::read_string(tid, args[1]).unwrap_or_default();
                Some(Pending::Exec { path, dirfd: args[0] as i32, argv: args[2], narrow })
            }
            Call::Prctl => (args[0] == libc::PR_SET_SECCOMP as u64).then_some(Pending::Filter),
            // SECCOMP_SET_MODE_STRICT 0, SECCOMP_SET_MODE_FILTER 1; the rest only asks.
            Call::Seccomp => (args[0] <= 1).then_some(Pending::Filter),
            Call::IoUringSetup => Some(Pending::IoUring),
            Call::Ptrace => Some(Pending::Ptrace { request: args[0], pid: args[1] as i32 }),
            Call::Privilege(which) => Some(Pending::Privilege { which, args: privilege::arguments(tid, which, args) }),
            _ => self.change_entry(caller, call, args).map(Pending::Change),
        }
    }

    fn on_exit(&mut self, tid: i32) {
        let Some(caller) = self.tree.caller(tid) else { return };
        let Some(pending) = self.tree.threads.get_mut(&tid).and_then(|thread| thread.pending.take()) else { return };
        let Ok(Some(raw)) = ptrace::call_result(tid) else { return };
        let result = result_of(raw);
        match *pending {
            Pending::OpenRead { dirfd, path, flags } => self.open_read_exit(&caller, dirfd, path, flags, result),
            Pending::OpenWrite { dirfd, path, flags, before } => {
                self.open_write_exit(&caller, dirfd, &path, flags, before, result);
            }
            Pending::Change(change) => self.change_exit(&caller, change, result),
            Pending::Network { op, addresses } => self.network_exit(&caller, op, addresses, result),
            Pending::Privilege { which, args } => {
                if result.succeeded() && privilege::moves_root(which) {
                    self.mark_other_root(&caller);
                }
                self.privileged(&caller, which.name, args, result);
            }
            Pending::Ptrace { request, pid } => self.ptrace_exit(&caller, request, pid, result),
            Pending::Exec { path, dirfd, argv, narrow } => {
                self.failed_exec(&caller, dirfd, path, argv, narrow, result);
            }
            Pending::IoUring if result.succeeded() => self.once(
                &caller,
                Once::IoUring,
                GapKind::IoUring,
                &[ClaimClass::FileWrites, ClaimClass::FileReads, ClaimClass::Contents, ClaimClass::Network],
                "a process set up io_uring: what it does there passes no system call",
            ),
            Pending::Filter if result.succeeded() => self.once(
                &caller,
                Once::InnerFilter,
                GapKind::InnerFilter,
                &[ClaimClass::FileWrites, ClaimClass::FileReads, ClaimClass::Network, ClaimClass::Privilege],
                "a process installed a seccomp filter of its own: calls that it refuses or answers are not seen",
            ),
            Pending::IoUring | Pending::Filter => {}
        }
    }

    fn mark_other_root(&mut self, caller: &Caller) {
        if let Some(process) = self.tree.processes.get_mut(&caller.tgid) {
            process.other_root = true;
        }
    }

    fn failed_exec(&mut self, caller: &Caller, dirfd: i32, path: Vec<u8>, argv: u64, narrow: bool, result: CallResult) {
        let CallResult::Errno(_) = result else { return };
        let generation = self.tree.processes.get(&caller.tgid).map_or(0, |process| process.generation);
        let path = if path.is_empty() { paths::join(caller, dirfd, b"") } else { path };
        let fact = ProcessExec {
            generation,
            path: Some(OsBytes::from(path)),
            exe: None,
            argv: exec::argv_at(caller.tid, argv, narrow),
            argv_cut: None,
            cwd: paths::link(caller.tid, "cwd").map(OsBytes::from),
            result,
            commands: Vec::new(),
            trace: None,
        };
        self.out.say_of(self.out.now(), Some(caller.id), caller.thread(), What::ProcessExec(fact));
    }

    fn network_exit(
        &mut self,
        caller: &Caller,
        op: NetworkOp,
        addresses: Vec<agentprov_model::SocketAddress>,
        result: CallResult,
    ) {
        let at = self.out.now();
        for address in addresses {
            let delegate = (op == NetworkOp::Connect && result.succeeded()).then(|| network::delegate(&address));
            if let Some(name) = delegate.flatten() {
                self.once(
                    caller,
                    Once::DelegatedWork,
                    GapKind::DelegatedWork,
                    &[ClaimClass::Processes, ClaimClass::FileWrites, ClaimClass::Network],
                    &format!("a process talked to {name}, which works outside the recorded tree"),
                );
            }
            let fact = NetworkCall { op, address, result };
            self.out.say_of(at, Some(caller.id), caller.thread(), What::Network(fact));
        }
    }

    fn privileged(&self, caller: &Caller, call: &str, args: Vec<(String, OsBytes)>, result: CallResult) {
        let fact = PrivilegeCall { call: call.to_owned(), args, result };
        self.out.say_of(self.out.now(), Some(caller.id), caller.thread(), What::Privilege(fact));
    }

    fn ptrace_exit(&mut self, caller: &Caller, request: u64, pid: i32, result: CallResult) {
        let name = match request as u32 {
            libc::PTRACE_TRACEME => "PTRACE_TRACEME",
            libc::PTRACE_ATTACH => "PTRACE_ATTACH",
            libc::PTRACE_SEIZE => "PTRACE_SEIZE",
            _ => return,
        };
        let args =
            vec![("request".to_owned(), OsBytes::from(name)), ("pid".to_owned(), OsBytes::from(pid.to_string()))];
        self.privileged(caller, "ptrace", args, result);
        let ours = request as u32 == libc::PTRACE_TRACEME || self.tree.threads.contains_key(&pid);
        if result == CallResult::Errno(libc::EPERM) && ours {
            let first =
                self.tree.processes.get_mut(&caller.tgid).is_some_and(|process| process.first(Once::NestedTracer));
            if first {
                let detail = "a debugger or tracer was refused, because its target is already traced by agentprov";
                let way_out = "run the debugger outside `agentprov record`, or use `--backend procfs`";
                self.notice(detail.to_owned(), way_out);
                let gap = Gap {
                    kind: GapKind::NestedTracer,
                    classes: vec![],
                    detail: detail.to_owned(),
                    way_out: Some(way_out.to_owned()),
                    count: 1,
                };
                self.out.gap(Some(caller.id), gap);
            }
        }
    }

    fn foreign(&mut self, caller: &Caller) {
        self.once(
            caller,
            Once::ForeignArchitecture,
            GapKind::ForeignArchitecture,
            &[ClaimClass::FileWrites, ClaimClass::FileReads, ClaimClass::Network, ClaimClass::Privilege],
            "a process made system calls of another architecture, which are not decoded",
        );
    }

    fn once(&mut self, caller: &Caller, what: Once, kind: GapKind, classes: &[ClaimClass], detail: &str) {
        if self.tree.processes.get_mut(&caller.tgid).is_some_and(|process| process.first(what)) {
            let gap = Gap { kind, classes: classes.to_vec(), detail: detail.to_owned(), way_out: None, count: 1 };
            self.out.gap(Some(caller.id), gap);
        }
    }
}

/// What is known of the namespaces of a new process before it is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Namespaces {
    /// Those of the recorder: its parent is there and did not ask for others.
    Ours,
    Unknown,
}

/// The process of a thread, and its parent: for a thread that is not the first, the process itself.
fn group_and_parent(tid: i32) -> (i32, Option<i32>) {
    let status = std::fs::read_to_string(format!("/proc/{tid}/status")).unwrap_or_default();
    let number = |name: &str| {
        status.lines().find_map(|line| line.strip_prefix(name)).and_then(|text| text.trim().parse::<i32>().ok())
    };
    let tgid = number("Tgid:").unwrap_or(tid);
    (tgid, if tgid == tid { number("PPid:") } else { Some(tgid) })
}

/// The pid in the innermost namespace, `NSpid` in `/proc/<pid>/status`.
fn innermost_pid(pid: i32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    let inner: u32 = line.split_whitespace().next_back()?.parse().ok()?;
    (inner != pid.cast_unsigned()).then_some(inner)
}
