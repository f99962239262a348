//! The contract's names for what facts are: event types, lanes and sources.

use crate::declared::Deed;
use crate::fact::{Fact, What};
use crate::file::FileOp;
use crate::llm::LlmDeed;
use crate::mcp::McpDeed;
use crate::network::{Destination, NetworkOp, SocketAddress};
use crate::process::ProcessOrigin;

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name as it stands in documents.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The value of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.name() == name)
            }
        }
    };
}

named!(
    /// `type` of a timeline row and `event_type` of a telemetry row.
    EventType {
        /// A tool call began.
        ToolCallStart = "tool_call_start",
        /// A tool call ended.
        ToolCallEnd = "tool_call_end",
        /// A scope's root process was bound.
        ProcessStart = "process_start",
        /// A scope's binding window closed.
        ProcessEnd = "process_end",
        /// The recorder started the command.
        ExecStart = "exec_start",
        /// The command ended.
        ExecEnd = "exec_end",
        /// The command could not be started.
        ExecError = "exec_error",
        /// A descendant was seen.
        ProcessObserved = "process_observed",
        /// A program was run, or that failed.
        Execve = "execve",
        /// A descendant ended.
        ProcessExit = "process_exit",
        /// A file was opened, or that failed.
        FileOpen = "file_open",
        /// A file holds a new content.
        FileWrite = "file_write",
        /// A file was renamed.
        FileRename = "file_rename",
        /// A name was removed.
        FileUnlink = "file_unlink",
        /// A link was made.
        FileLink = "file_link",
        /// A directory or node was made, or attributes changed.
        FileMeta = "file_meta",
        /// A connection to a public or loopback address.
        NetworkConnect = "network_connect",
        /// A connection to a cloud metadata address.
        MetadataIp = "metadata_ip",
        /// A connection to a private address.
        PrivateCidr = "private_cidr",
        /// A socket was bound to an address.
        NetworkBind = "network_bind",
        /// A connection or message on this host only (unix sockets and the like).
        IpcConnect = "ipc_connect",
        /// setuid and relatives.
        Setuid = "setuid",
        /// setgid and relatives.
        Setgid = "setgid",
        /// ptrace.
        Ptrace = "ptrace",
        /// Another privileged call.
        Privilege = "privilege",
        /// A process outlived its root.
        AbnormalProcessTree = "abnormal_process_tree",
        /// Something could not be seen.
        CoverageGap = "coverage_gap",
        /// A copy of an output stream.
        Output = "output",
        /// The recorder was killed.
        Interrupted = "interrupted",
        /// Rules judge an attempt from here on.
        PolicyRules = "policy_rules",
        /// An event was judged.
        PolicyDecision = "policy_decision",
        /// A judgement that speaks against a process.
        RiskSignal = "risk_signal",
        /// A step of a response.
        ResponseAction = "response_action",
        /// A file that holds secrets was opened or read.
        SecretPath = "secret_path",
        /// A process was made.
        ProcessFork = "process_fork",
        /// A connection was taken.
        NetworkAccept = "network_accept",
        /// Something was sent to a public or loopback address.
        NetworkSend = "network_send",
        /// Something was received.
        NetworkReceive = "network_receive",
        /// A connection was closed.
        NetworkClose = "network_close",
        /// A name was looked up.
        DnsQuery = "dns_query",
        /// Plain text came out of TLS.
        TlsRead = "tls_read",
        /// Plain text went into TLS.
        TlsWrite = "tls_write",
        /// A resource ran short.
        ResourcePressure = "resource_pressure",
        /// A policy of the source spoke.
        PolicyVerdict = "policy_verdict",
        /// Memory was mapped executable.
        ExecMap = "exec_map",
        /// io_uring was used.
        IoUring = "io_uring",
        /// A scope was tied to runtime identities.
        ScopeBound = "scope_bound",
        /// That tie's window closed.
        ScopeUnbound = "scope_unbound",
        /// Events that stood unattributed found their scope.
        ScopeResolved = "scope_resolved",
        /// Manifest of an ingest.
        TelemetryBatch = "telemetry_batch",
        /// Raw rows of an ingest.
        TelemetryRaw = "telemetry_raw",
        /// Bodies of old events are gone on purpose.
        TelemetryPruned = "telemetry_pruned",
        /// A review decided about a commit.
        ReviewDecision = "review_decision",
        /// An agent's session began.
        AgentSessionStart = "agent_session_start",
        /// An agent's session ended.
        AgentSessionEnd = "agent_session_end",
        /// The user asked an agent something.
        AgentPrompt = "agent_prompt",
        /// An agent declared that a tool call begins.
        DeclaredCallStart = "declared_call_start",
        /// An agent declared that a tool call ended.
        DeclaredCallEnd = "declared_call_end",
        /// A subagent began or ended.
        AgentSubagent = "agent_subagent",
        /// Something was asked of an MCP server, or by it.
        McpRequest = "mcp_request",
        /// It was answered.
        McpResponse = "mcp_response",
        /// An MCP server described its tools otherwise than before.
        McpToolsChanged = "mcp_tools_changed",
        /// Something else passed between an agent and an MCP server.
        McpEvent = "mcp_event",
        /// A model was called through the recording's proxy.
        LlmCall = "llm_call",
        /// A proxy for calls of models waits.
        LlmProxy = "llm_proxy",
        /// An agent said something else of itself.
        AgentEvent = "agent_event",
    }
);

