//! The decision of a review of commits: signed, and decided anew.

use super::engines::Engines;
use super::{reader, setup, undecided};
use crate::commands::attribution::imported;
use crate::context::{Context, current_dir};
use crate::failure::Failure;
use crate::render::{UNSURE, styled};
use agentprov_attest::Decision;
use agentprov_attest::decision::differences;
use agentprov_ingest::reviews::{Noted, note_decision};
use agentprov_model::EventId;
use agentprov_review::Review;
use agentprov_review::analyse;
use agentprov_review::attribution::{Sources, attribute};
use agentprov_review::change::{Change, Origin, Repository, Selection, from_git};
use agentprov_review::detect::Registry;
use agentprov_review::governance::Policy;
use agentprov_server::{Reviewed, fact_of, seal};
use agentprov_store::Reader;
use std::io::Write;
use std::path::Path;

/// Puts the decision into the log of the store, where there is one, and signed into a file, where one is named. Gives the
/// fact. What is not committed has no name that a decision could bind.
pub(super) fn keep(
    context: &Context,
    file: Option<&Path>,
    repository: &Repository,
    (change, review, policy): (&Change, &Review, &Policy),
    detectors: &Registry,
) -> Result<Option<EventId>, Failure> {
    if !matches!(change.origin, Origin::Range { .. }) {
        return match file {
            None => Ok(None),
            Some(_) => Err(Failure::usage(
                "--sign needs commits: what is not committed has no name that a signature could bind",
            )
            .hint("commit it, then review BASE..HEAD")),
        };
    }
    if file.is_none() && !context.location()?.exists() {
        return Ok(None);
    }
    let argv = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let reviewed = Reviewed {
        repository: name_of(repository),
        change,
        review,
        policy,
        capabilities: detectors.capabilities(),
        argv,
    };
    let statement = reviewed.statement(&setup::now().to_rfc3339())?;
    let store = if file.is_some() { context.store_or_new()? } else { context.store()? };
    if let Some(file) = file {
        let text = seal(&statement, &store.signer()?)?;
        let failed = |error| Failure::new(format!("can't write {}: {error}", file.display()));
        std::fs::write(file, text).map_err(failed)?;
    }
    match note_decision(&store, &fact_of(&statement.predicate), setup::now()) {
        Ok(Noted::New(id) | Noted::Known(id)) => Ok(Some(id)),
        // The review stands without it: whoever may only read a store may review.
        Err(error) => {
            let text = format!("note: the decision could not be put into the log of the store: {error}");
            let _ = writeln!(anstream::stderr(), "{}", styled(UNSURE, text));
            Ok(None)
        }
    }
}

/// Reviews the commits of a decision again, under the policy in it and with the engines of this program; gives the state
/// of the check and what is to be said.
pub(crate) fn decide_again(context: &Context, signed: &Decision) -> Result<(&'static str, String), Failure> {
    let here = current_dir()?;
    let Ok(repository) = Repository::find(&here) else {
        return Ok(("open", "it is about commits, and there is no repository here to decide anew in".into()));
    };
    let range = format!("{}..{}", signed.base_commit, signed.head_commit);
    let change = match from_git(&repository, &Selection::Range(range)) {
        Ok(change) => change,
        Err(error) => return Ok(("open", format!("its commits can't be read here: {error}"))),
    };
    let policy: Policy = match serde_json::from_value(signed.settings.clone()) {
        Ok(policy) => policy,
        Err(error) => return Ok(("open", format!("its settings can't be read: {error}"))),
    };
    // Programs that a statement names are not run: whoever made it could name any.
    let pinned = |name: &str| signed.detectors.iter().any(|one| one.name.to_lowercase().contains(name));
    let detectors = Engines::to_verify(pinned("semgrep")).registry(&Policy::default(), false, &here)?;
    if detectors.capabilities().len() != signed.detectors.len() {
        let names: Vec<&str> = signed.detectors.iter().map(|one| one.name.as_str()).collect();
        return Ok(("open", format!("it was made with other engines than there are here: {}", names.join(", "))));
    }
    let reader = reader(context)?;
    let traces = imported(context)?;
    let sources =
        Sources { repository: Some(&repository), reader: reader.as_ref(), traces: &traces, ..Sources::default() };
    let attribution = attribute(&change, &sources).map_err(|error| undecided(&error))?;
    let review = analyse(&change, &attribution, &detectors, &policy);
    let reviewed = Reviewed {
        repository: signed.repository.clone(),
        change: &change,
        review: &review,
        policy: &policy,
        capabilities: detectors.capabilities(),
        argv: signed.tool.argv.clone(),
    };
    let computed = reviewed.statement(&signed.decided_at)?.predicate;
    let found = differences(signed, &computed);
    if signed.digests.rules != computed.digests.rules && signed.digests.inputs == computed.digests.inputs {
        return Ok(("open", format!("it was made with other rules (agentprov {})", signed.tool.version)));
    }
    if found.is_empty() {
        return Ok(("pass", "reviewed anew: the same".into()));
    }
    // Who wrote the lines is known where they were recorded; elsewhere that part can't be computed.
    let only_owners = signed.digests.lines != computed.digests.lines && !has_recordings(reader.as_ref())?;
    let state = if only_owners { "open" } else { "FAIL" };
    let hint = if only_owners { "; there are no recordings here that say who wrote the lines" } else { "" };
    Ok((state, format!("{}{hint}", found.join("; "))))
}

/// True where something was recorded here. A store that only ever held decisions about changes knows no owners.
fn has_recordings(reader: Option<&Reader>) -> Result<bool, Failure> {
    let Some(reader) = reader else { return Ok(false) };
    Ok(reader.runs()?.iter().any(|run| !run.id.is_of_reviews()))
}

/// The last part of the path: it is for people, commits and digests name what was reviewed.
fn name_of(repository: &Repository) -> String {
    let name = repository.root().file_name().map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| "repository".to_owned())
}
