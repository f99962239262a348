//! Bindings by every identity that an event may carry, so that no event scans them.

use super::PID_WINDOW_NS;
use agentprov_model::index::container_prefix;
use agentprov_model::telemetry::{Authority, BindingEnded};
use agentprov_model::{BindingId, Confidence, EventTime, Method, RunId, RuntimeIdentity, ScopeBinding, ScopeIds};
use smallvec::SmallVec;
use std::collections::HashMap;

/// Every event asks several of these.
type Index<K, V = Windows> = HashMap<K, V, foldhash::fast::RandomState>;

/// Bindings that fit an event, seldom more than one.
pub(super) type Candidates<'b> = SmallVec<[&'b ScopeBinding; 4]>;

/// Bindings in memory.
#[derive(Debug, Default)]
pub struct BindingIndex {
    bindings: Vec<ScopeBinding>,
    by_id: Index<BindingId, usize>,
    by_process: Index<String>,
    by_key: Index<(u32, u64)>,
    by_cgroup: Index<String>,
    by_container: Index<String>,
    by_pid: Index<u32>,
}

/// Bindings of one identity in the order of their beginnings, each with the latest end up to and including it: a
/// search backwards in time can stop where nothing before reaches the instant.
#[derive(Debug, Default)]
struct Windows(Vec<Window>);

#[derive(Clone, Copy, Debug)]
struct Window {
    started: i64,
    ended: i64,
    latest_end: i64,
    binding: usize,
}

impl Windows {
    fn insert(&mut self, binding: usize, started: EventTime, ended: Option<EventTime>) {
        let started = started.as_nanos();
        let ended = ended.map_or(i64::MAX, EventTime::as_nanos);
        let at = self.0.partition_point(|window| window.started <= started);
        self.0.insert(at, Window { started, ended, latest_end: ended, binding });
        self.update_from(at);
    }

    fn close(&mut self, binding: usize, ended: EventTime) {
        if let Some(at) = self.0.iter().position(|window| window.binding == binding) {
            self.0[at].ended = ended.as_nanos();
            self.update_from(at);
        }
    }

    fn update_from(&mut self, at: usize) {
        let mut latest = at.checked_sub(1).map_or(i64::MIN, |before| self.0[before].latest_end);
        for window in &mut self.0[at..] {
            latest = latest.max(window.ended);
            window.latest_end = latest;
        }
    }

    fn covering(&self, at: EventTime) -> impl Iterator<Item = usize> + '_ {
        let at = at.as_nanos();
        let begun = self.0.partition_point(|window| window.started <= at);
        self.0[..begun]
            .iter()
            .rev()
            .take_while(move |window| window.latest_end >= at)
            .filter(move |window| window.ended >= at)
            .map(|window| window.binding)
    }

    fn all(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().map(|window| window.binding)
    }
}

impl BindingIndex {
    /// How many bindings are known.
    pub fn len(&self) -> usize {
        self.bindings.len()
    }

