//! Keys under which facts can be looked up, and the counts kept of them.
//!
//! The store writes one posting row per key and transaction; keys are hashed to 64 bits there, so a
//! reader must check that the fact it gets really has the key ([`Fact::has_key`]).

use crate::declared::{Declared, Deed};
use crate::fact::{Fact, What};
use crate::telemetry::{ResolutionState, ScopeIds, TelemetryEvent};
use crate::window::WindowCell;
use std::borrow::Cow;

/// What a key names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum KeyKind {
    /// Name of the event type.
    Type = 1,
    /// Raw id of the acting process.
    Process = 2,
    /// Absolute path; facts with two paths have two keys.
    Path = 3,
    /// Raw SHA-256 of a content that a version left behind.
    Content = 4,
    /// Raw git blob id of a content that a version left behind.
    GitBlob = 5,
    /// Tool call of a telemetry event.
    ToolCall = 6,
    /// Session of a telemetry event.
    Session = 7,
    /// Process of a telemetry event, by the application's name.
    LogicalProcess = 8,
    /// First twelve characters of the container id of an event that bound to no scope.
    Container = 9,
    /// Cgroup of an event that bound to no scope.
    Cgroup = 10,
    /// Pid, in decimal, of an event that bound to no scope.
    Pid = 11,
    /// Id of a binding that a fact makes, ends or resolves events to.
    Binding = 12,
    /// Identity of an event whose source gave no time.
    Untimed = 13,
    /// Tool call that an agent declared.
    DeclaredCall = 14,
    /// Session of what an agent said of itself.
    DeclaredSession = 15,
    /// What an agent said of itself, in all.
    Declared = 16,
    /// Name of the commit that a review decided about.
    Commit = 17,
}

/// A key of a fact.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct IndexKey<'a> {
    /// What it names.
    pub kind: KeyKind,
    /// The value.
    pub value: &'a [u8],
}

impl IndexKey<'_> {
    /// FNV-1a, 64 bits: stable across versions and machines, because it is stored.
    pub fn hash(&self) -> u64 {
        const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0000_0100_0000_01b3;
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
        self.value.iter().fold(step(OFFSET, &(self.kind as u8)), step)
    }
}

