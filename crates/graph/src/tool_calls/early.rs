//! Telemetry that came before the hooks of its session: it stands in a run of its own for ever, and is heard where its
//! call or session is at home, as it would be had it come later.

use crate::error::GraphError;
use agentprov_model::declared::{Declared, IdOrigin, Subject};
use agentprov_model::index::{IndexKey, KeyKind};
use agentprov_model::{Fact, RunId, SessionId, Vantage, What};
use agentprov_store::{Reader, RunNo, RunRow, Seq};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

/// What an agent said, with its leaf where it stands in the log of the run itself.
pub(super) type Heard = (Option<Seq>, Fact);

/// Everything that agents said in a run, in the order of its log, and after it what had come too early for it.
///
/// # Errors
/// What the store says.
pub(super) fn heard(reader: &Reader, run: &RunRow) -> Result<Vec<Heard>, GraphError> {
    let own = reader.facts_by_key(run.no, IndexKey { kind: KeyKind::Declared, value: b"" })?;
    let early = early(reader, run, own.iter().map(|(_, fact)| fact))?;
    Ok(own.into_iter().map(|(seq, fact)| (Some(seq), fact)).chain(early.into_iter().map(|fact| (None, fact))).collect())
}

fn early<'f>(reader: &Reader, run: &RunRow, own: impl Iterator<Item = &'f Fact>) -> Result<Vec<Fact>, GraphError> {
    let mut asked = HashSet::new();
    let mut elsewhere: BTreeMap<(RunNo, Seq), Fact> = BTreeMap::new();
    for fact in own.filter(|fact| !fact.vantage.is_afterwards()) {
        let What::Declared(declared) = &fact.what else { continue };
        for subject in told_of(declared).filter(|subject| asked.insert(subject.clone())).collect::<Vec<_>>() {
            for no in reader.runs_that_declare(subject.key())?.into_iter().filter(|no| *no != run.no) {
                let found = reader.facts_by_key(no, subject.key())?;
                elsewhere.extend(
                    found
                        .into_iter()
                        .filter(|(_, fact)| fact.vantage == Vantage::Otlp)
                        .map(|(seq, fact)| ((no, seq), fact)),
                );
            }
        }
    }
    let mut homes = Homes::new(reader);
    let mut early = Vec::new();
    for ((no, _), mut fact) in elsewhere {
        let What::Declared(declared) = &mut fact.what else { continue };
        let Some((home, session)) = homes.away_from(no, declared)? else { continue };
        if home == run.id {
            declared.session = Some(session);
            early.push(fact);
        }
    }
    Ok(early)
}

/// Session and call, the latter as telemetry without a session would name it.
fn told_of(declared: &Declared) -> impl Iterator<Item = Subject> + use<> {
    let call = declared.call().filter(|call| call.origin == IdOrigin::Agent).cloned();
    let session = declared.session.clone().map(Subject::Session);
    session.into_iter().chain(call.map(|call| Subject::Call(None, call)))
}

/// Runs whose hooks tell of a subject, the newest first, each with the session as part of which.
type Tellers = Rc<Vec<(RunNo, RunId, SessionId)>>;

/// Where calls and sessions are at home.
pub(super) struct Homes<'r> {
    reader: &'r Reader,
    tellers: HashMap<Subject, Tellers>,
}

impl<'r> Homes<'r> {
    pub(super) fn new(reader: &'r Reader) -> Self {
        Self { reader, tellers: HashMap::new() }
    }

    /// The other run to which something that stands in `run` would have gone had it come later, and the session that it
    /// is part of there. None where hooks of `run` itself tell of it, or those of no run.
    pub(super) fn away_from(
        &mut self,
        run: RunNo,
        declared: &Declared,
    ) -> Result<Option<(RunId, SessionId)>, GraphError> {
        for subject in Subject::of(declared) {
            let tellers = self.tellers(subject)?;
            if tellers.iter().any(|(no, ..)| *no == run) {
                return Ok(None);
            }
            if let Some((_, home, session)) = tellers.first() {
                return Ok(Some((home.clone(), session.clone())));
            }
        }
        Ok(None)
    }

    fn tellers(&mut self, subject: Subject) -> Result<Tellers, GraphError> {
        if let Some(known) = self.tellers.get(&subject) {
            return Ok(Rc::clone(known));
        }
        let mut tellers = Vec::new();
        for no in self.reader.runs_that_declare(subject.key())?.into_iter().rev() {
            let Some(run) = self.reader.run_by_no(no)?.filter(|run| run.removed.is_none()) else { continue };
            for seq in self.reader.postings(no, subject.key())? {
                if let Some(session) = subject.told_by(&self.reader.fact(no, seq)?) {
                    tellers.push((no, run.id, session.clone()));
                    break;
                }
            }
        }
        let tellers = Rc::new(tellers);
        self.tellers.insert(subject, Rc::clone(&tellers));
        Ok(tellers)
    }
}
