//! Containers: what sensors saw in them, to the call whose client started them.
//!
//! A container's processes are children of a daemon: no lineage leads from a call to them, and no recorder that follows
//! children sees them. What a call has is the client, `docker` or one like it. It may name the container, or it ran
//! when the container first showed itself. A container has an owner, whose client started it; what a client of another
//! call let run in it (`docker exec`) is that call's.

use super::binding::{Binding, BindingState, CallNo, Rung};
use super::clients::{Request, Verb, is_hex};
use super::{Call, Tree};
use crate::attempts::facts_of_type;
use crate::error::GraphError;
use crate::processes::Process;
use crate::timeline::sentence;
use agentprov_model::index::container_prefix;
use agentprov_model::telemetry::{ScopeIds, TelemetryBody};
use agentprov_model::{EventId, EventTime, EventType, Fact, Outcome, ProcessId, TelemetryEvent, What};
use agentprov_store::{Reader, RunRow};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The status of `docker run` where the daemon refused, as it does a name that is taken.
const REFUSED: Outcome = Outcome::Exited(125);

/// Sensors and recorder may date an instant by different clocks of the host.
const SLACK_NANOS: i64 = 1_000_000_000;

/// What a sensor may tell of a container, as far as a call can be held against it.
const KINDS: [EventType; 9] = [
    EventType::Execve,
    EventType::FileWrite,
    EventType::FileRename,
    EventType::FileUnlink,
    EventType::NetworkConnect,
    EventType::NetworkSend,
    EventType::MetadataIp,
    EventType::PrivateCidr,
    EventType::SecretPath,
];

/// A container that sensors told of.
#[derive(Clone, Debug)]
pub struct Contained {
    /// Its id, cut to what every sensor gives.
    pub container: String,
    /// When it first showed itself.
    pub first_at: EventTime,
    /// Its events, in order of time.
    pub events: Vec<EventId>,
    /// What was done in it, each once.
    pub deeds: Vec<String>,
    /// To which call it belongs.
    pub binding: Binding,
}

/// A client of a call, as long as it ran.
struct Client<'t> {
    process: &'t Process,
    calls: &'t [CallNo],
    began: EventTime,
    event: EventId,
    words: Vec<&'t str>,
}

/// A client with what it asked for.
struct Asking<'c> {
    client: &'c Client<'c>,
    request: Request<'c>,
}

/// A container's events and what is known of it.
struct Seen {
    container: String,
    /// In order of time.
    facts: Vec<Fact>,
    /// What its daemon calls it, as sensors told or as the request does to which it belongs.
    names: BTreeSet<String>,
    lineage: Lineage,
    /// It was there before the agent spoke.
    is_old: bool,
}

/// Who began what in a container, by pid.
struct Lineage {
    parents: HashMap<u32, u32>,
    first: HashMap<u32, EventTime>,
    /// The command lines of each, joined by blanks.
    lines: HashMap<u32, Vec<String>>,
    /// The container's own first process.
    init: Option<u32>,
}

/// What is known when containers are bound.
pub(super) struct Yard<'y> {
    pub(super) tree: &'y Tree<'y>,
    pub(super) calls: &'y [Call],
    pub(super) bound: &'y HashMap<ProcessId, Binding>,
}

