//! What every command takes.

use clap::Args;
use std::path::PathBuf;

/// Options that every command takes, before or after its name.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// The store to use [default: the nearest .agentprov upward from here, as git finds .git]
    #[arg(long, global = true, value_name = "DIR", env = "AGENTPROV_DATA_DIR", help_heading = "Global options")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Daemon to ask instead of the local store: by runs, show, timeline, telemetry list, windows and correlations, graph verify,
    /// explain, diff and blame, security and observe summary, with --json. Other commands work on the local store only, and say
    /// so. AGENTPROV_DAEMON_TOKEN has its token
    #[arg(long, global = true, value_name = "URL", env = "AGENTPROV_DAEMON_URL", help_heading = "Global options")]
    pub(crate) daemon_url: Option<String>,
    /// Signing key to use instead of the store's own: a file with a 32-byte seed in hex, mode 0600
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub(crate) key: Option<PathBuf>,
    /// Show times in UTC, also on a terminal
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) utc: bool,
}
