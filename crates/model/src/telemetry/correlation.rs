//! How an event was tied to a scope, and how sure that is.

use crate::ids::{BindingId, RunId};
use crate::telemetry::LeafSet;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// A confidence from 0 to 1, in thousandths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Confidence(u16);

impl Confidence {
    /// Nothing is known.
    pub const NONE: Self = Self(0);
    /// The most that a claim of an agent or SDK gets, whatever number it sends.
    pub const ASSERTED: Self = Self(500);
    /// Certain.
    pub const FULL: Self = Self(1000);

    /// From thousandths; more than 1000 counts as 1000.
    pub const fn from_thousandths(value: u16) -> Self {
        if value > 1000 { Self(1000) } else { Self(value) }
    }

    /// Thousandths.
    pub const fn thousandths(self) -> u16 {
        self.0
    }

    /// From a fraction; None outside 0 to 1 and for NaN.
    pub fn from_fraction(value: f64) -> Option<Self> {
        (0.0..=1.0).contains(&value).then(|| Self((value * 1000.0).round() as u16))
    }

    /// As a fraction, for documents.
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 1000.0
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.fraction())
    }
}

/// The three states of an attribution.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResolutionState {
    /// One scope fits.
    Bound,
    /// Several scopes fit; all are listed.
    Ambiguous,
    /// No scope fits.
    Unattributed,
}

/// On what ground an event was tied to a scope, strongest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Whoever ingested it named the whole context.
    ProvidedContext,
    /// Whoever ingested it named the process.
    ProcessId,
    /// Boot, pid and start time of the bound process.
    ProcessKey,
    /// Cgroup within the binding's window.
    Cgroup,
    /// Container within the binding's window.
    Container,
    /// Pid within the binding's window.
    Pid,
    /// Nothing fitted.
    Unresolved,
}

impl Method {
    /// The most that this ground is worth.
    pub const fn confidence(self) -> Confidence {
        match self {
            Self::ProvidedContext | Self::ProcessId | Self::ProcessKey => Confidence::FULL,
            Self::Cgroup => Confidence(980),
            Self::Container => Confidence(920),
            Self::Pid => Confidence(850),
            Self::Unresolved => Confidence::NONE,
        }
    }

    /// The contract's name of the method; `run_named` where the ingest named a run.
    pub const fn name(self, run_named: bool) -> &'static str {
        match (self, run_named) {
            (Self::ProvidedContext, _) => "provided_context",
            (Self::ProcessId, false) => "process_id:process_id",
            (Self::ProcessId, true) => "process_id:run_id+process_id",
            (Self::ProcessKey, false) => "process_key:boot_id+pid+start_time",
            (Self::ProcessKey, true) => "process_key:run_id+boot_id+pid+start_time",
            (Self::Cgroup, false) => "cgroup_time_window:cgroup_id+time",
            (Self::Cgroup, true) => "cgroup_time_window:run_id+cgroup_id+time",
            (Self::Container, false) => "container_time_window:container_id+time",
            (Self::Container, true) => "container_time_window:run_id+container_id+time",
            (Self::Pid, false) => "pid_time_window:pid+time",
            (Self::Pid, true) => "pid_time_window:run_id+pid+time",
            (Self::Unresolved, _) => "unresolved",
        }
    }
}

/// A scope that fits an event.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Candidate {
    /// The binding.
    pub binding: BindingId,
    /// Its run.
    pub run: RunId,
}

/// How an event came to its context.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Correlation {
    /// Which of the three states.
    pub state: ResolutionState,
    /// On what ground.
    pub method: Method,
    /// Whoever ingested it named a run, and only bindings of that run were asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub run_named: bool,
    /// Never above the binding's own.
    pub confidence: Confidence,
    /// The binding used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<BindingId>,
    /// Who made that binding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding_source: Option<Arc<str>>,
    /// Every scope that fits, where it is more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Candidate>,
}

impl Correlation {
    /// Nothing fitted.
    pub const fn unresolved(run_named: bool) -> Self {
        Self {
            state: ResolutionState::Unattributed,
            method: Method::Unresolved,
            run_named,
            confidence: Confidence::NONE,
            binding: None,
            binding_source: None,
            candidates: Vec::new(),
        }
    }

    /// The contract's name of the method.
    pub const fn method_name(&self) -> &'static str {
        self.method.name(self.run_named)
    }
}

/// A binding that came late: events that stood unattributed are its own. One fact per binding, log and method,
/// never one per event.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Resolution {
    /// The binding.
    pub binding: BindingId,
    /// The log in which the events stand.
    pub log: RunId,
    /// Their leaves there.
    pub leaves: LeafSet,
    /// On what ground.
    pub method: Method,
    /// Never above the binding's own.
    pub confidence: Confidence,
}
