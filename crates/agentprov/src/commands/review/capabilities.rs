//! `agentprov detectors`: which engines a review here would run.

use super::engines::Engines;
use super::{setup, unreadable};
use crate::context::current_dir;
use crate::failure::{CommandResult, Failure};
use crate::render::{self, Columns};
use agentprov_review::change::{ChangeError, Repository};
use agentprov_review::detect::Capability;
use agentprov_review::governance::Policy;
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The engines of reviews.
#[derive(Debug, Subcommand)]
pub(crate) enum Detectors {
    /// List the engines that a review would run, with versions and digests of their rules, and why one can't run
    Capabilities(Capabilities),
}

#[derive(Args, Debug)]
pub(crate) struct Capabilities {
    #[command(flatten)]
    engines: Engines,
    /// The policy to take detectors from, instead of the one in the repository at HEAD
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

impl Detectors {
    pub(crate) fn run(self) -> CommandResult {
        let Self::Capabilities(command) = self;
        command.run()
    }
}

impl Capabilities {
    fn run(self) -> CommandResult {
        let here = current_dir()?;
        let policy = self.policy(&here)?;
        let capabilities = self.engines.registry(&policy, self.config.is_some(), &here)?.capabilities();
        if self.json {
            render::json(&serde_json::json!({"detectors": capabilities}))?;
        } else {
            table(&capabilities)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn policy(&self, here: &Path) -> Result<Policy, Failure> {
        match (&self.config, Repository::find(here)) {
            (Some(file), _) => setup::of_file(file),
            (None, Ok(repository)) => setup::at_commit(&repository, "HEAD"),
            (None, Err(ChangeError::NoRepository(_))) => Ok(Policy::default()),
            (None, Err(error)) => Err(unreadable(&error)),
        }
    }
}

fn table(capabilities: &[Capability]) -> std::io::Result<()> {
    let mut columns = Columns::new(&["ENGINE", "VERSION", "RULES", "DIGEST", "STATE"]);
    for capability in capabilities {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        columns.row(vec![
            capability.name.clone(),
            or_dash(capability.engine_version.clone()),
            or_dash(capability.rule_count.map(|count| count.to_string())),
            or_dash(capability.digest.as_ref().map(|digest| digest.chars().take(12).collect())),
            capability.problem.clone().unwrap_or_else(|| "ready".into()),
        ]);
    }
    columns.write(&mut anstream::stdout().lock())
}