impl EventType {
    /// True where windows count the event as high risk.
    pub const fn is_high_risk(self) -> bool {
        matches!(
            self,
            Self::SecretPath
                | Self::MetadataIp
                | Self::PrivateCidr
                | Self::AbnormalProcessTree
                | Self::ResourcePressure
        )
    }

    /// True for what an agent said of itself.
    pub const fn is_declared(self) -> bool {
        matches!(
            self,
            Self::AgentSessionStart
                | Self::AgentSessionEnd
                | Self::AgentPrompt
                | Self::DeclaredCallStart
                | Self::DeclaredCallEnd
                | Self::AgentSubagent
                | Self::AgentEvent
                | Self::McpRequest
                | Self::McpResponse
                | Self::McpToolsChanged
                | Self::McpEvent
                | Self::LlmCall
                | Self::LlmProxy
        )
    }
}

named!(
    /// Lane of a timeline row.
    Lane {
        /// What the application said about itself.
        AgentContext = "agent_context",
        /// The scope's process.
        RuntimeProcess = "runtime_process",
        /// What the kernel or a sensor saw.
        RuntimeTelemetry = "runtime_telemetry",
        /// What the recorder says about its evidence.
        Evidence = "evidence",
        /// What was judged, and what was done about it.
        RiskPolicy = "risk_policy",
    }
);

impl Fact {
    /// The contract's name for this fact.
    pub fn event_type(&self) -> EventType {
        match &self.what {
            What::AttemptStarted(_) => EventType::ToolCallStart,
            What::AttemptEnded(_) => EventType::ToolCallEnd,
            What::Bound(_) => EventType::ProcessStart,
            What::ScopeEnded(_) => EventType::ProcessEnd,
            What::ProcessStarted(p) if p.origin == ProcessOrigin::Root => EventType::ExecStart,
            What::ProcessStarted(_) => EventType::ProcessObserved,
            What::ProcessExec(_) => EventType::Execve,
            What::ProcessExited(p) if p.root && p.outcome.as_ref().is_some_and(not_started) => EventType::ExecError,
            What::ProcessExited(p) if p.root => EventType::ExecEnd,
            What::ProcessExited(_) => EventType::ProcessExit,
            What::ProcessOutlived => EventType::AbnormalProcessTree,
            What::FileOpened(_) => EventType::FileOpen,
            What::FileChanged(change) => file_change_type(change.op),
            What::FileVersion(_) => EventType::FileWrite,
            What::Network(call) => network_type(call.op, &call.address),
            What::Privilege(call) => privilege_type(&call.call),
            What::Gap(_) => EventType::CoverageGap,
            What::Output(_) => EventType::Output,
            What::AttemptInterrupted(_) => EventType::Interrupted,
            What::RulesApplied(_) => EventType::PolicyRules,
            What::Decision(_) => EventType::PolicyDecision,
            What::RiskSignal(_) => EventType::RiskSignal,
            What::ResponseAction(_) => EventType::ResponseAction,
            What::Telemetry(event) => event.event_type(),
            What::ScopeBinding(_) => EventType::ScopeBound,
            What::BindingEnded(_) => EventType::ScopeUnbound,
            What::Resolution(_) => EventType::ScopeResolved,
            What::IngestBatch(_) => EventType::TelemetryBatch,
            What::RawLines(_) => EventType::TelemetryRaw,
            What::Pruned(_) => EventType::TelemetryPruned,
            What::ReviewDecision(_) => EventType::ReviewDecision,
            What::Declared(declared) => declared_type(&declared.deed),
            What::Mcp(said) => mcp_type(&said.deed),
            What::Llm(said) => match &said.deed {
                LlmDeed::Call(_) => EventType::LlmCall,
                LlmDeed::Listening { .. } => EventType::LlmProxy,
            },
        }
    }

