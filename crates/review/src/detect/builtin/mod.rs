//! The engine that comes with agentprov: syntax trees, lines, Dockerfile instructions and secrets.

mod dockerfile;
mod encoding;
mod file;
mod grammar;
mod pack;
mod rule;
mod secret;
pub mod spec;
mod tree;
pub(crate) mod yaml;

pub use pack::RulePack;
pub use rule::{Rule, RuleError};

use crate::detect::capability::{self, Capability};
use crate::detect::gap::{CoverageGap, GapReason};
use crate::detect::input::ScanFile;
use crate::detect::registry::{Detector, Scan};
use crate::finding::Engine;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The name under which it reports.
pub const ENGINE: Engine = Engine::from_static("agentprov");

/// The built-in engine.
#[derive(Debug)]
pub struct Builtin {
    pack: RulePack,
    threads: NonZeroUsize,
}

impl Builtin {
    /// With these rules, on that many threads at most.
    pub fn new(pack: RulePack, threads: NonZeroUsize) -> Self {
        Self { pack, threads }
    }

    /// Its rules.
    pub fn pack(&self) -> &RulePack {
        &self.pack
    }

    fn scan_all(&self, files: &[ScanFile]) -> Vec<(usize, Scan)> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            while let Some((at, file)) =
                Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, files.get(at)?)))
            {
                done.push((at, self.scan_file(file)));
            }
            done
        };
        let helpers = self.threads.get().min(files.len()).saturating_sub(1);
        std::thread::scope(|scope| {
            let handles: Vec<_> = (0..helpers).map(|_| scope.spawn(work)).collect();
            let mut done = work();
            done.extend(handles.into_iter().filter_map(|handle| handle.join().ok()).flatten());
            done
        })
    }

    /// A defect of a grammar must not take the review with it, and must not pass for a clean file.
    fn scan_file(&self, file: &ScanFile) -> Scan {
        let scanned = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| file::scan(&self.pack, file)));
        scanned.unwrap_or_else(|_| failed(file))
    }
}

fn failed(file: &ScanFile) -> Scan {
    let reason = GapReason::EngineFailed { detail: "it panicked on this file".into() };
    Scan { gaps: vec![CoverageGap { path: Some(file.path.clone()), engine: ENGINE, reason }], ..Scan::default() }
}

impl Detector for Builtin {
    fn scan(&self, files: &[ScanFile]) -> Scan {
        let mut parts: Vec<Option<Scan>> = files.iter().map(|_| None).collect();
        for (at, part) in self.scan_all(files) {
            if let Some(place) = parts.get_mut(at) {
                *place = Some(part);
            }
        }
        let mut scan = Scan::default();
        for (part, file) in parts.into_iter().zip(files) {
            scan.extend(part.unwrap_or_else(|| failed(file)));
        }
        scan
    }

    fn capabilities(&self) -> Vec<Capability> {
        let mut capability = Capability::named(ENGINE.as_str(), "Rules on syntax trees, text, images and secrets");
        capability.engine_version = Some(env!("CARGO_PKG_VERSION").into());
        capability.rule_count = Some(self.pack.rules().len() as u64);
        capability.digest = Some(self.pack.digest().to_owned());
        if let Some(folder) = self.pack.folder() {
            capability.config_path = capability::base_name(folder);
            capability.config_sha256 = self.pack.folder_digest().map(str::to_owned);
            capability.last_modified = capability::last_modified(folder);
        }
        vec![capability]
    }
}
