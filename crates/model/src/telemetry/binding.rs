//! Bindings: the evidence that ties runtime identities to a scope.

use crate::ids::{BindingId, RunId};
use crate::process::{BootId, ProcessKey};
use crate::telemetry::{Confidence, ScopeIds};
use crate::time::EventTime;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Who stands behind a binding; of several that fit, the strongest wins before any other rule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authority {
    /// An agent or SDK said so about itself.
    Asserted,
    /// The harness that runs the agent.
    Harness,
    /// Whoever started the process.
    Launched,
}

/// Runtime identities belong to a scope while the window lasts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ScopeBinding {
    /// Its id.
    pub id: BindingId,
    /// The run.
    pub run: RunId,
    /// The scope inside the run.
    pub scope: ScopeIds,
    /// Container id, cut or whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Cgroup id or path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
    /// Pid of the first process of the scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_pid: Option<u32>,
    /// Pid of the bound process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Boot of its host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<BootId>,
    /// Start of the bound process in ticks of 10 ms since boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_ticks: Option<u64>,
    /// The window begins.
    pub started: EventTime,
    /// The window ends, this instant included; open while absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<EventTime>,
    /// Who made it, in the contract's words.
    pub source: Arc<str>,
    /// Who stands behind it.
    pub authority: Authority,
    /// How sure it is.
    pub confidence: Confidence,
}

impl ScopeBinding {
    /// Key of the bound process, where boot and start are known.
    pub fn process_key(&self) -> Option<ProcessKey> {
        Some(ProcessKey { boot: self.boot.clone()?, pid: self.pid.or(self.root_pid)?, start_ticks: self.start_ticks? })
    }

    /// True where the instant lies in the window.
    pub fn covers(&self, at: EventTime) -> bool {
        self.started <= at && self.ended.is_none_or(|ended| at <= ended)
    }
}

/// A binding's window closed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BindingEnded {
    /// The binding.
    pub binding: BindingId,
    /// Last instant of the window.
    pub ended: EventTime,
    /// Why, such as `process_exit`.
    pub why: String,
}
