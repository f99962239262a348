//! `agentprov security`.

use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use crate::render::{self, Columns, QUIET, UNSURE, styled};
use crate::run_name::RunName;
use agentprov_graph::security::{
    Judging, ResponseItem, RiskItem, security_deviations, security_responses, security_risks,
};
use agentprov_store::{Reader, RunRow};
use clap::{Args, Subcommand};
use std::io::Write;
use std::process::ExitCode;

/// What speaks against a run, and what was done about it.
#[derive(Debug, Subcommand)]
pub(crate) enum Security {
    /// What rules raised
    Risks(Listing),
    /// What was done about risks, and whether it happened
    Responses(Listing),
    /// Where runs leave what was learned of earlier ones
    Deviations(Listing),
}

/// The run, and the form of the answer.
#[derive(Args, Debug)]
pub(crate) struct Listing {
    /// The run [default: all runs]
    #[command(flatten)]
    run: RunName,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

impl Security {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let (path, listing) = match &self {
            Self::Risks(listing) => ("/v1/security/risks", listing),
            Self::Responses(listing) => ("/v1/security/responses", listing),
            Self::Deviations(listing) => ("/v1/security/deviations", listing),
        };
        if let Some(remote) = context.remote(listing.json)? {
            return remote.print(path, &[("run", listing.run.name().map(str::to_owned))]);
        }
        match self {
            Self::Risks(listing) => risks(&listing, context)?,
            Self::Responses(listing) => responses(&listing, context)?,
            Self::Deviations(listing) => deviations(&listing, context)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Listing {
    fn open(&self, context: &Context) -> Result<(Reader, Option<RunRow>), Failure> {
        match self.run.name() {
            Some(name) => {
                let (reader, selected) = context.run(Some(name))?;
                Ok((reader, Some(selected.run)))
            }
            None => Ok((context.store()?.reader()?, None)),
        }
    }
}

fn risks(listing: &Listing, context: &Context) -> Result<(), Failure> {
    let (reader, run) = listing.open(context)?;
    let document = security_risks(&reader, run.as_ref())?;
    if listing.json {
        return render::json(&document);
    }
    let clock = context.clock();
    let mut columns = Columns::new(&[
        "ID",
        "RUN",
        "SESSION",
        "TOOL_CALL",
        "PROCESS",
        "TYPE",
        "SEVERITY",
        "ACTION",
        "REASON",
        "CREATED_AT",
    ]);
    for RiskItem { risk, .. } in &document.body.risks {
        columns.row(vec![
            risk.id.clone(),
            risk.run_id.clone(),
            risk.session_id.clone(),
            risk.tool_call_id.clone(),
            risk.process_id.clone(),
            risk.signal_type.to_string(),
            risk.severity.to_string(),
            risk.recommended_action.to_string(),
            render::cut(&risk.reason, 60),
            clock.show_text(&risk.created_at),
        ]);
    }
    write(&columns, document.body.count, "risks", &document.judging)
}

fn responses(listing: &Listing, context: &Context) -> Result<(), Failure> {
    let (reader, run) = listing.open(context)?;
    let document = security_responses(&reader, run.as_ref())?;
    if listing.json {
        return render::json(&document);
    }
    let clock = context.clock();
    let mut columns = Columns::new(&[
        "ID",
        "RUN",
        "ACTION",
        "TARGET_TYPE",
        "TARGET_ID",
        "STATUS",
        "RISK",
        "DECISION",
        "CREATED_AT",
        "EVIDENCE",
    ]);
    for ResponseItem { response, .. } in &document.body.responses {
        columns.row(vec![
            response.id.clone(),
            response.run_id.clone(),
            response.action_type.to_string(),
            response.target_type.to_owned(),
            response.target_id.clone(),
            format!("{} ({})", response.status, response.state),
            response.risk_signal_id.clone(),
            response.policy_decision_id.clone(),
            clock.show_text(&response.created_at),
            render::cut(&response.evidence, 60),
        ]);
    }
    write(&columns, document.body.count, "responses", &document.judging)
}

fn deviations(listing: &Listing, context: &Context) -> Result<(), Failure> {
    let (reader, run) = listing.open(context)?;
    let document = security_deviations(&reader, run.as_ref())?;
    if listing.json {
        return render::json(&document);
    }
    writeln!(anstream::stdout().lock(), "{}", document.body.baseline.state)?;
    Ok(())
}

fn write(columns: &Columns, count: usize, what: &str, judging: &Judging) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    if count > 0 {
        columns.write(&mut out)?;
    }
    say_judging(&mut out, count, what, judging)
}

/// An empty list says something only where rules judged.
pub(crate) fn say_judging(out: &mut impl Write, count: usize, what: &str, judging: &Judging) -> Result<(), Failure> {
    let unjudged = render::count(judging.unjudged_attempts, "attempt");
    match judging.state {
        "judged" if count == 0 => writeln!(out, "{}", styled(QUIET, format!("rules judged everything: no {what}")))?,
        "judged" => {}
        "partly_judged" => writeln!(out, "{}", styled(UNSURE, format!("{unjudged} not judged by any rules")))?,
        _ => {
            let text = format!("not judged: nothing can be said about {what}; record with --rules default");
            writeln!(out, "{}", styled(UNSURE, text))?;
        }
    }
    Ok(())
}
