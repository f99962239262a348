//! Nodes and edges of the causality graph.

use agentprov_model::{EventId, EventTime, OsBytes};
use serde::Serialize;

/// Kinds of edges, in causal order: from what caused to what was caused, but for the child's pointer to its parent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// Run (as rollout) to attempt.
    RolloutAttempt,
    /// State before an attempt to the attempt.
    SnapshotAttempt,
    /// Attempt to its session.
    AttemptSession,
    /// Attempt to its tool call.
    AttemptToolCall,
    /// Tool call to its session.
    ToolCallSession,
    /// Tool call to its root process.
    ToolCallProcess,
    /// Tool call to another process in it.
    RuntimeToolCallProcess,
    /// Process to its pid node.
    RuntimeProcessObserved,
    /// Child to parent. The inverse is not drawn: the graph has no cycles.
    RuntimeProcessChildOf,
    /// Process to what it did.
    RuntimeProcessEvent,
    /// Tool call to what happened in it without a known process.
    RuntimeToolCallEvent,
    /// Deed to the file that it touched.
    RuntimeEventFile,
    /// Process to a file that it may have written.
    RuntimeProcessFile,
    /// Tool call to a file that was written in it.
    RuntimeToolCallFile,
    /// Attempt to a file that was written in it.
    RuntimeAttemptFile,
    /// Process to a call of a model that it made through the proxy.
    LlmCall,
    /// Call of a model to what came of a tool call that its response asked for.
    LlmIntentCaused,
    /// What was judged to the decision.
    RuntimeEventPolicyDecision,
    /// Decision to the risk that it signals.
    PolicyDecisionRiskSignal,
    /// Risk to what was done about it.
    RiskSignalResponseAction,
}

impl EdgeKind {
    /// True for edges that telemetry makes.
    pub const fn is_runtime(self) -> bool {
        !matches!(
            self,
            Self::RolloutAttempt
                | Self::SnapshotAttempt
                | Self::AttemptSession
                | Self::AttemptToolCall
                | Self::ToolCallSession
                | Self::ToolCallProcess
                | Self::RuntimeEventPolicyDecision
                | Self::PolicyDecisionRiskSignal
                | Self::RiskSignalResponseAction
        )
    }

    /// The name as it stands in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RolloutAttempt => "rollout_attempt",
            Self::SnapshotAttempt => "snapshot_attempt",
            Self::AttemptSession => "attempt_session",
            Self::AttemptToolCall => "attempt_tool_call",
            Self::ToolCallSession => "tool_call_session",
            Self::ToolCallProcess => "tool_call_process",
            Self::RuntimeToolCallProcess => "runtime_tool_call_process",
            Self::RuntimeProcessObserved => "runtime_process_observed",
            Self::RuntimeProcessChildOf => "runtime_process_child_of",
            Self::RuntimeProcessEvent => "runtime_process_event",
            Self::RuntimeToolCallEvent => "runtime_tool_call_event",
            Self::RuntimeEventFile => "runtime_event_file",
            Self::RuntimeProcessFile => "runtime_process_file",
            Self::RuntimeToolCallFile => "runtime_tool_call_file",
            Self::RuntimeAttemptFile => "runtime_attempt_file",
            Self::LlmCall => "llm_call",
            Self::LlmIntentCaused => "llm_intent_caused",
            Self::RuntimeEventPolicyDecision => "runtime_event_policy_decision",
            Self::PolicyDecisionRiskSignal => "policy_decision_risk_signal",
            Self::RiskSignalResponseAction => "risk_signal_response_action",
        }
    }
}

/// Which side of the target an edge is on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// It leads to the target.
    Upstream,
    /// It leads on from it.
    Downstream,
}

/// An edge.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Edge {
    /// Run.
    pub run_id: String,
    /// Group of attempts.
    pub rollout_id: String,
    /// Node that it starts from.
    pub from_id: String,
    /// Node that it leads to.
    pub to_id: String,
    /// Kind.
    pub edge_type: EdgeKind,
    /// Fact that first showed it; empty where none did.
    pub source_event_id: String,
    /// Event time of that.
    pub created_at: String,
    /// Which side of the target it is on.
    pub side: Side,
    /// For files: `read`, `write` or another verb.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<&'static str>,
    /// Facts that showed it.
    pub count: u64,
    /// Event time, for the order.
    #[serde(skip)]
    pub(super) at: EventTime,
}

/// What is known of an edge when it is found.
pub(super) struct Sighting {
    pub(super) kind: EdgeKind,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) at: EventTime,
    pub(super) event: Option<EventId>,
    pub(super) access: Option<&'static str>,
}

/// Node of a file: below the workspace as the contract names it, else with a name of ours.
pub(super) fn file_node(workspace_path: Option<&OsBytes>, path: &OsBytes) -> String {
    match workspace_path {
        Some(relative) => format!("workspace_file/{}", relative.lossy()),
        None => format!("host_file{}{}", if path.as_bytes().starts_with(b"/") { "" } else { "/" }, path.lossy()),
    }
}
