//! `agentprov review waive`, `suppress` and `reopen`.

use crate::commands::review::setup::{local_waivers, now};
use crate::commands::review::unreadable;
use crate::context::{Context, current_dir};
use crate::failure::{CommandResult, Failure};
use agentprov_review::FindingId;
use agentprov_review::change::{Repository, RepositoryId};
use agentprov_review::governance::{Policy, Waiver, WaiverAction};
use clap::Args;
use std::io::Write;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct Waive {
    /// The finding, as a review prints it: fd_...
    #[arg(value_name = "FINDING")]
    finding: FindingId,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The last day on which it holds, in UTC; a waiver needs one
    #[arg(long, value_name = "YYYY-MM-DD")]
    until: Option<String>,
    /// Who decides [default: user.name and user.email of git]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Write it to .agentprov-waivers.jsonl in the repository, for everybody, instead of beside the store. It holds for changes
    /// that start from a commit which has it
    #[arg(long)]
    shared: bool,

    /// Decide for a repository whose changes are posted to the service, by the name under which they are
    #[arg(long, value_name = "NAME", conflicts_with = "shared")]
    repository: Option<String>,
}

impl Waive {
    pub(super) fn run(self, context: &Context, action: WaiverAction) -> CommandResult {
        let repository = Repository::find(&current_dir()?).ok();
        let by = match (self.by, &repository) {
            (Some(by), _) => Some(by),
            (None, Some(repository)) => repository.user().map_err(|error| Failure::new(error.to_string()))?,
            (None, None) => None,
        };
        let by = by.ok_or_else(|| Failure::usage("nobody is named").hint("say who decides with --by"))?;
        let at = now().to_rfc3339();
        let place = match (self.repository, &repository) {
            (Some(name), _) => RepositoryId::Posted(name),
            (None, Some(repository)) => named(repository)?,
            (None, None) => RepositoryId::Nowhere,
        };
        let (finding, reason, until) = (self.finding, self.reason, self.until);
        let waiver = Waiver { finding, repository: place, action, reason, by, at, until };
        if let Some(mistake) = waiver.mistake() {
            return Err(Failure::usage(mistake));
        }
        // Days in this spelling sort as time does. A last day that is over would be taken and then never count.
        let today = waiver.at.split('T').next().unwrap_or_default();
        if let Some(until) = waiver.until.as_deref().filter(|until| *until < today) {
            return Err(Failure::usage(format!("--until {until}: that day is over, so it would not count"))
                .hint(format!("name today ({today}, UTC) or a later day")));
        }
        let file = match (self.shared, &repository) {
            (true, Some(repository)) => repository.root().join(Policy::WAIVER_FILE),
            (true, None) => return Err(Failure::usage("--shared: there is no repository here")),
            (false, _) => local_waivers(context)?,
        };
        let signer = context.store_or_new()?.signer()?;
        let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", file.display()));
        waiver.append(&file, &signer).map_err(failed)?;
        let what = match action {
            WaiverAction::Waive => "waived",
            WaiverAction::Suppress => "suppressed",
            WaiverAction::Reopen => "reopened",
        };
        let until = waiver.until.map(|until| format!(" until {until}")).unwrap_or_default();
        writeln!(anstream::stdout(), "{} {what} by {}{until}: {}", waiver.finding, waiver.by, file.display())?;
        if self.shared {
            let text =
                format!("signed; others believe it with {} among the waiver_keys of their policy", signer.verifier());
            writeln!(anstream::stdout(), "{text}")?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What tells this repository from others.
fn named(repository: &Repository) -> Result<RepositoryId, Failure> {
    let found = repository.identity("HEAD").map_err(|error| unreadable(&error))?;
    found.ok_or_else(|| {
        Failure::usage("which repository this is can't be told: its history was cut off, or has no commit")
            .hint("fetch the whole history (git fetch --unshallow), or commit first")
    })
}
