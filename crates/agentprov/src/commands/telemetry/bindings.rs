//! `agentprov telemetry bindings`.

use crate::context::Context;
use crate::failure::CommandResult;
use crate::render::{self, Columns};
use agentprov_graph::telemetry::{BindingFilter, bindings};
use clap::Args;
use std::process::ExitCode;

/// Lists bindings, oldest first.
#[derive(Args, Debug)]
pub(crate) struct Bindings {
    /// Only those of this run
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Only those of this session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Only those of this attempt
    #[arg(long, value_name = "ID")]
    attempt: Option<String>,
    /// Only those of this tool call
    #[arg(long, value_name = "ID")]
    tool_call: Option<String>,
    /// Only those of this process
    #[arg(long, value_name = "ID")]
    process: Option<String>,
    /// Print a JSON list
    #[arg(long)]
    json: bool,
}

impl Bindings {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let filter = BindingFilter {
            run: self.run,
            session: self.session,
            attempt: self.attempt,
            tool_call: self.tool_call,
            process: self.process,
        };
        let rows = bindings(&context.store_or_new()?.reader()?, &filter)?;
        if self.json {
            render::json(&rows)?;
            return Ok(ExitCode::SUCCESS);
        }
        let clock = context.clock();
        let mut columns = Columns::new(&[
            "ID",
            "RUN",
            "SESSION",
            "ATTEMPT",
            "TOOL_CALL",
            "PROCESS",
            "CONTAINER",
            "CGROUP",
            "ROOT_PID",
            "PID",
            "SOURCE",
            "CONFIDENCE",
            "STARTED_AT",
            "ENDED_AT",
        ]);
        let number = |pid: u32| if pid == 0 { String::new() } else { pid.to_string() };
        for row in rows {
            columns.row(vec![
                row.id,
                row.run_id,
                row.session_id,
                row.attempt_id,
                row.tool_call_id,
                row.process_id,
                agentprov_graph::timeline::visible_text(&row.container_id),
                agentprov_graph::timeline::visible_text(&row.cgroup_id),
                number(row.root_pid),
                number(row.pid),
                row.binding_source,
                row.confidence.to_string(),
                clock.show_text(&row.started_at),
                clock.show_text(&row.ended_at),
            ]);
        }
        columns.write(&mut anstream::stdout().lock())?;
        Ok(ExitCode::SUCCESS)
    }
}
