//! By what evidence from another vantage is put together with what hooks tell.

use super::{CallId, Declared, IdOrigin};
use crate::fact::{Fact, What};
use crate::ids::SessionId;
use crate::index::{IndexKey, KeyKind};

/// What a run can tell of: a call as one session has it, or a session.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Subject {
    /// A call; of any session where none is named.
    Call(Option<SessionId>, CallId),
    /// A session.
    Session(SessionId),
}

impl Subject {
    /// What other vantages may know of it, the surer sign first. A trace that stands for a session is none, and an id
    /// that the agent did not give is nobody else's.
    pub fn of(declared: &Declared) -> impl Iterator<Item = Self> + use<> {
        let stand_in = declared.trace.as_ref().and_then(|trace| trace.as_session());
        let session = declared.session.clone().filter(|session| Some(session) != stand_in.as_ref());
        let call = declared.call().filter(|call| call.origin == IdOrigin::Agent).cloned();
        let call = call.map(|call| Self::Call(session.clone(), call));
        call.into_iter().chain(session.map(Self::Session))
    }

    /// The key of facts that tell of it.
    pub fn key(&self) -> IndexKey<'_> {
        match self {
            Self::Call(_, call) => IndexKey { kind: KeyKind::DeclaredCall, value: call.id.as_str().as_bytes() },
            Self::Session(session) => IndexKey { kind: KeyKind::DeclaredSession, value: session.as_str().as_bytes() },
        }
    }

    /// The session as part of which a fact tells of it while it happens. What was exported or imported afterwards is no
    /// sign of where it is at home.
    pub fn told_by<'f>(&self, fact: &'f Fact) -> Option<&'f SessionId> {
        if fact.vantage.is_afterwards() || !fact.has_key(self.key()) {
            return None;
        }
        let What::Declared(declared) = &fact.what else { return None };
        let told = declared.session.as_ref()?;
        let of_another = matches!(self, Self::Call(Some(session), _) if session != told);
        (!of_another).then_some(told)
    }
}
