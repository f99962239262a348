//! The default rules, one file each.

use crate::diagnostic::Diagnostic;
use crate::load::{LoadError, usable};
use crate::rules::{RuleFile, RuleSet, parse};

macro_rules! pack {
    ($($id:literal,)*) => {
        /// Id and text of every default rule, in order.
        pub const DEFAULT: &[(&str, &str)] = &[$(($id, include_str!(concat!("../rules/", $id, ".yaml")))),*];
    };
}

pack! {
    "metadata_ip_dst",
    "metadata_ip_args",
    "private_cidr_access",
    "secret_path_access",
    "secret_path_suspected",
    "privilege_escalation",
    "privilege_command",
    "kernel_interface",
    "ptrace_access",
    "supply_chain_install",
    "anomalous_process_tree",
    "resource_pressure",
    "zero_sdk_orphan_observe_only",
    "persistence_git_hooks",
    "persistence_shell_rc",
    "persistence_cron",
    "persistence_systemd",
    "persistence_authorized_keys",
    "reverse_shell",
    "secret_then_network",
    "recorder_tampering",
}

/// The default pack as one rule file, and what is wrong with it.
pub fn default_file() -> (RuleFile, Vec<Diagnostic>) {
    let mut pack = RuleFile::default();
    let mut diagnostics = Vec::new();
    for (id, text) in DEFAULT {
        let (file, mistakes) = parse(&format!("rules/{id}.yaml"), text);
        pack.rules.extend(file.rules);
        diagnostics.extend(mistakes);
    }
    (pack, diagnostics)
}

/// The default pack.
///
/// # Errors
/// When a rule of the pack has a mistake, which the tests of this crate rule out.
pub fn default_rules() -> Result<RuleSet, LoadError> {
    let (file, diagnostics) = default_file();
    usable(file, diagnostics)
}
