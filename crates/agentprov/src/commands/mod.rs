//! One file a command: its arguments, the call into the other crates, the rendering.

pub(crate) mod adapter;
pub(crate) mod attribution;
mod batch_summary;
pub(crate) mod blame;
mod blame_revision;
pub(crate) mod completions;
pub(crate) mod daemon;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod du;
pub(crate) mod evidence;
pub(crate) mod fsck;
pub(crate) mod gc;
pub(crate) mod generate;
pub(crate) mod graph;
pub(crate) mod hook;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod launch;
pub(crate) mod llm_proxy;
pub(crate) mod man;
pub(crate) mod mcp;
pub(crate) mod observe;
pub(crate) mod policy;
pub(crate) mod prove;
pub(crate) mod reconcile;
pub(crate) mod record;
mod record_batch;
mod record_rules;
mod record_summary;
pub(crate) mod review;
pub(crate) mod rm;
pub(crate) mod runs;
pub(crate) mod security;
pub(crate) mod setup;
pub(crate) mod show;
pub(crate) mod telemetry;
pub(crate) mod timeline;
pub(crate) mod verify;
mod verify_statement;

use crate::arguments::{Arguments, Command};
use crate::context::Context;
use crate::failure::CommandResult;

/// Carries out a command.
pub(crate) fn run(arguments: Arguments) -> CommandResult {
    // A hook changes nothing for its agent, whatever is wrong with its options or the store.
    if let Command::Hook(command) = &arguments.command {
        return command.run(arguments.global.data_dir.as_deref());
    }
    let context = Context::new(arguments.global)?;
    match arguments.command {
        Command::Record(command) => command.run(&context),
        Command::Runs(command) => command.run(&context),
        Command::Show(command) => command.run(&context),
        Command::Timeline(command) => command.run(&context),
        Command::Graph(command) => command.run(&context),
        Command::Observe(command) => command.run(&context),
        Command::Telemetry(command) => command.run(&context),
        Command::Security(command) => command.run(&context),
        Command::Policy(command) => command.run(&context),
        Command::Adapter(command) => command.run(),
        Command::Evidence(command) => command.run(&context),
        Command::Blame(command) => command.run(&context),
        Command::Attribution(command) => command.run(&context),
        Command::Review(command) => command.run(&context),
        Command::Detectors(command) => command.run(),
        Command::Verify(command) => command.run(&context),
        Command::Prove(command) => command.run(&context),
        Command::Import(command) => command.run(&context),
        Command::Mcp(command) => command.run(&context),
        Command::Launch(command) => command.run(),
        Command::LlmProxy(command) => command.run(&context),
        Command::Setup(command) => command.run(),
        Command::Doctor(command) => command.run(&context),
        Command::Demo(command) => command.run(),
        Command::Du(command) => command.run(&context),
        Command::Rm(command) => command.run(&context),
        Command::Gc(command) => command.run(&context),
        Command::Fsck(command) => command.run(&context),
        Command::Reconcile(command) => command.run(&context),
        Command::Hook(command) => command.run(context.global.data_dir.as_deref()),
        Command::Init(command) => command.run(&context),
        Command::Daemon(command) => command.run(&context),
        Command::Completions(command) => command.run(),
        Command::Man(command) => command.run(),
        Command::Generate(command) => command.run(),
    }
}
