//! Sessions of agents, as their messages show them.

use super::calls::{Call, Saying};
use agentprov_model::declared::{Agent, Deed};
use agentprov_model::{EventTime, ProcessId, SessionId};
use std::collections::BTreeSet;

/// One session.
#[derive(Clone, Debug)]
pub struct Session {
    /// Which agent.
    pub agent: Agent,
    /// Its id; absent for messages that name none.
    pub session: Option<SessionId>,
    /// First message.
    pub first: EventTime,
    /// Last message.
    pub last: EventTime,
    /// Messages in all.
    pub messages: u64,
    /// Prompts.
    pub prompts: u64,
    /// Calls.
    pub calls: u64,
    /// It said that it ended.
    pub ended: bool,
    /// The processes that were the agent, by the ancestry of its hooks.
    pub agents: BTreeSet<ProcessId>,
    /// Messages that could not be read.
    pub unreadable: u64,
}

pub(super) fn sessions(sayings: &[Saying], agent_of: &[Option<ProcessId>], calls: &[Call]) -> Vec<Session> {
    let mut sessions: Vec<Session> = Vec::new();
    for (saying, agent) in sayings.iter().zip(agent_of) {
        let declared = &saying.declared;
        let same = |known: &Session| known.agent == declared.agent && known.session == declared.session;
        let place = sessions.iter().position(same).unwrap_or_else(|| {
            sessions.push(new(saying));
            sessions.len() - 1
        });
        let session = &mut sessions[place];
        session.last = session.last.max(saying.at);
        session.messages += 1;
        session.agents.extend(agent);
        match &declared.deed {
            Deed::Prompt(_) => session.prompts += 1,
            Deed::SessionEnded(_) => session.ended = true,
            Deed::SessionStarted(_) => session.ended = false,
            Deed::Unreadable { .. } => session.unreadable += 1,
            _ => {}
        }
    }
    for session in &mut sessions {
        let own = |call: &&Call| call.agent == session.agent && call.session == session.session;
        session.calls = calls.iter().filter(own).count() as u64;
    }
    sessions
}

fn new(saying: &Saying) -> Session {
    Session {
        agent: saying.declared.agent,
        session: saying.declared.session.clone(),
        first: saying.at,
        last: saying.at,
        messages: 0,
        prompts: 0,
        calls: 0,
        ended: false,
        agents: BTreeSet::new(),
        unreadable: 0,
    }
}
