//! `agentprov review waive`, `suppress` and `reopen`.

use crate::commands::review::setup::{local_waivers, now};
use crate::context::{Context, current_dir};
use crate::failure::{CommandResult, Failure};
use agentprov_review::FindingId;
use agentprov_review::change::Repository;
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
    /// The last day on which it holds
    #[arg(long, value_name = "YYYY-MM-DD")]
    until: Option<String>,
    /// Who decides [default: user.name and user.email of git]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Write it to .agentprov-waivers.jsonl in the repository, for everybody, instead of beside the store. It holds for changes
    /// that start from a commit which has it
    #[arg(long)]
    shared: bool,
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
        let waiver = Waiver { finding: self.finding, action, reason: self.reason, by, at, until: self.until };
        if let Some(mistake) = waiver.mistake() {
            return Err(Failure::usage(mistake));
        }
        let file = match (self.shared, &repository) {
            (true, Some(repository)) => repository.root().join(Policy::WAIVER_FILE),
            (true, None) => return Err(Failure::usage("--shared: there is no repository here")),
            (false, _) => {
                context.location()?.create()?;
                local_waivers(context)?
            }
        };
        let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", file.display()));
        waiver.append(&file).map_err(failed)?;
        let what = match action {
            WaiverAction::Waive => "waived",
            WaiverAction::Suppress => "suppressed",
            WaiverAction::Reopen => "reopened",
        };
        let until = waiver.until.map(|until| format!(" until {until}")).unwrap_or_default();
        writeln!(anstream::stdout(), "{} {what} by {}{until}: {}", waiver.finding, waiver.by, file.display())?;
        Ok(ExitCode::SUCCESS)
    }
}
