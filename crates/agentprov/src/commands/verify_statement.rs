//! `agentprov verify FILE`: a signed decision, checked and decided anew.

use crate::commands::review::decide_again;
use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use crate::render::{self, BAD, GOOD, QUIET, UNSURE, styled};
use agentprov_attest::envelope::IN_TOTO;
use agentprov_attest::{DecisionStatement, Envelope, TrustPolicy, verify};
use agentprov_log::VerifierKey;
use agentprov_model::EventTime;
use agentprov_server::{Recomputed, Settings, is_of_git, recompute};
use agentprov_store::Store;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// What was found of one file.
struct Found {
    verdict: &'static str,
    code: u8,
    checks: Vec<(&'static str, &'static str, String)>,
    decision: Value,
}

/// Verifies the statement in a file. The store is needed for its keys, where none are named, and for the input.
pub(crate) fn run(
    context: &Context,
    file: &Path,
    store: Option<&Store>,
    keys: &[VerifierKey],
    as_json: bool,
) -> CommandResult {
    let bytes = std::fs::read(file).map_err(|error| {
        Failure::usage(format!("can't read {}: {error}", file.display())).hint("name a file with a signed decision")
    })?;
    let found = check(context, &bytes, store, keys)?;
    if as_json {
        let checks = found.checks.iter().map(|(name, state, note)| json!({"name": name, "state": state, "note": note}));
        let checks: Vec<Value> = checks.collect();
        render::json(&json!({"verdict": found.verdict, "checks": checks, "decision": found.decision}))?;
        return Ok(ExitCode::from(found.code));
    }
    let mut out = anstream::stdout().lock();
    for (name, state, note) in &found.checks {
        let style = match *state {
            "pass" => GOOD,
            "skip" => QUIET,
            "open" => UNSURE,
            _ => BAD,
        };
        writeln!(out, "  {}  {name:<10} {note}", styled(style, state))?;
    }
    writeln!(out, "{} {}", found.verdict, file.display())?;
    Ok(ExitCode::from(found.code))
}

fn check(context: &Context, bytes: &[u8], store: Option<&Store>, keys: &[VerifierKey]) -> Result<Found, Failure> {
    let mut found = Found { verdict: "NOT VERIFIED", code: 1, checks: Vec::new(), decision: Value::Null };
    let keys = match (keys, store) {
        ([], Some(store)) => vec![store.signer()?.verifier()],
        _ => keys.to_vec(),
    };
    // The keys in question have no end; a time is asked for and changes nothing.
    let policy = TrustPolicy::any_of(keys, EventTime::from_nanos(i64::MAX));
    let verified = match Envelope::parse(bytes).map_err(Into::into).and_then(|it| verify(&it, &policy, &[IN_TOTO])) {
        Ok(verified) => verified,
        Err(failure) => {
            found.checks.push(("signature", "FAIL", format!("{}: {failure}", failure.name())));
            return Ok(found);
        }
    };
    found.checks.push(("signature", "pass", format!("by key {}", verified.key_ids.join(", "))));
    let statement = match DecisionStatement::parse(&verified.payload) {
        Ok(statement) => statement,
        Err(error) => {
            found.checks.push(("statement", "FAIL", error.to_string()));
            return Ok(found);
        }
    };
    let decision = &statement.predicate;
    found.decision = json!(decision);
    let about = format!("{} at {}", decision.outcome.as_str(), decision.head_commit);
    let state = if statement.is_about_its_head() { "pass" } else { "FAIL" };
    found.checks.push(("subject", state, about));
    let (state, note) = match is_of_git(decision) {
        true => decide_again(context, decision)?,
        false => recomputed(store, &statement)?,
    };
    found.checks.push(("decision", state, note));
    let worst = |wanted| found.checks.iter().any(|(_, state, _)| *state == wanted);
    (found.verdict, found.code) = match (worst("FAIL"), worst("open")) {
        (true, _) => ("NOT VERIFIED", 1),
        (false, true) => ("could not decide", 3),
        (false, false) => ("verified", 0),
    };
    Ok(found)
}

fn recomputed(store: Option<&Store>, statement: &DecisionStatement) -> Result<(&'static str, String), Failure> {
    let Some(store) = store else { return Ok(("open", "there is no store with its input".into())) };
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Ok(match recompute(store, statement, Settings::from_variables(variables)?)? {
        Recomputed::Same => ("pass", "decided anew from its input: the same".into()),
        Recomputed::Different(found) => ("FAIL", found.join("; ")),
        Recomputed::Impossible(why) => ("open", why),
    })
}
