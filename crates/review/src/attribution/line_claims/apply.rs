//! Which lines of a change claims speak of, and what that is worth.

use crate::attribution::AttributionError;
use crate::attribution::claim::{Claim, Method};
use crate::attribution::evidence::EvidenceError;
use crate::attribution::line_claims::document::{LineClaim, name_of};
use crate::attribution::line_claims::open::LineClaims;
use crate::change::{GitLog, Repository};
use crate::lines::LineNumber;
use agentprov_model::Basis;
use std::collections::{HashMap, HashSet};

/// Claims by the place that they are bound to.
#[derive(Default)]
pub(in crate::attribution) struct Claimed<'a> {
    by_place: HashMap<(&'a str, &'a str, LineNumber), Vec<Found<'a>>>,
    /// Claims of another content, by file.
    other_content: HashMap<&'a str, u64>,
}

/// A claim, whether its key is trusted, and the file that has it.
type Found<'a> = (&'a LineClaim, bool, &'a str);

impl<'a> Claimed<'a> {
    /// Those about commits of the log.
    ///
    /// # Errors
    /// [`AttributionError::Evidence`] for a file that is about another repository or none of these commits.
    pub(in crate::attribution) fn new(
        files: &'a [LineClaims],
        repository: Option<&Repository>,
        log: &GitLog,
    ) -> Result<Self, AttributionError> {
        let mut claimed = Self::default();
        let (Some(repository), Some(first)) = (repository, log.commits().first()) else {
            return match files.first() {
                None => Ok(claimed),
                Some(file) => Err(refused(file, EvidenceError::NoCommitOfThis)),
            };
        };
        if files.is_empty() {
            return Ok(claimed);
        }
        let here = repository.identity(&first.id)?;
        let commits: HashSet<&str> = log.commits().iter().map(|commit| commit.id.as_str()).collect();
        for file in files {
            let here = here.as_ref().ok_or_else(|| refused(file, EvidenceError::UnknownRepository))?;
            if let Some((claim, _)) = file.claims.iter().find(|(claim, _)| claim.repository != *here) {
                return Err(refused(file, EvidenceError::OtherRepository(claim.repository.to_string())));
            }
            let about = file.claims.iter().filter(|(claim, _)| commits.contains(claim.commit.as_str()));
            let mut met = false;
            for (claim, trusted) in about {
                let place = (claim.commit.as_str(), claim.path.as_str(), claim.line);
                claimed.by_place.entry(place).or_default().push((claim, *trusted, &file.name));
                met = true;
            }
            if !met {
                return Err(refused(file, EvidenceError::NoCommitOfThis));
            }
        }
        Ok(claimed)
    }

    /// Whether there is none.
    pub(in crate::attribution) fn is_empty(&self) -> bool {
        self.by_place.is_empty()
    }

    /// What is claimed of a line, where it has the content that was signed.
    pub(in crate::attribution) fn of(
        &mut self,
        commit: &str,
        path: &str,
        line: LineNumber,
        content: &[u8],
    ) -> Vec<Claim> {
        let Some(found) = self.by_place.get(&(commit, path, line)) else { return Vec::new() };
        let name = name_of(content);
        let mut claims = Vec::new();
        for (claim, trusted, file) in found {
            if claim.sha256 == name {
                claims.push(worth(claim, *trusted, file));
            } else {
                *self.other_content.entry(file).or_default() += 1;
            }
        }
        claims
    }

    /// What did not count, in words.
    pub(in crate::attribution) fn notices(&self) -> Vec<String> {
        let mut files: Vec<(&&str, &u64)> = self.other_content.iter().collect();
        files.sort_unstable();
        let say = |(file, count): (&&str, &u64)| {
            format!("{file}: {count} claims are about lines with another content; they do not count")
        };
        files.into_iter().map(say).collect()
    }
}

fn refused(file: &LineClaims, error: EvidenceError) -> AttributionError {
    AttributionError::Evidence { name: file.name.clone(), error }
}

/// A signature of a trusted key stands for the recordings of whoever signed, where they had any.
fn worth(claim: &LineClaim, trusted: bool, file: &str) -> Claim {
    let (method, why) = match (trusted, claim.basis) {
        (true, Basis::Observed | Basis::Derived) => (Method::SignedClaim, "signed by"),
        (true, Basis::Asserted) => (Method::EvidenceFile, "without a recording, signed by"),
        (false, _) => (Method::EvidenceFile, "asserted by a key that is not trusted,"),
    };
    let deed = match (&claim.run, &claim.fact) {
        (Some(run), Some(fact)) => format!("; run {run}, {fact}"),
        _ => String::new(),
    };
    let said_in = format!("line claims {file}: {why} {}{deed}", claim.key);
    Claim {
        session: claim.session.clone(),
        model: claim.model.clone(),
        ..Claim::said(method, claim.author.clone(), said_in)
    }
}
