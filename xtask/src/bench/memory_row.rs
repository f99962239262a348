//! What the recorder holds in memory: a recording three times as long must not need more.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::contestant::{Contestant, Evidence};
use super::row::{Prepared, Row};
use super::store::{RUN, Store, at_least};
use crate::Result;
use crate::scratch::Scratch;

/// Processes of the long and of the short recording.
const PROCESSES: [u32; 2] = [2_400, 800];
/// What the long one may need of the short one's memory, in percent.
const MOST_PERCENT: u64 = 130;
/// Pause between two looks. The peak of anything that lasts longer is seen.
const PAUSE: Duration = Duration::from_millis(5);

pub(crate) struct Memory;

impl Row for Memory {
    fn name(&self) -> String {
        "memory of the recorder: 2,400 processes and 800".to_owned()
    }

    fn measures(&self) -> String {
        "peak of the recorder's own (anonymous) memory over its processes, seen every 5 ms; a recording three times as long \
         may need 1.3 times as much. The times are those of the recordings"
            .to_owned()
    }

    fn prepare(&self, agentprov: &Path) -> Result<Prepared> {
        let peaks = std::rc::Rc::new(std::cell::RefCell::new(BTreeMap::new()));
        let contestant = |processes| -> Result<Box<dyn Contestant>> {
            let workspace = Scratch::new("memory")?;
            let program = agentprov.to_owned();
            Ok(Box::new(Recording { processes, program, workspace, store: None, peaks: std::rc::Rc::clone(&peaks) }))
        };
        Ok(Prepared::Ready(PROCESSES.into_iter().map(contestant).collect::<Result<_>>()?))
    }
}

/// Peaks in KiB by the number of processes recorded, of the latest runs.
type Peaks = std::rc::Rc<std::cell::RefCell<BTreeMap<u32, u64>>>;

struct Recording {
    processes: u32,
    program: PathBuf,
    workspace: Scratch,
    store: Option<Store>,
    peaks: Peaks,
}

impl Recording {
    fn store(&self) -> Result<&Store> {
        self.store.as_ref().ok_or_else(|| "no run was prepared".to_owned())
    }
}

impl Contestant for Recording {
    fn name(&self) -> String {
        format!("{} processes", self.processes)
    }

    fn reset(&mut self) -> Result<()> {
        self.store = Some(Store::new(&self.program)?);
        Ok(())
    }

    fn run(&mut self) -> Result<Duration> {
        let script =
            format!("i=0; while [ $i -lt {} ]; do /bin/true $i; echo $i >f; i=$((i + 1)); done", self.processes);
        let mut command = self.store()?.agentprov();
        command.args(["record", "--quiet", "--run", RUN, "--", "sh", "-c", &script]);
        command.current_dir(self.workspace.path()).stdin(Stdio::null()).stdout(Stdio::null());
        let begun = Instant::now();
        let mut child = command.spawn().map_err(|error| format!("cannot start agentprov: {error}"))?;
        let peak = watch(&mut child)?;
        let took = begun.elapsed();
        self.peaks.borrow_mut().insert(self.processes, peak);
        Ok(took)
    }

    fn assert_captured(&mut self) -> Result<Evidence> {
        let execs = self.store()?.query(&["timeline", "--run", RUN, "--type", "execve", "--json", "--limit", "1"])?;
        let found = at_least(&execs, "total_count", u64::from(self.processes))?;
        let usage = self.store()?.query(&["du", "--json"])?;
        let peaks = self.peaks.borrow();
        let peak = peaks.get(&self.processes).copied().ok_or("no peak was seen")?;
        let [long, short] = PROCESSES.map(|processes| peaks.get(&processes).copied());
        if let (Some(long), Some(short)) = (long, short)
            && long * 100 > short * MOST_PERCENT
        {
            return Err(format!(
                "memory grew with the recording: {short} KiB for {} processes, {long} KiB for {}",
                PROCESSES[1], PROCESSES[0]
            ));
        }
        Ok(Evidence {
            done: format!("{found} programs recorded, {peak} KiB at the peak"),
            stored_bytes: Some(at_least(&usage, "total_bytes", 1)?),
        })
    }
}

/// Waits for a recording; gives the peak in KiB of its own memory and that of the recorder's second process, which is its
/// child. The recorded command is not one of these: it is a grandchild.
fn watch(recorder: &mut Child) -> Result<u64> {
    let pid = recorder.id();
    let mut peak = 0;
    loop {
        if let Some(status) = recorder.try_wait().map_err(|error| format!("the end of agentprov: {error}"))? {
            return if status.success() { Ok(peak) } else { Err(format!("agentprov record: {status}")) };
        }
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let own = children.split_whitespace().filter_map(|child| child.parse().ok()).chain([pid]).map(anonymous);
        peak = own.max().unwrap_or(0).max(peak);
        std::thread::sleep(PAUSE);
    }
}

/// KiB of anonymous memory that a process holds: pages of mapped files belong to the system's cache. 0 where it is gone.
fn anonymous(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
