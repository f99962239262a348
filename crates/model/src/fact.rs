//! Facts: the immutable records of a run's log.
//!
//! The stored body of a fact is `serde_json` of [`Fact`] in declaration order. Those bytes are
//! hashed and never made again; fields may be added with `skip_serializing_if`, never renamed or reordered.

use crate::coverage::Gap;
use crate::decision::{Decision, ResponseAction, RiskSignal, RulesApplied};
use crate::declared::Declared;
use crate::file::{FileChanged, FileOpened, FileVersion, OutputKept};
use crate::ids::{AttemptNo, EventId};
use crate::llm::LlmSaid;
use crate::mcp::McpSaid;
use crate::network::NetworkCall;
use crate::process::{PrivilegeCall, ProcessExec, ProcessExited, ProcessId, ProcessStarted};
use crate::review::ReviewDecision;
use crate::scope::{AttemptEnded, AttemptInterrupted, AttemptStarted, Bound, ScopeEnded};
use crate::telemetry::{BindingEnded, IngestBatch, Pruned, RawLines, Resolution, ScopeBinding, TelemetryEvent};
use crate::time::EventTime;
use serde::{Deserialize, Serialize};

/// One immutable record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fact {
    /// Derived from event time and identity: the same input gives the same id.
    pub id: EventId,
    /// When it happened.
    pub at: EventTime,
    /// When it was appended.
    pub recorded: EventTime,
    /// The attempt it belongs to; 0 for facts about the run.
    pub attempt: AttemptNo,
    /// Who saw it.
    pub vantage: Vantage,
    /// On what ground it stands.
    pub basis: Basis,
    /// The process that did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessId>,
    /// The thread that did it, where it is not the first of its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tid: Option<u32>,
    /// What was taken out before anything was stored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redacted: Vec<Redaction>,
    /// What happened.
    pub what: What,
}

impl Fact {
    /// The bytes that are stored and hashed.
    pub fn to_body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        self.write_body(&mut body);
        body
    }

    /// Appends the bytes that are stored and hashed.
    pub fn write_body(&self, body: &mut Vec<u8>) {
        body.reserve(1024);
        serde_json::to_writer(body, self).expect("a fact has only string keys and writes to memory");
    }

    /// Reads a stored body.
    ///
    /// # Errors
    /// When the bytes are not a fact that this version knows.
    pub fn from_body(body: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(body)
    }
}

/// Who saw it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vantage {
    /// Our tracer behind a seccomp filter.
    Ptrace,
    /// Our sampler of `/proc`.
    Procfs,
    /// agentprov itself: scopes, contents, coverage.
    Engine,
    /// Falco.
    Falco,
    /// Tetragon.
    Tetragon,
    /// LoongCollector.
    Loongcollector,
    /// Linux audit.
    Auditd,
    /// Our eBPF sensor.
    Ebpf,
    /// A hook of an agent.
    Hook,
    /// OpenTelemetry.
    Otlp,
    /// Our relay between an agent and a server.
    Proxy,
    /// A session file of an agent.
    Transcript,
    /// The SDK, or a caller of the command line or HTTP.
    Sdk,
}

impl Vantage {
    /// True where it tells of what had happened by then, from a session file or an export, not while it happens.
    pub const fn is_afterwards(self) -> bool {
        matches!(self, Self::Transcript | Self::Otlp)
    }

    /// The name as it stands in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ptrace => "ptrace",
            Self::Procfs => "procfs",
            Self::Engine => "engine",
            Self::Falco => "falco",
            Self::Tetragon => "tetragon",
            Self::Loongcollector => "loongcollector",
            Self::Auditd => "auditd",
            Self::Ebpf => "ebpf",
            Self::Hook => "hook",
            Self::Otlp => "otlp",
            Self::Proxy => "proxy",
            Self::Transcript => "transcript",
            Self::Sdk => "sdk",
        }
    }
}

/// On what ground a fact stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The kernel or our tracer saw it.
    Observed,
    /// Somebody said so.
    Asserted,
    /// We computed it from other facts.
    Derived,
}

/// A receipt for something that was taken out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Redaction {
    /// Id of the rule.
    pub rule: String,
    /// Where in the fact, such as `argv[3]`.
    pub place: String,
    /// How many matches.
    pub count: u32,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// An attempt begins.
    AttemptStarted(AttemptStarted),
    /// The root process was bound to the scope.
    Bound(Bound),
    /// A process came into the scope.
    ProcessStarted(ProcessStarted),
    /// A process ran a program, or tried to.
    ProcessExec(ProcessExec),
    /// A process ended.
    ProcessExited(ProcessExited),
    /// A process was alive when the recording ended.
    ProcessOutlived,
    /// A file was opened, or that failed.
    FileOpened(FileOpened),
    /// A name or attribute changed, or that failed.
    FileChanged(FileChanged),
    /// A file passed from one state to the next.
    FileVersion(FileVersion),
    /// A socket call with an address.
    Network(NetworkCall),
    /// An attempt to gain or use privilege.
    Privilege(PrivilegeCall),
    /// Something could not be seen.
    Gap(Gap),
    /// A copy of an output stream.
    Output(OutputKept),
    /// The scope's binding window closed.
    ScopeEnded(ScopeEnded),
    /// The attempt ended.
    AttemptEnded(AttemptEnded),
    /// The attempt's recorder was found dead.
    AttemptInterrupted(AttemptInterrupted),
    /// A sensor, hook or caller reported something.
    Telemetry(Box<TelemetryEvent>),
    /// Runtime identities belong to a scope.
    ScopeBinding(Box<ScopeBinding>),
    /// A binding's window closed.
    BindingEnded(BindingEnded),
    /// Events that stood unattributed found their scope.
    Resolution(Resolution),
    /// Manifest of an ingest.
    IngestBatch(IngestBatch),
    /// Raw rows of an ingest.
    RawLines(RawLines),
    /// Bodies of old events are gone on purpose.
    Pruned(Pruned),
    /// Rules judge the attempt from here on.
    RulesApplied(RulesApplied),
    /// An event was judged.
    Decision(Decision),
    /// A judgement that speaks against a process.
    RiskSignal(RiskSignal),
    /// A step of a response to a risk.
    ResponseAction(ResponseAction),
    /// A review decided about a commit.
    ReviewDecision(Box<ReviewDecision>),
    /// An agent said something of itself.
    Declared(Box<Declared>),
    /// Something passed between an agent and an MCP server.
    Mcp(Box<McpSaid>),
    /// The proxy of a recording saw a call of a model, or waits for calls.
    Llm(Box<LlmSaid>),
}
