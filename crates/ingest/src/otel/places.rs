//! To which run a record belongs, and whether one has it already.
//!
//! Each session and each call of a request is asked for once, and of the runs those alone that tell of it.

use crate::hooks::own_run;
use agentprov_model::declared::{Declared, Subject};
use agentprov_model::{EventId, RunId, SessionId};
use agentprov_store::{Reader, RunRow, StoreError};
use std::collections::HashMap;
use std::rc::Rc;

/// Where a subject is at home, and as part of which session.
type Home = Option<(RunId, SessionId)>;

/// Where the records of one request belong.
pub(super) struct Places<'r> {
    reader: &'r Reader,
    /// Runs that tell of it, the newest first.
    runs: HashMap<Subject, Rc<Vec<RunRow>>>,
    homes: HashMap<Subject, Home>,
    own: HashMap<RunId, Option<RunRow>>,
}

impl<'r> Places<'r> {
    pub(super) fn new(reader: &'r Reader) -> Self {
        Self { reader, runs: HashMap::new(), homes: HashMap::new(), own: HashMap::new() }
    }

    /// True where a run has the fact already. Wherever it went, that run tells of its call or its session since, or is
    /// the one of its own.
    pub(super) fn hold(&mut self, id: &EventId, declared: &Declared) -> Result<bool, StoreError> {
        for subject in Subject::of(declared) {
            for run in self.runs(&subject)?.iter() {
                if self.reader.event(run.no, id)?.is_some() {
                    return Ok(true);
                }
            }
        }
        let own = own_run(&of_its_own(declared.clone()));
        let own = match self.own.get(&own) {
            Some(known) => known.clone(),
            None => {
                let row = self.reader.run(&own)?.filter(|run| run.removed.is_none());
                self.own.insert(own, row.clone());
                row
            }
        };
        Ok(match own {
            Some(run) => self.reader.event(run.no, id)?.is_some(),
            None => false,
        })
    }

    /// The run whose other vantages know the call, else the newest that knows the session, else one of its own. A record
    /// that names no session takes that of the call, else its trace stands for one.
    pub(super) fn place(&mut self, declared: &mut Declared) -> Result<RunId, StoreError> {
        for subject in Subject::of(declared) {
            if let Some((run, session)) = self.home(&subject)? {
                declared.session = Some(session);
                return Ok(run);
            }
        }
        *declared = of_its_own(declared.clone());
        Ok(own_run(declared))
    }

    fn runs(&mut self, subject: &Subject) -> Result<Rc<Vec<RunRow>>, StoreError> {
        if let Some(known) = self.runs.get(subject) {
            return Ok(Rc::clone(known));
        }
        let mut runs = Vec::new();
        for no in self.reader.runs_that_declare(subject.key())?.into_iter().rev() {
            runs.extend(self.reader.run_by_no(no)?.filter(|run| run.removed.is_none()));
        }
        let runs = Rc::new(runs);
        self.runs.insert(subject.clone(), Rc::clone(&runs));
        Ok(runs)
    }

    fn home(&mut self, subject: &Subject) -> Result<Home, StoreError> {
        if let Some(known) = self.homes.get(subject) {
            return Ok(known.clone());
        }
        let mut home = None;
        for run in self.runs(subject)?.iter() {
            if let Some(session) = self.speaker(run, subject)? {
                home = Some((run.id.clone(), session));
                break;
            }
        }
        self.homes.insert(subject.clone(), home.clone());
        Ok(home)
    }

    /// The session as part of which a run tells of it.
    fn speaker(&self, run: &RunRow, subject: &Subject) -> Result<Option<SessionId>, StoreError> {
        for seq in self.reader.postings(run.no, subject.key())? {
            if let Some(session) = subject.told_by(&self.reader.fact(run.no, seq)?) {
                return Ok(Some(session.clone()));
            }
        }
        Ok(None)
    }
}

/// As it stands in a run of its own: where it names no session, its trace stands for one.
fn of_its_own(mut declared: Declared) -> Declared {
    if declared.session.is_none() {
        declared.session = declared.trace.as_ref().and_then(|trace| trace.as_session());
    }
    declared
}
