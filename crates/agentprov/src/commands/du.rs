//! `agentprov du`.

use crate::context::Context;
use crate::failure::CommandResult;
use crate::render::{self, Columns};
use agentprov_model::schema;
use clap::Args;
use serde::Serialize;
use std::io::Write;
use std::process::ExitCode;

/// Says what runs cost on disk.
#[derive(Args, Debug)]
pub(crate) struct Du {
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    schema_version: String,
    data_dir: String,
    database_bytes: u64,
    blob_bytes: u64,
    blob_count: u64,
    total_bytes: u64,
    runs: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    run_id: String,
    fact_count: u64,
    fact_bytes: u64,
    own_blob_bytes: u64,
    shared_blob_bytes: u64,
    contents_in_git: u64,
}

impl Du {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let document = measure(context)?;
        if self.json {
            render::json(&document)?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut columns = Columns::new(&["RUN", "FACTS", "FACT BYTES", "OWN BLOBS", "SHARED BLOBS", "IN GIT"]);
        for row in &document.runs {
            columns.row(vec![
                row.run_id.clone(),
                row.fact_count.to_string(),
                render::bytes(row.fact_bytes),
                render::bytes(row.own_blob_bytes),
                render::bytes(row.shared_blob_bytes),
                row.contents_in_git.to_string(),
            ]);
        }
        let mut out = anstream::stdout().lock();
        columns.write(&mut out)?;
        writeln!(
            out,
            "total {}: database {}, {} in {}, at {}",
            render::bytes(document.total_bytes),
            render::bytes(document.database_bytes),
            render::count(document.blob_count, "blob"),
            render::bytes(document.blob_bytes),
            document.data_dir,
        )?;
        Ok(ExitCode::SUCCESS)
    }
}

fn measure(context: &Context) -> Result<Document, crate::failure::Failure> {
    let reader = context.store()?.reader()?;
    let store = reader.store_usage()?;
    let usage = reader.usage_by_run()?;
    let present = reader.runs()?.into_iter().filter(|run| run.removed.is_none());
    let runs = present.map(|run| {
        let usage = usage.get(&run.no).copied().unwrap_or_default();
        Row {
            run_id: run.id.to_string(),
            fact_count: run.size,
            fact_bytes: usage.body_bytes,
            own_blob_bytes: usage.own_blob_bytes,
            shared_blob_bytes: usage.shared_blob_bytes,
            contents_in_git: usage.contents_in_git,
        }
    });
    Ok(Document {
        schema_version: schema::v1("disk_usage"),
        data_dir: reader.store().dir().display().to_string(),
        database_bytes: store.database_bytes,
        blob_bytes: store.blob_bytes,
        blob_count: store.blobs,
        total_bytes: store.database_bytes + store.blob_bytes,
        runs: runs.collect(),
    })
}