    /// The lane in which the fact stands.
    pub fn lane(&self) -> Lane {
        match self.event_type() {
            EventType::ToolCallStart | EventType::ToolCallEnd => Lane::AgentContext,
            EventType::ProcessStart | EventType::ProcessEnd => Lane::RuntimeProcess,
            EventType::PolicyRules
            | EventType::PolicyDecision
            | EventType::RiskSignal
            | EventType::ResponseAction
            | EventType::ReviewDecision => Lane::RiskPolicy,
            EventType::ScopeBound | EventType::ScopeUnbound => Lane::AgentContext,
            kind if kind.is_declared() => Lane::AgentContext,
            EventType::CoverageGap
            | EventType::Output
            | EventType::Interrupted
            | EventType::ScopeResolved
            | EventType::TelemetryBatch
            | EventType::TelemetryRaw
            | EventType::TelemetryPruned => Lane::Evidence,
            _ => Lane::RuntimeTelemetry,
        }
    }

    /// The contract's name for who reported the fact.
    pub fn source(&self) -> &str {
        match &self.what {
            What::Telemetry(event) => event.source.as_str(),
            _ => self.own_source(),
        }
    }

    /// The source of a fact that no sensor reported.
    pub(crate) fn own_source(&self) -> &'static str {
        if matches!(self.what, What::Declared(_) | What::Mcp(_) | What::Llm(_)) {
            return "application_context";
        }
        match self.event_type() {
            EventType::ToolCallStart | EventType::ToolCallEnd | EventType::ScopeBound | EventType::ScopeUnbound => {
                "application_context"
            }
            EventType::ProcessStart | EventType::ProcessEnd => "runtime",
            EventType::ProcessObserved | EventType::AbnormalProcessTree => "record_process_sample",
            EventType::FileWrite => "record_file_diff",
            EventType::PolicyRules | EventType::PolicyDecision | EventType::RiskSignal | EventType::ResponseAction => {
                "security"
            }
            EventType::ReviewDecision => "review",
            EventType::CoverageGap
            | EventType::Output
            | EventType::Interrupted
            | EventType::ScopeResolved
            | EventType::TelemetryBatch
            | EventType::TelemetryRaw
            | EventType::TelemetryPruned => "evidence",
            _ => "record",
        }
    }
}

fn declared_type(deed: &Deed) -> EventType {
    match deed {
        Deed::SessionStarted(_) => EventType::AgentSessionStart,
        Deed::SessionEnded(_) => EventType::AgentSessionEnd,
        Deed::Prompt(_) => EventType::AgentPrompt,
        Deed::CallStarted(_) => EventType::DeclaredCallStart,
        Deed::CallEnded(_) => EventType::DeclaredCallEnd,
        Deed::SubagentStarted | Deed::SubagentEnded => EventType::AgentSubagent,
        Deed::TurnEnded(_) | Deed::CallRoster(_) | Deed::Other | Deed::Unreadable { .. } => EventType::AgentEvent,
    }
}

fn mcp_type(deed: &McpDeed) -> EventType {
    match deed {
        McpDeed::Request(_) => EventType::McpRequest,
        McpDeed::Response(_) => EventType::McpResponse,
        McpDeed::Tools { changed, .. } if !changed.is_empty() => EventType::McpToolsChanged,
        McpDeed::Started { .. }
        | McpDeed::Ready { .. }
        | McpDeed::Tools { .. }
        | McpDeed::Notification { .. }
        | McpDeed::Unreadable { .. }
        | McpDeed::Ended { .. } => EventType::McpEvent,
    }
}

fn not_started(outcome: &crate::outcome::Outcome) -> bool {
    matches!(outcome, crate::outcome::Outcome::NotStarted { .. })
}

fn file_change_type(op: FileOp) -> EventType {
    match op {
        FileOp::Rename | FileOp::Exchange => EventType::FileRename,
        FileOp::Unlink | FileOp::Rmdir => EventType::FileUnlink,
        FileOp::Link | FileOp::Symlink => EventType::FileLink,
        FileOp::Mkdir | FileOp::Mknod | FileOp::Chmod | FileOp::Chown | FileOp::Truncate => EventType::FileMeta,
    }
}

fn network_type(op: NetworkOp, address: &SocketAddress) -> EventType {
    match (op, address) {
        (NetworkOp::Bind, _) => EventType::NetworkBind,
        (_, SocketAddress::Ip { ip, .. }) => match Destination::of(*ip) {
            Destination::Metadata => EventType::MetadataIp,
            Destination::Private => EventType::PrivateCidr,
            Destination::Loopback | Destination::Public => EventType::NetworkConnect,
        },
        (_, SocketAddress::Unreadable) => EventType::NetworkConnect,
        (_, SocketAddress::Unix { .. } | SocketAddress::Other { .. }) => EventType::IpcConnect,
    }
}

pub(crate) fn privilege_type(call: &str) -> EventType {
    match call {
        "setuid" | "setreuid" | "setresuid" | "setfsuid" => EventType::Setuid,
        "setgid" | "setregid" | "setresgid" | "setfsgid" | "setgroups" => EventType::Setgid,
        "ptrace" => EventType::Ptrace,
        _ => EventType::Privilege,
    }
}
