//! How commands are told which run.

use clap::Args;

/// A run, named by position or by `--run`.
#[derive(Args, Clone, Debug)]
pub(crate) struct RunName {
    /// The run [default: the latest]
    #[arg(value_name = "RUN", conflicts_with = "run")]
    position: Option<String>,
    /// The run, by flag
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
}

impl RunName {
    /// The name, where one was given.
    pub(crate) fn name(&self) -> Option<&str> {
        self.run.as_deref().or(self.position.as_deref())
    }
}