    /// True where none is known.
    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }

    /// A binding by id.
    pub fn get(&self, id: &BindingId) -> Option<&ScopeBinding> {
        self.bindings.get(*self.by_id.get(id)?)
    }

    /// Takes a binding in; one that is known changes nothing. A claim is never worth more than a claim.
    pub fn insert(&mut self, mut binding: ScopeBinding) {
        if self.by_id.contains_key(&binding.id) {
            return;
        }
        if binding.authority == Authority::Asserted {
            binding.confidence = binding.confidence.min(Confidence::ASSERTED);
        }
        let number = self.bindings.len();
        self.by_id.insert(binding.id.clone(), number);
        self.visit_windows(&binding, |windows| windows.insert(number, binding.started, binding.ended));
        self.bindings.push(binding);
    }

    /// Closes a binding's window.
    pub fn close(&mut self, end: &BindingEnded) {
        let Some(&number) = self.by_id.get(&end.binding) else { return };
        let Some(slot) = self.bindings.get_mut(number) else { return };
        slot.ended = Some(end.ended);
        let binding = slot.clone();
        self.visit_windows(&binding, |windows| windows.close(number, end.ended));
    }

    fn visit_windows(&mut self, binding: &ScopeBinding, mut visit: impl FnMut(&mut Windows)) {
        if let Some(process) = &binding.scope.process {
            visit(self.by_process.entry(process.as_str().to_owned()).or_default());
        }
        if let (Some(pid), Some(start)) = (binding.pid.or(binding.root_pid), binding.start_ticks) {
            visit(self.by_key.entry((pid, start)).or_default());
        }
        if let Some(cgroup) = &binding.cgroup {
            visit(self.by_cgroup.entry(cgroup.clone()).or_default());
        }
        if let Some(container) = &binding.container {
            visit(self.by_container.entry(container_prefix(container).to_owned()).or_default());
        }
        let root = binding.root_pid.filter(|root| binding.pid != Some(*root));
        for pid in binding.pid.into_iter().chain(root) {
            visit(self.by_pid.entry(pid).or_default());
        }
    }

    /// Bindings that fit by one method.
    pub(super) fn candidates(
        &self,
        method: Method,
        identity: &RuntimeIdentity,
        at: EventTime,
        given: &ScopeIds,
    ) -> Candidates<'_> {
        let windows = match method {
            Method::ProcessId => given.process.as_ref().and_then(|id| self.by_process.get(id.as_str())),
            Method::ProcessKey => {
                let key = identity.tgid.or(identity.pid).zip(identity.start_ticks);
                key.and_then(|key| self.by_key.get(&key))
            }
            Method::Cgroup => identity.cgroup.as_ref().and_then(|id| self.by_cgroup.get(id)),
            Method::Container => {
                let prefix = identity.container.as_deref().map(container_prefix);
                prefix.and_then(|prefix| self.by_container.get(prefix))
            }
            Method::Pid => identity.tgid.or(identity.pid).and_then(|pid| self.by_pid.get(&pid)),
            Method::ProvidedContext | Method::Unresolved => None,
        };
        let Some(windows) = windows else { return Candidates::new() };
        let binding = |number: usize| self.bindings.get(number).filter(|binding| fits(method, binding, identity, at));
        match method {
            Method::ProcessId => windows.all().filter_map(binding).collect(),
            _ => windows.covering(at).filter_map(binding).collect(),
        }
    }

    /// Runs that have a binding open at the instant.
    pub fn runs_open_at(&self, at: EventTime) -> Vec<&RunId> {
        let mut runs: Vec<&RunId> =
            self.bindings.iter().filter(|binding| binding.covers(at)).map(|binding| &binding.run).collect();
        runs.sort_unstable();
        runs.dedup();
        runs
    }

    /// The ends that a process's exit brings: of bindings of exactly that process. A pid alone is no identity, so it
    /// closes nothing.
    pub fn ends_at_exit(&self, identity: &RuntimeIdentity, at: EventTime) -> Vec<(RunId, BindingEnded)> {
        let given = ScopeIds::default();
        let of_process = self.candidates(Method::ProcessKey, identity, at, &given).into_iter();
        of_process
            .filter(|binding| binding.ended.is_none())
            .map(|binding| {
                let end = BindingEnded { binding: binding.id.clone(), ended: at, why: "process_exit".to_owned() };
                (binding.run.clone(), end)
            })
            .collect()
    }
}

fn fits(method: Method, binding: &ScopeBinding, identity: &RuntimeIdentity, at: EventTime) -> bool {
    let other_boot = matches!((&binding.boot, &identity.boot), (Some(bound), Some(seen)) if bound != seen);
    if other_boot {
        return false;
    }
    match method {
        Method::Container => match (&binding.container, &identity.container) {
            (Some(bound), Some(seen)) => same_container(bound, seen),
            _ => false,
        },
        Method::Pid => {
            let too_old = binding.ended.is_none() && at.since(binding.started) > PID_WINDOW_NS;
            let bound_pid = binding.pid.or(binding.root_pid);
            // The same pid with another start is another process.
            let reused = bound_pid == identity.tgid.or(identity.pid)
                && matches!((binding.start_ticks, identity.start_ticks), (Some(bound), Some(seen)) if bound != seen);
            !too_old && !reused
        }
        _ => true,
    }
}

/// Shortest cut container id that counts as one.
const CUT_ID: usize = 12;

/// Equal, or one is the other cut short; only ids in hex are ever cut.
fn same_container(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let hex = || long.bytes().all(|byte| byte.is_ascii_hexdigit());
    short == long || (short.len() >= CUT_ID && long.starts_with(short) && hex())
}
