//! `agentprov record batch`: one recording for each line of a file.

mod document;
mod job;

pub(crate) use document::{BatchDocument, Item, kept_batches};

use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use crate::render;
use agentprov_ingest::hooks::wall_clock;
use clap::{ArgAction, Args};
use job::{Job, Runner, read_jobs};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Records one command for each line of a file of JSON lines.
///
/// A line is an object with `command` (an array), and optionally `job_id`, `shard_id`, `run_id`, `name`, `workdir`,
/// `sample_interval_ms` and `post_root_grace_ms`. Commands read nothing; what they print goes to standard error.
#[derive(Args, Debug)]
pub(crate) struct RecordBatch {
    /// File with the jobs, - for standard input
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// Go on after a job that failed
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true", action = ArgAction::Set)]
    continue_on_error: bool,
    /// Jobs at a time; more than one goes on after failures
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    /// Longest pause between two looks of the procfs back-end, in milliseconds, where the job names none [default: 25]
    #[arg(long, value_name = "MS")]
    sample_interval_ms: Option<u64>,
    /// How long to go on recording processes that outlive a command, in milliseconds, where the job names nothing
    #[arg(long, value_name = "MS", default_value_t = 250)]
    post_root_grace_ms: u64,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

impl RecordBatch {
    pub(crate) fn run(&self, context: &Context) -> CommandResult {
        let input = self.read()?;
        let jobs = read_jobs(&input);
        if jobs.is_empty() {
            return Err(Failure::new(format!("{}: there is no job in it", self.file.display()))
                .hint("a job is a line such as {\"command\":[\"make\",\"test\"]}"));
        }
        let store = context.store_or_new()?;
        let runner = Runner {
            program: std::env::current_exe()?,
            data_dir: store.dir().to_path_buf(),
            key: context.global.key.clone(),
            sample_interval_ms: self.sample_interval_ms,
            post_root_grace_ms: self.post_root_grace_ms,
        };
        let started = wall_clock();
        let items = self.run_all(&runner, &jobs);
        let document = BatchDocument::new(&input, started, wall_clock(), items);
        document.keep(store.dir())?;
        if self.json {
            render::json(&document)?;
        } else {
            let mut out = anstream::stdout();
            document.items.iter().try_for_each(|item| writeln!(out, "{}", item.line()))?;
            writeln!(out, "{}", document.line())?;
        }
        let stopped = !self.goes_on() && document.failed > 0;
        Ok(if stopped { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn read(&self) -> Result<Vec<u8>, Failure> {
        let mut input = Vec::new();
        let read = if self.file.as_os_str() == "-" {
            std::io::stdin().lock().read_to_end(&mut input)
        } else {
            std::fs::File::open(&self.file).and_then(|mut file| file.read_to_end(&mut input))
        };
        read.map_err(|error| Failure::new(format!("{}: {error}", self.file.display())))?;
        Ok(input)
    }

    fn goes_on(&self) -> bool {
        self.continue_on_error || self.concurrency > 1
    }

    /// Items in the order of the jobs; those after a failure that ends the batch are skipped.
    fn run_all(&self, runner: &Runner, jobs: &[Job]) -> Vec<Item> {
        let next = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        let done: Mutex<Vec<Item>> = Mutex::new(Vec::new());
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(job) = jobs.get(index) else { return };
                let item = if stop.load(Ordering::Relaxed) { job.skipped(index) } else { runner.run(index, job) };
                if item.status == "failed" && !self.goes_on() {
                    stop.store(true, Ordering::Relaxed);
                }
                done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(item);
            }
        };
        std::thread::scope(|scope| {
            (1..self.concurrency).for_each(|_| {
                scope.spawn(work);
            });
            work();
        });
        let mut items = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        items.sort_by_key(|item| item.index);
        items
    }
}
