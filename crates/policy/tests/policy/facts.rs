//! Facts for tests, and what a judge makes of them.

use agentprov_ingest::{Derived, Judge};
use agentprov_model::*;

/// Boot of a host that is not this one.
pub(crate) const ELSEWHERE: &str = "00000000-0000-0000-0000-000000000000";

pub(crate) fn key(pid: u32) -> ProcessKey {
    ProcessKey { boot: BootId(ELSEWHERE.into()), pid, start_ticks: u64::from(pid) * 10 }
}

pub(crate) fn fact(at: i64, process: Option<&ProcessKey>, what: What) -> Fact {
    let at = EventTime::from_nanos(at * 1_000_000_000);
    let identity = serde_json::to_vec(&what).expect("serialises");
    Fact {
        id: EventId::derive(at, &[&identity]),
        at,
        recorded: at,
        attempt: AttemptNo(1),
        vantage: Vantage::Ptrace,
        basis: Basis::Observed,
        process: process.map(ProcessKey::id),
        tid: None,
        redacted: Vec::new(),
        what,
    }
}

pub(crate) fn bound(root: &ProcessKey) -> Fact {
    fact(0, Some(root), What::Bound(Bound { root: root.clone(), cgroup_id: None, no_cgroup: None }))
}

pub(crate) fn started(at: i64, key: &ProcessKey, parent: Option<&ProcessKey>) -> Fact {
    let what = ProcessStarted {
        pid: key.pid,
        start_ticks: key.start_ticks,
        ns_pid: None,
        parent: parent.map(ProcessKey::id),
        ppid: parent.map_or(1, |parent| parent.pid),
        origin: if parent.is_some() { ProcessOrigin::Fork } else { ProcessOrigin::Root },
    };
    fact(at, Some(key), What::ProcessStarted(what))
}

pub(crate) fn opened(at: i64, key: &ProcessKey, path: &str, access: Access) -> Fact {
    let what = FileOpened {
        path: path.into(),
        given: None,
        access,
        create: false,
        truncate: false,
        result: CallResult::Ok(3),
    };
    fact(at, Some(key), What::FileOpened(what))
}

pub(crate) fn renamed(at: i64, key: &ProcessKey, from: &str, to: &str) -> Fact {
    let what = FileChanged {
        op: FileOp::Rename,
        path: from.into(),
        path2: Some(to.into()),
        mode: None,
        directory: false,
        result: CallResult::Ok(0),
    };
    fact(at, Some(key), What::FileChanged(what))
}

pub(crate) fn socket(at: i64, key: &ProcessKey, op: NetworkOp, ip: &str, port: u16) -> Fact {
    let address = SocketAddress::Ip { ip: ip.parse().expect("an address"), port };
    fact(at, Some(key), What::Network(NetworkCall { op, address, result: CallResult::Ok(0) }))
}

/// What a judge derived, with the ids that it was given.
#[derive(Default)]
pub(crate) struct Derivations {
    pub(crate) all: Vec<(EventId, Derived)>,
}

impl Derivations {
    pub(crate) fn judge(&mut self, judge: &mut dyn Judge, facts: &[Fact]) {
        for fact in facts {
            judge.judge(fact, &mut |derived| self.take(derived));
        }
    }

    pub(crate) fn finish(&mut self, judge: &mut dyn Judge) {
        judge.finish(&mut |derived| self.take(derived));
    }

    fn take(&mut self, derived: Derived) -> EventId {
        let id = EventId::derive(derived.at, &[b"derived", &self.all.len().to_be_bytes()]);
        self.all.push((id, derived));
        id
    }

    pub(crate) fn decisions(&self) -> Vec<(EventId, &Decision)> {
        self.pick(|what| if let What::Decision(decision) = what { Some(decision) } else { None })
    }

    pub(crate) fn risks(&self) -> Vec<(EventId, &RiskSignal)> {
        self.pick(|what| if let What::RiskSignal(risk) = what { Some(risk) } else { None })
    }

    pub(crate) fn responses(&self) -> Vec<(EventId, &ResponseAction)> {
        self.pick(|what| if let What::ResponseAction(action) = what { Some(action) } else { None })
    }

    /// States that a kind of response went through, with the last evidence.
    pub(crate) fn course(&self, kind: ResponseKind) -> (Vec<ResponseState>, String) {
        let steps: Vec<_> = self.responses().into_iter().filter(|(_, step)| step.action == kind).collect();
        let evidence = steps.last().map(|(_, step)| step.evidence.clone()).unwrap_or_default();
        (steps.iter().map(|(_, step)| step.state).collect(), evidence)
    }

    fn pick<'a, T>(&'a self, pick: impl Fn(&'a What) -> Option<T>) -> Vec<(EventId, T)> {
        self.all.iter().filter_map(|(id, derived)| Some((*id, pick(&derived.what)?))).collect()
    }
}
