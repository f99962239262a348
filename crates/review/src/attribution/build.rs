//! Puts an attribution together: each claim once, and for each line the verdict that its claims allow.

use crate::attribution::claim::{Attribution, Claim, ClaimId, FileAttribution, LineAttribution, LineSide, LineStatus};
use crate::attribution::recorded::Recorded;
use crate::lines::LineNumber;
use std::collections::HashMap;

/// What there is on one line.
pub(super) struct LineEvidence<'a> {
    pub(super) side: LineSide,
    pub(super) line: LineNumber,
    pub(super) recorded: Option<&'a Recorded>,
    pub(super) said: Vec<ClaimId>,
    pub(super) commit: Option<String>,
    /// Recordings were asked.
    pub(super) asked: bool,
}

#[derive(Default)]
pub(super) struct Builder {
    attribution: Attribution,
    places: HashMap<Claim, ClaimId>,
    /// Claims of recorded origins, by their address: those live as long as the recordings are asked.
    origins: HashMap<*const Recorded, (Vec<ClaimId>, Vec<ClaimId>)>,
}

impl Builder {
    pub(super) fn intern(&mut self, claim: &Claim) -> ClaimId {
        if let Some(known) = self.places.get(claim) {
            return *known;
        }
        let id = ClaimId(u32::try_from(self.attribution.claims.len()).unwrap_or(u32::MAX));
        self.attribution.claims.push(claim.clone());
        self.places.insert(claim.clone(), id);
        id
    }

    pub(super) fn intern_all(&mut self, claims: Vec<Claim>) -> Vec<ClaimId> {
        claims.iter().map(|claim| self.intern(claim)).collect()
    }

    pub(super) fn notices(&mut self, notices: Vec<String>) {
        self.attribution.notices.extend(notices);
    }

    pub(super) fn file(&mut self, path: &str, lines: Vec<LineAttribution>) {
        self.attribution.files.push(FileAttribution { path: path.to_owned(), lines });
    }

    pub(super) fn finish(self) -> Attribution {
        self.attribution
    }

    pub(super) fn claim(&self, id: ClaimId) -> &Claim {
        self.attribution.claim(id)
    }

    pub(super) fn line(&mut self, evidence: LineEvidence<'_>) -> LineAttribution {
        let (mut claims, earlier) = match evidence.recorded {
            Some(recorded) => self.recorded(recorded),
            None => (Vec::new(), Vec::new()),
        };
        let recorded = claims.len();
        let mut said = evidence.said;
        said.sort_by_key(|id| (self.claim(*id).method, *id));
        said.dedup();
        let status = match recorded {
            0 => self.status_of_said(&said),
            _ if self.one_attempt(&claims) => LineStatus::Owned,
            _ => LineStatus::Ambiguous,
        };
        // The same deed, once from the recordings and once from evidence.
        said.retain(|id| !claims.contains(id));
        claims.extend(said);
        let contradicted = claims.len() > 1 && {
            let authors: Vec<_> = claims.iter().map(|id| &self.claim(*id).author).collect();
            authors.iter().enumerate().any(|(at, one)| authors[at + 1..].iter().any(|other| one.contradicts(other)))
        };
        let reason =
            (status == LineStatus::Unknown).then(|| match evidence.recorded.and_then(|one| one.why.as_ref()) {
                Some(why) => why.to_string(),
                None if evidence.asked => "no recording tells of it, and nobody claims it".to_owned(),
                None => "there are no recordings here, and nobody claims it".to_owned(),
            });
        let LineEvidence { side, line, commit, .. } = evidence;
        LineAttribution { line, side, status, claims, earlier, contradicted, commit, reason }
    }

    /// Whether all recorded deeds are of one attempt: then it is known whose they are, if not which of them it was.
    fn one_attempt(&self, claims: &[ClaimId]) -> bool {
        let attempt = |id: &ClaimId| self.claim(*id).deed.as_ref().map(|deed| (&deed.run_id, &deed.attempt_id));
        claims.iter().all(|id| attempt(id) == attempt(&claims[0]))
    }

    /// Of what is merely said, the strongest kind counts; it names an owner only where it names one.
    fn status_of_said(&self, said: &[ClaimId]) -> LineStatus {
        let Some(first) = said.first().map(|id| self.claim(*id)) else { return LineStatus::Unknown };
        let strongest = said.iter().map(|id| self.claim(*id)).take_while(|claim| claim.method == first.method);
        match strongest.into_iter().all(|claim| claim.author == first.author) {
            true => LineStatus::Owned,
            false => LineStatus::Ambiguous,
        }
    }

    fn recorded(&mut self, recorded: &Recorded) -> (Vec<ClaimId>, Vec<ClaimId>) {
        let address = std::ptr::from_ref(recorded);
        if let Some(known) = self.origins.get(&address) {
            return known.clone();
        }
        let claims = recorded.claims.iter().map(|claim| self.intern(claim)).collect();
        let earlier = recorded.earlier.iter().map(|claim| self.intern(claim)).collect();
        let found: (Vec<ClaimId>, Vec<ClaimId>) = (claims, earlier);
        self.origins.insert(address, found.clone());
        found
    }
}