impl Yard<'_> {
    /// In order of first appearance; one for each binding that events of a container have. A container in which
    /// recorded processes run is where the agent lives, and none of its deeds. One that was there before the agent spoke
    /// is not its doing either, but for what its calls let run in it.
    pub(super) fn bind(&self, reader: &Reader, run: &RunRow, since: EventTime) -> Result<Vec<Contained>, GraphError> {
        let mut seen = self.seen(reader, run, since)?;
        if seen.is_empty() {
            return Ok(Vec::new());
        }
        let clients: Vec<Client<'_>> = self.tree.processes.iter().filter_map(|process| self.client(process)).collect();
        let asking: Vec<Asking<'_>> = clients.iter().filter_map(Asking::of).collect();
        let owners = owners(&mut seen, &asking);
        let mut found = Vec::new();
        for (seen, owner) in seen.iter().zip(owners) {
            self.share(seen, &owner, &asking, since, &mut found);
        }
        found.sort_by_key(|contained| contained.first_at);
        Ok(found)
    }

    fn seen(&self, reader: &Reader, run: &RunRow, since: EventTime) -> Result<Vec<Seen>, GraphError> {
        let mut by_id: BTreeMap<String, Vec<Fact>> = BTreeMap::new();
        for kind in KINDS {
            for (_, fact) in facts_of_type(reader, run, kind)? {
                if let Some(container) = told(&fact).and_then(container) {
                    by_id.entry(container).or_default().push(fact);
                }
            }
        }
        if by_id.is_empty() {
            return Ok(Vec::new());
        }
        let recorded = self.recorded();
        by_id.retain(|_, facts| !facts.iter().any(|fact| is_of(fact, &recorded)));
        Ok(by_id.into_iter().map(|(container, facts)| Seen::new(container, facts, since)).collect())
    }

    /// By pid, when recorded processes lived: pids are used again.
    fn recorded(&self) -> HashMap<u32, Vec<(EventTime, Option<EventTime>)>> {
        let mut lives: HashMap<u32, Vec<_>> = HashMap::new();
        for process in self.tree.processes.iter() {
            for pid in std::iter::once(process.started.pid).chain(process.started.ns_pid) {
                lives.entry(pid).or_default().push((process.started_at, process.ended_at));
            }
        }
        lives
    }

    fn client<'c>(&'c self, process: &'c Process) -> Option<Client<'c>> {
        let binding = self.bound.get(&process.id).filter(|binding| binding.has_calls())?;
        process.execs.iter().find_map(|exec| {
            let words: Vec<&str> = exec.exec.argv.iter().filter_map(|word| word.as_str()).collect();
            Request::read(&words)?;
            Some(Client { process, calls: &binding.calls, began: exec.at, event: exec.event, words })
        })
    }

    /// Gives each event of a container to whoever let it happen.
    fn share(&self, seen: &Seen, owner: &Binding, asking: &[Asking<'_>], since: EventTime, found: &mut Vec<Contained>) {
        let said = self.said_of(seen);
        let mut shares: Vec<(Binding, Vec<&Fact>)> = Vec::new();
        for fact in seen.facts.iter().filter(|fact| fact.at >= since) {
            let binding = said.clone().unwrap_or_else(|| seen.whose(fact, owner, asking));
            if seen.is_old && binding.state == BindingState::Unattributed {
                continue;
            }
            let same = |(other, _): &&mut (Binding, Vec<&Fact>)| {
                (other.state, other.rung, &other.calls) == (binding.state, binding.rung, &binding.calls)
            };
            match shares.iter_mut().find(same) {
                Some((_, facts)) => facts.push(fact),
                None => shares.push((binding, vec![fact])),
            }
        }
        for (binding, facts) in shares {
            let mut once = HashSet::new();
            let deeds = facts.iter().map(|fact| sentence(fact)).filter(|deed| once.insert(deed.clone())).collect();
            let events = facts.iter().map(|fact| fact.id).collect();
            let container = seen.container.clone();
            found.push(Contained { container, first_at: facts[0].at, events, deeds, binding });
        }
    }

    /// What somebody said by a binding of telemetry.
    fn said_of(&self, seen: &Seen) -> Option<Binding> {
        let scopes = seen.facts.iter().filter_map(told).map(|event| &event.scope);
        let said: BTreeSet<CallNo> = scopes.flat_map(|scope| self.said(scope)).collect();
        let why = "whoever tied the container to the run named the call";
        (!said.is_empty()).then(|| chosen(Rung::Container, said, vec![seen.facts[0].id], why))
    }

    /// Calls by the id that a binding of telemetry gave.
    fn said(&self, scope: &ScopeIds) -> Vec<CallNo> {
        let Some(id) = &scope.tool_call else { return Vec::new() };
        let named = self.calls.iter().enumerate().filter(|(_, call)| call.name() == id.as_str());
        named.map(|(no, _)| no).collect()
    }
}

