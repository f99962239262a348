//! The detectors of a review, run one after the other.

use crate::detect::capability::Capability;
use crate::detect::gap::CoverageGap;
use crate::detect::input::ScanFile;
use crate::finding::{Finding, Fingerprint};
use std::collections::BTreeSet;

/// What detectors found and what they did not look at.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[must_use]
pub struct Scan {
    /// By place.
    pub findings: Vec<Finding>,
    /// By file.
    pub gaps: Vec<CoverageGap>,
}

impl Scan {
    /// Takes what another scan has.
    pub fn extend(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.gaps.extend(other.gaps);
    }

    /// Orders by place; of two equal findings of one engine one is kept.
    pub fn settle(mut self) -> Self {
        self.findings.sort_by(|a, b| a.place().cmp(&b.place()));
        let mut seen: BTreeSet<(Fingerprint, String)> = BTreeSet::new();
        self.findings.retain(|finding| seen.insert((finding.fingerprint, finding.engine.to_string())));
        self.gaps.sort_unstable();
        self.gaps.dedup();
        self
    }
}

/// An engine that looks at changed files.
pub trait Detector: Send + Sync {
    /// The findings that touch changed lines. What it could not look at is a gap in the result: it does not fail.
    fn scan(&self, files: &[ScanFile]) -> Scan;

    /// What it is and which rules it applies.
    fn capabilities(&self) -> Vec<Capability>;
}

/// The detectors that a review runs.
#[derive(Default)]
pub struct Registry {
    detectors: Vec<Box<dyn Detector>>,
}

impl Registry {
    /// Adds a detector; it runs after those that were added before.
    pub fn register(&mut self, detector: Box<dyn Detector>) {
        self.detectors.push(detector);
    }

    /// The detectors in the order in which they run, for who wants to time them one by one.
    pub fn detectors(&self) -> impl Iterator<Item = &dyn Detector> {
        self.detectors.iter().map(AsRef::as_ref)
    }

    /// What all detectors are.
    pub fn capabilities(&self) -> Vec<Capability> {
        self.detectors.iter().flat_map(|detector| detector.capabilities()).collect()
    }

    /// Runs all detectors.
    pub fn scan(&self, files: &[ScanFile]) -> Scan {
        let mut scan = Scan::default();
        for detector in &self.detectors {
            scan.extend(detector.scan(files));
        }
        scan.settle()
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("detectors", &self.detectors.len()).finish()
    }
}
