//! Rows for calls of models: what the recording's proxy adds to the first byte of a vendor that answers at once.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::contestant::{Contestant, Evidence};
use super::row::{Aim, Prepared, Row};
use super::statistics::median;
use super::store::{RUN, Store, at_least};
use super::vendor::{Client, Vendor};
use crate::Result;

/// What the proxy may add.
const AIM: Aim = Aim::AboveFirstRival(Duration::from_millis(2));
/// The proxy's memory may grow by so much in the second half of the calls: allocators round, records would add up.
const MOST_GROWTH_KIB: u64 = 1024;

/// How the calls of a run are made.
#[derive(Clone, Copy)]
struct Calls {
    count: usize,
    name: &'static str,
    /// On a connection of its own each, whose making counts.
    each_connects: bool,
}

const WAYS: [Calls; 2] = [
    Calls { count: 2000, name: "proxy: first byte, 2,000 calls on one connection", each_connects: false },
    Calls { count: 200, name: "proxy: first byte, 200 calls with a connection each", each_connects: true },
];

pub(crate) fn rows() -> Vec<Box<dyn Row>> {
    WAYS.into_iter().map(|calls| Box::new(calls) as Box<dyn Row>).collect()
}

impl Row for Calls {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn measures(&self) -> String {
        "median time to the first byte under `record --llm-proxy` against the same calls without it; memory must not grow".to_owned()
    }

    fn aim(&self) -> Option<Aim> {
        Some(AIM)
    }

    fn prepare(&self, agentprov: &Path) -> Result<Prepared> {
        let vendor = Rc::new(Vendor::start().map_err(|error| format!("the vendor does not start: {error}"))?);
        let through = Through {
            calls: *self,
            program: agentprov.to_owned(),
            vendor: vendor.clone(),
            store: None,
            memory: (0, 0),
        };
        Ok(Prepared::Ready(vec![Box::new(through), Box::new(Direct { calls: *self, vendor, done: 0 })]))
    }
}

impl Calls {
    /// Makes them, telling how many are over after each, and says the median time to the first byte.
    fn make(&self, base: &str, mut made: impl FnMut(usize) -> Result<()>) -> Result<Duration> {
        let client = Client::of(base)?;
        let failed = |error: std::io::Error| format!("a call to {base}: {error}");
        let mut samples = Vec::with_capacity(self.count);
        let mut kept = None;
        for number in 1..=self.count {
            let begun = Instant::now();
            let mut stream = match kept.take() {
                Some(stream) => stream,
                None => client.connect().map_err(failed)?,
            };
            // The first call of a connection that is kept pays for it; the median does not see that.
            let first = client.call(&mut stream).map_err(failed)?;
            samples.push(first - begun);
            kept = (!self.each_connects).then_some(stream);
            made(number)?;
        }
        Ok(median(&samples))
    }
}

struct Direct {
    calls: Calls,
    vendor: Rc<Vendor>,
    done: usize,
}

impl Contestant for Direct {
    fn name(&self) -> String {
        "direct".to_owned()
    }

    fn reset(&mut self) -> Result<()> {
        self.done = 0;
        Ok(())
    }

    fn run(&mut self) -> Result<Duration> {
        let done = &mut self.done;
        self.calls.make(&self.vendor.base(), |number| {
            *done = number;
            Ok(())
        })
    }

    fn assert_captured(&mut self) -> Result<Evidence> {
        if self.done != self.calls.count {
            return Err(format!("{} calls of {}", self.done, self.calls.count));
        }
        Ok(Evidence { done: format!("{} calls", self.done), stored_bytes: None })
    }
}

struct Through {
    calls: Calls,
    program: PathBuf,
    vendor: Rc<Vendor>,
    store: Option<Store>,
    /// KiB that the proxy held after half of the calls, and after all.
    memory: (u64, u64),
}

impl Through {
    fn store(&self) -> Result<&Store> {
        self.store.as_ref().ok_or_else(|| "no run was prepared".to_owned())
    }

    /// A recorded command that says where calls are to go, and lives until its input ends.
    fn record(&self) -> Result<(Child, BufReader<ChildStdout>, String)> {
        let mut command = self.store()?.agentprov();
        command.args(["record", "--quiet", "--run", RUN, "--llm-proxy", "--"]);
        command.args(["sh", "-c", "printf '%s\\n' \"$OPENAI_BASE_URL\"; exec cat"]);
        command.env("OPENAI_BASE_URL", self.vendor.base()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("cannot start agentprov: {error}"))?;
        let mut said = BufReader::new(child.stdout.take().ok_or("no output of agentprov")?);
        let mut base = String::new();
        said.read_line(&mut base).map_err(|error| format!("the address of the proxy: {error}"))?;
        Ok((child, said, base.trim().to_owned()))
    }
}

impl Contestant for Through {
    fn name(&self) -> String {
        "through the proxy".to_owned()
    }

    fn reset(&mut self) -> Result<()> {
        self.store = Some(Store::new(&self.program)?);
        Ok(())
    }

    fn run(&mut self) -> Result<Duration> {
        let (mut child, mut said, base) = self.record()?;
        let proxy = proxy_of(child.id());
        let (half, all) = (self.calls.count / 2, self.calls.count);
        let memory = &mut self.memory;
        let took = self.calls.make(&base, |number| {
            if number == half {
                memory.0 = resident(proxy.as_ref().map_err(Clone::clone)?)?;
            } else if number == all {
                memory.1 = resident(proxy.as_ref().map_err(Clone::clone)?)?;
            }
            Ok(())
        });
        // The command ends with its input, also where a call failed.
        drop(child.stdin.take());
        let mut rest = String::new();
        said.read_to_string(&mut rest).map_err(|error| format!("the end of the command: {error}"))?;
        let status = child.wait().map_err(|error| format!("the end of agentprov: {error}"))?;
        if status.success() { took } else { Err(format!("agentprov record: {status}")) }
    }

    fn assert_captured(&mut self) -> Result<Evidence> {
        let store = self.store()?;
        let calls = store.query(&["timeline", "--run", RUN, "--type", "llm_call", "--json", "--limit", "1"])?;
        let found = at_least(&calls, "total_count", self.calls.count as u64)?;
        let (half, all) = self.memory;
        if all > half + MOST_GROWTH_KIB {
            return Err(format!("the proxy's memory grew with the calls from {half} to {all} KiB"));
        }
        let usage = store.query(&["du", "--json"])?;
        Ok(Evidence {
            done: format!("{found} calls recorded, {half} KiB after half of them, {all} KiB at the end"),
            stored_bytes: Some(at_least(&usage, "total_bytes", 1)?),
        })
    }
}

/// The child of a recording that forwards calls.
fn proxy_of(record: u32) -> Result<u32> {
    let threads = std::fs::read_dir(format!("/proc/{record}/task")).into_iter().flatten().flatten();
    let children = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    let children: Vec<u32> = children
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect();
    let forwards = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == b"llm-proxy")
    };
    children.into_iter().find(forwards).ok_or_else(|| "the recording has no proxy".to_owned())
}

/// KiB of memory that a process holds.
fn resident(pid: &u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).ok_or_else(|| format!("{path}: no VmRSS"))
}