impl<'c> Asking<'c> {
    fn of(client: &'c Client<'c>) -> Option<Self> {
        Some(Self { client, request: Request::read(&client.words)? })
    }

    fn is_open(&self, at: EventTime) -> bool {
        self.client.began <= at && self.client.process.ended_at.is_none_or(|ended| at <= ended)
    }

    fn starts(&self) -> bool {
        self.request.verb != Verb::Enters && self.client.process.outcome != Some(REFUSED)
    }

    fn is_about(&self, seen: &Seen) -> bool {
        self.request.is_about(&seen.container, seen.names.iter().map(String::as_str))
    }

    /// True where nothing says that it is about another container.
    fn may_be_about(&self, seen: &Seen) -> bool {
        let unnamed = seen.names.is_empty() && self.request.may_be_about();
        !self.request.is_particular() || unnamed || self.is_about(seen)
    }
}

type Owners<'a, 'c> = (Rung, Vec<&'a Asking<'c>>, &'static str);

/// Ways to an owner, the surest first, each tried for all containers before the next one. A `run` that has its container
/// explains no other one, and the last way knows what the others gave names.
const WAYS: [for<'a, 'c> fn(&Seen, &[&'a Asking<'c>]) -> Owners<'a, 'c>; 4] =
    [Seen::named_by, Seen::with_command_of, Seen::started_by, Seen::shown_during];

/// Whose each container is.
fn owners(seen: &mut [Seen], asking: &[Asking<'_>]) -> Vec<Binding> {
    let mut found: Vec<Option<Binding>> = vec![None; seen.len()];
    let mut taken: HashSet<ProcessId> = HashSet::new();
    for way in WAYS {
        for place in 0..seen.len() {
            if found[place].is_some() {
                continue;
            }
            let is_free = |asking: &&Asking<'_>| {
                let elsewhere = || seen.iter().any(|other| asking.is_about(other));
                let particular = asking.request.is_particular();
                !taken.contains(&asking.client.process.id)
                    && (!particular || asking.is_about(&seen[place]) || !elsewhere())
            };
            let free: Vec<&Asking<'_>> = asking.iter().filter(is_free).collect();
            let (rung, owners, why) = way(&seen[place], &free);
            if owners.is_empty() {
                continue;
            }
            found[place] = Some(of_clients(rung, &owners, seen[place].facts[0].id, why));
            if let [only] = owners.as_slice() {
                seen[place].names.extend(only.request.given().map(str::to_owned));
                if only.request.verb == Verb::Runs {
                    taken.insert(only.client.process.id);
                }
            }
        }
    }
    let nobody = |seen: &Seen| {
        let why = "no call's client names the container, and none ran when it began";
        Binding::unattributed(vec![seen.facts[0].id], why)
    };
    seen.iter().zip(found).map(|(seen, found)| found.unwrap_or_else(|| nobody(seen))).collect()
}

impl Seen {
    fn new(container: String, mut facts: Vec<Fact>, since: EventTime) -> Self {
        facts.sort_by_key(|fact| (fact.at, fact.id));
        let names = facts.iter().filter_map(|fact| told(fact)?.identity.container_name.clone()).collect();
        let lineage = Lineage::of(&facts);
        let is_old = facts[0].at < since;
        Self { container, facts, names, lineage, is_old }
    }

    fn first_at(&self) -> EventTime {
        self.facts[0].at
    }

    /// Clients that name the container: of several the last that began before it showed itself, for a name may have
    /// been another container's before.
    fn named_by<'a, 'c>(&self, free: &[&'a Asking<'c>]) -> Owners<'a, 'c> {
        let about = free.iter().copied().filter(|asking| asking.starts() && asking.is_about(self));
        let last =
            about.filter(|asking| asking.client.began <= self.first_at()).max_by_key(|asking| asking.client.began);
        (Rung::Container, last.into_iter().collect(), "the call's client names the container")
    }

    /// Clients that were open when the container first showed itself, and asked for the command that ran in it.
    fn with_command_of<'a, 'c>(&self, free: &[&'a Asking<'c>]) -> Owners<'a, 'c> {
        let (rung, mut owners, _) = self.shown_during(free);
        owners.retain(|asking| asking.starts() && self.lineage.began_with(&asking.request));
        (rung, owners, "the call's client ran when the container first showed itself, and asked for its command")
    }

    /// Clients that start containers, where none was open that may have gone into one.
    fn started_by<'a, 'c>(&self, free: &[&'a Asking<'c>]) -> Owners<'a, 'c> {
        let (rung, mut owners, why) = self.shown_during(free);
        if !owners.iter().all(|asking| asking.starts()) {
            owners.clear();
        }
        (rung, owners, why)
    }

    /// Clients that were open when the container first showed itself.
    fn shown_during<'a, 'c>(&self, free: &[&'a Asking<'c>]) -> Owners<'a, 'c> {
        let why = "the call's client ran when the container first showed itself";
        let fits = |asking: &&Asking<'_>| {
            // One that names the container did not start it: its part is told event by event.
            let unknown = asking.starts() || (asking.request.verb == Verb::Enters && !asking.is_about(self));
            !self.is_old && unknown && asking.is_open(self.first_at()) && asking.may_be_about(self)
        };
        (Rung::ContainerWindow, free.iter().copied().filter(fits).collect(), why)
    }

    /// Whose one event is, in a container that has this owner.
    fn whose(&self, fact: &Fact, owner: &Binding, asking: &[Asking<'_>]) -> Binding {
        let root = self.lineage.root(fact);
        let began = root.and_then(|root| self.lineage.first.get(&root)).copied().unwrap_or(fact.at);
        let entered = asking.iter().filter(|asking| asking.request.verb == Verb::Enters && asking.is_open(began));
        let (about, others): (Vec<_>, Vec<_>) = entered.partition(|asking| asking.is_about(self));
        let wanted = |asking: &&Asking<'_>| root.is_some_and(|root| self.lineage.is_wanted(root, &asking.request));
        let by_command: Vec<_> = about.iter().copied().filter(wanted).collect();
        if !by_command.is_empty() {
            let why = "the call's client names the container and asked for the command that ran in it";
            return of_clients(Rung::Container, &by_command, fact.id, why);
        }
        let is_init = root.is_some() && root == self.lineage.init;
        let by_command: Vec<_> =
            others.into_iter().filter(|asking| !is_init && asking.may_be_about(self)).filter(wanted).collect();
        if !by_command.is_empty() {
            let why = "the call's client asked for the command, which began in the container while it ran";
            return of_clients(Rung::ContainerWindow, &by_command, fact.id, why);
        }
        if about.is_empty() || (is_init && owner.has_calls()) {
            return owner.clone();
        }
        let why = "the call's client names the container";
        if !owner.has_calls() {
            return of_clients(Rung::Container, &about, fact.id, why);
        }
        let calls = about.iter().flat_map(|asking| asking.client.calls).chain(&owner.calls).copied().collect();
        let evidence = about.iter().map(|asking| asking.client.event).chain([fact.id]).collect();
        let rung = owner.rung.unwrap_or(Rung::Container);
        chosen(rung, calls, evidence, "one call's client started the container, another's went into it")
    }
}

impl Lineage {
    fn of(facts: &[Fact]) -> Self {
        let mut lineage = Self { parents: HashMap::new(), first: HashMap::new(), lines: HashMap::new(), init: None };
        for fact in facts {
            let Some((event, pid)) = told(fact).and_then(|event| Some((event, pid(event)?))) else { continue };
            if let Some(parent) = event.identity.ppid {
                lineage.parents.entry(pid).or_insert(parent);
            }
            lineage.first.entry(pid).or_insert(fact.at);
            lineage.lines.entry(pid).or_default().extend(line(event));
            if event.identity.ns_pid == Some(1) {
                lineage.init = Some(pid);
            }
        }
        lineage
    }

    /// The first ancestor of an event's process of which something was told.
    fn root(&self, fact: &Fact) -> Option<u32> {
        let mut root = told(fact).and_then(pid)?;
        for _ in 0..self.parents.len() {
            match self.parents.get(&root).filter(|parent| self.first.contains_key(parent) && **parent != root) {
                Some(parent) => root = *parent,
                None => break,
            }
        }
        Some(root)
    }

    fn is_wanted(&self, process: u32, request: &Request<'_>) -> bool {
        self.lines.get(&process).is_some_and(|lines| lines.iter().any(|line| request.wants(line)))
    }

    fn began_with(&self, request: &Request<'_>) -> bool {
        match self.init {
            Some(init) => self.is_wanted(init, request),
            None => self.lines.keys().any(|process| self.is_wanted(*process, request)),
        }
    }
}

/// A client belongs to its calls, several clients to all of theirs.
fn of_clients(rung: Rung, asking: &[&Asking<'_>], first: EventId, why: &str) -> Binding {
    let calls = asking.iter().flat_map(|asking| asking.client.calls).copied().collect();
    let evidence = std::iter::once(first).chain(asking.iter().map(|asking| asking.client.event)).collect();
    chosen(rung, calls, evidence, why)
}

fn chosen(rung: Rung, calls: BTreeSet<CallNo>, evidence: Vec<EventId>, why: &str) -> Binding {
    let calls: Vec<CallNo> = calls.into_iter().collect();
    match calls.as_slice() {
        [call] => Binding::bound(rung, *call, evidence, why),
        _ => Binding::ambiguous(rung, calls, evidence, format!("{why}; so did those of other calls")),
    }
}

fn told(fact: &Fact) -> Option<&TelemetryEvent> {
    match &fact.what {
        What::Telemetry(event) => Some(event),
        _ => None,
    }
}

fn pid(event: &TelemetryEvent) -> Option<u32> {
    event.identity.tgid.or(event.identity.pid)
}

/// A program's command line, joined by blanks.
fn line(event: &TelemetryEvent) -> Option<String> {
    let TelemetryBody::Exec(exec) = &event.body else { return None };
    let words = || exec.argv.iter().map(|word| word.lossy()).collect::<Vec<_>>().join(" ");
    Some(exec.argv_raw.as_ref().map_or_else(words, |raw| raw.lossy().into_owned()))
}

/// True where the event's process is one that was recorded, and lived then.
fn is_of(fact: &Fact, recorded: &HashMap<u32, Vec<(EventTime, Option<EventTime>)>>) -> bool {
    let lives = told(fact).and_then(pid).and_then(|pid| recorded.get(&pid));
    let at = fact.at.as_nanos();
    lives.into_iter().flatten().any(|(started, ended)| {
        let began = started.as_nanos() - SLACK_NANOS <= at;
        began && ended.is_none_or(|ended| at <= ended.as_nanos() + SLACK_NANOS)
    })
}

/// The container of an event; where the sensor gives only a cgroup, by the id in its path.
fn container(event: &TelemetryEvent) -> Option<String> {
    let identity = &event.identity;
    let of_cgroup = || {
        let parts = identity.cgroup.as_deref()?.split(['/', '-', '.', ':']);
        parts.into_iter().find(|part| part.len() == 64 && is_hex(part))
    };
    let id = identity.container.as_deref().filter(|id| id.len() >= 12 && is_hex(id)).or_else(of_cgroup)?;
    Some(container_prefix(id).to_owned())
}