impl Fact {
    /// Calls `visit` with every key of the fact. A key may come twice.
    pub fn visit_keys(&self, mut visit: impl FnMut(IndexKey<'_>)) {
        visit(IndexKey { kind: KeyKind::Type, value: self.event_type().name().as_bytes() });
        if let Some(process) = &self.process {
            visit(IndexKey { kind: KeyKind::Process, value: process.as_bytes() });
        }
        let mut path = |value: &[u8]| visit(IndexKey { kind: KeyKind::Path, value });
        match &self.what {
            What::FileOpened(open) => path(open.path.as_bytes()),
            What::FileChanged(change) => {
                path(change.path.as_bytes());
                if let Some(second) = &change.path2 {
                    path(second.as_bytes());
                }
            }
            What::FileVersion(version) => {
                path(version.path.as_bytes());
                if let Some(content) = version.after.content() {
                    visit(IndexKey { kind: KeyKind::Content, value: content.sha256.as_bytes() });
                    if let Some(git) = &content.git {
                        visit(IndexKey { kind: KeyKind::GitBlob, value: git.as_bytes() });
                    }
                }
            }
            What::Telemetry(event) => visit_telemetry(event, &mut visit),
            What::Declared(declared) => visit_declared(declared, &mut visit),
            What::ScopeBinding(binding) => {
                visit_scope(&binding.scope, &mut visit);
                visit(IndexKey { kind: KeyKind::Binding, value: binding.id.as_str().as_bytes() });
            }
            What::BindingEnded(end) => {
                visit(IndexKey { kind: KeyKind::Binding, value: end.binding.as_str().as_bytes() })
            }
            What::Resolution(resolution) => {
                visit(IndexKey { kind: KeyKind::Binding, value: resolution.binding.as_str().as_bytes() })
            }
            What::ReviewDecision(decision) => {
                visit(IndexKey { kind: KeyKind::Commit, value: decision.head_commit.as_bytes() })
            }
            _ => {}
        }
    }

    /// True where the fact really has this key.
    pub fn has_key(&self, wanted: IndexKey<'_>) -> bool {
        let mut found = false;
        self.visit_keys(|key| found |= key == wanted);
        found
    }

    /// What the fact adds to the counts of windows.
    pub fn window_cell(&self) -> Option<WindowCell> {
        match &self.what {
            What::Telemetry(event) => Some(WindowCell::of(self.at, event)),
            _ => None,
        }
    }

    /// Calls `visit` with the name of every count that this fact raises by one, but for those of [`Self::window_cell`].
    pub fn visit_counts(&self, mut visit: impl FnMut(CountName)) {
        visit(CountName { group: CountGroup::Type, name: self.event_type().name().into() });
        visit(CountName { group: CountGroup::Lane, name: self.lane().name().into() });
        match &self.what {
            What::Telemetry(event) => {
                visit(CountName { group: CountGroup::Source, name: event.source.to_name() });
                visit(CountName { group: CountGroup::Correlation, name: event.correlation.method_name().into() });
            }
            What::Pruned(pruned) => {
                visit(CountName { group: CountGroup::Source, name: self.own_source().into() });
                // The windows outlive their events.
                for (name, count) in &pruned.windows {
                    (0..*count).for_each(|_| visit(CountName { group: CountGroup::Window, name: name.clone().into() }));
                }
            }
            What::FileVersion(_) if self.process.is_none() => {
                visit(CountName { group: CountGroup::Source, name: self.own_source().into() });
                visit(CountName { group: CountGroup::WithoutProcess, name: self.event_type().name().into() });
            }
            _ => visit(CountName { group: CountGroup::Source, name: self.own_source().into() }),
        }
    }
}

/// Identities are indexed only where a later binding may want the event; a bound one is found by its scope.
fn visit_telemetry(event: &TelemetryEvent, visit: &mut impl FnMut(IndexKey<'_>)) {
    for path in event.body.paths() {
        visit(IndexKey { kind: KeyKind::Path, value: path.as_bytes() });
    }
    visit_scope(&event.scope, visit);
    if let Some(key) = &event.untimed_key {
        visit(IndexKey { kind: KeyKind::Untimed, value: key.as_bytes() });
    }
    if event.correlation.state == ResolutionState::Bound {
        return;
    }
    let identity = &event.identity;
    if let Some(container) = &identity.container {
        visit(IndexKey { kind: KeyKind::Container, value: container_prefix(container).as_bytes() });
    }
    if let Some(cgroup) = &identity.cgroup {
        visit(IndexKey { kind: KeyKind::Cgroup, value: cgroup.as_bytes() });
    }
    if let Some(pid) = identity.tgid.or(identity.pid) {
        visit(IndexKey { kind: KeyKind::Pid, value: pid.to_string().as_bytes() });
    }
}

fn visit_declared(declared: &Declared, visit: &mut impl FnMut(IndexKey<'_>)) {
    visit(IndexKey { kind: KeyKind::Declared, value: b"" });
    if let Some(session) = &declared.session {
        visit(IndexKey { kind: KeyKind::DeclaredSession, value: session.as_str().as_bytes() });
    }
    if let Some(call) = declared.call() {
        visit(IndexKey { kind: KeyKind::DeclaredCall, value: call.id.as_str().as_bytes() });
    }
    if let Deed::CallRoster(calls) = &declared.deed {
        for call in calls {
            visit(IndexKey { kind: KeyKind::DeclaredCall, value: call.id.as_str().as_bytes() });
        }
    }
}

fn visit_scope(scope: &ScopeIds, visit: &mut impl FnMut(IndexKey<'_>)) {
    if let Some(session) = &scope.session {
        visit(IndexKey { kind: KeyKind::Session, value: session.as_str().as_bytes() });
    }
    if let Some(tool_call) = &scope.tool_call {
        visit(IndexKey { kind: KeyKind::ToolCall, value: tool_call.as_str().as_bytes() });
    }
    if let Some(process) = &scope.process {
        visit(IndexKey { kind: KeyKind::LogicalProcess, value: process.as_str().as_bytes() });
    }
}

/// Collectors cut container ids to twelve characters or more: the part that every form shares.
pub fn container_prefix(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// Group of a count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum CountGroup {
    /// By event type.
    Type = 1,
    /// By lane.
    Lane = 2,
    /// By source.
    Source = 3,
    /// By the method that tied telemetry to its scope.
    Correlation = 4,
    /// By window of time (see [`crate::window`]).
    Window = 5,
    /// By event type, versions whose process is not known. Every other runtime fact of a recorder has one.
    WithoutProcess = 6,
}

/// Name of a count.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CountName {
    /// Its group.
    pub group: CountGroup,
    /// Its name inside the group.
    pub name: Cow<'static, str>,
}
