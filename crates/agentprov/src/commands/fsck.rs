//! `agentprov fsck`.

use crate::context::Context;
use crate::failure::CommandResult;
use crate::render::{self, BAD, GOOD, UNSURE, styled};
use agentprov_model::schema;
use clap::Args;
use serde::Serialize;
use std::io::Write;
use std::process::ExitCode;

/// Recomputes every leaf, root, count and index from the facts, reads every blob, and compares.
#[derive(Args, Debug)]
pub(crate) struct Fsck {
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    schema_version: String,
    status: &'static str,
    run_count: u64,
    fact_count: u64,
    blob_count: u64,
    contents_in_git: u64,
    problems: Vec<Problem>,
}

#[derive(Serialize)]
struct Problem {
    code: &'static str,
    subject: String,
    detail: String,
    serious: bool,
}

impl Fsck {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let store = context.store()?;
        let bar = render::progress_bar("checking");
        let report = agentprov_store::fsck::check(&store, &mut |what, fraction| {
            bar.set_position((fraction * 1000.0) as u64);
            bar.set_message(what.to_owned());
        })?;
        bar.finish_and_clear();
        let code = if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        if self.json {
            render::json(&document(&report))?;
            return Ok(code);
        }
        let mut out = anstream::stdout().lock();
        for problem in &report.problems {
            let style = if problem.serious { BAD } else { UNSURE };
            writeln!(out, "{}  {}: {}", styled(style, problem.code), problem.subject, problem.detail)?;
        }
        let verdict = if report.is_clean() { styled(GOOD, "in order") } else { styled(BAD, "damaged") };
        writeln!(
            out,
            "{verdict}: {}, {}, {} read, {} in git",
            render::count(report.runs, "run"),
            render::count(report.facts, "fact"),
            render::count(report.blobs, "blob"),
            render::count(report.in_git, "content"),
        )?;
        Ok(code)
    }
}

fn document(report: &agentprov_store::fsck::Report) -> Document {
    let problems = report.problems.iter().map(|problem| Problem {
        code: problem.code,
        subject: problem.subject.clone(),
        detail: problem.detail.clone(),
        serious: problem.serious,
    });
    Document {
        schema_version: schema::v1("fsck"),
        status: if report.is_clean() { "ok" } else { "failed" },
        run_count: report.runs,
        fact_count: report.facts,
        blob_count: report.blobs,
        contents_in_git: report.in_git,
        problems: problems.collect(),
    }
}
