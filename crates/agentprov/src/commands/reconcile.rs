//! `agentprov reconcile`.

use crate::context::Context;
use crate::failure::CommandResult;
use crate::render::{self, BAD, GOOD, QUIET, TITLE, UNSURE, styled};
use crate::run_name::RunName;
use agentprov_graph::reconcile::{
    CallRow, CallState, FailOn, ProcessLink, Reconciliation, Ruling, UndeclaredRow, Verdict, reconcile,
};
use agentprov_graph::tool_calls::BindingState;
use clap::{Args, ValueEnum};
use std::io::{self, Write};
use std::process::ExitCode;

/// Exit code where what is known does not suffice.
const UNDECIDED: u8 = 3;
/// Characters of a command on a line.
const COMMAND_WIDTH: usize = 100;

/// Compares what agents declared with what was observed, both ways: calls without effect, effects without a call, and
/// calls that did other than they say. Every line names the facts that it rests on; with losses in the recording
/// it is not said that something did not happen.
#[derive(Args, Debug)]
pub(crate) struct Reconcile {
    #[command(flatten)]
    run: RunName,
    /// Exit with 1 where there is one, with 3 where that can't be decided; may be given several times
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    fail_on: Vec<What>,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// An effect that no call declares
    Undeclared,
    /// A call whose effect was not seen
    Unmatched,
    /// No hook spoke, messages of hooks were lost, or hooks fell silent while the agent worked
    HooksMissing,
}

impl Reconcile {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let (reader, selected) = context.run(self.run.name())?;
        let document = reconcile(&reader, &selected.run)?;
        if self.json {
            render::json(&document)?;
        } else {
            context.say_which(&selected);
            print(&document)?;
        }
        let ruling = |what: &What| {
            document.ruling(match what {
                What::Undeclared => FailOn::Undeclared,
                What::Unmatched => FailOn::Unmatched,
                What::HooksMissing => FailOn::HooksMissing,
            })
        };
        for what in &self.fail_on {
            let said = match ruling(what) {
                Ruling::Pass => continue,
                Ruling::Undecided => "could not be decided, since not everything was seen",
                Ruling::Fail => "there is at least one",
            };
            let name = what.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
            writeln!(anstream::stderr(), "{}", styled(BAD, format!("--fail-on {name}: {said}")))?;
        }
        Ok(match self.fail_on.iter().map(ruling).max() {
            None | Some(Ruling::Pass) => ExitCode::SUCCESS,
            Some(Ruling::Undecided) => ExitCode::from(UNDECIDED),
            Some(Ruling::Fail) => ExitCode::FAILURE,
        })
    }
}

fn print(document: &Reconciliation) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    story(&mut out, document, usize::MAX)?;
    for row in &document.scaffolding {
        let count = row.processes.len() + row.effects.len();
        writeln!(out, "{} {}  {count}  {}", styled(TITLE, "scaffolding"), row.rule, styled(QUIET, row.about))?;
    }
    let word = match document.verdict {
        Verdict::Agrees => styled(GOOD, "declared and observed agree"),
        Verdict::Differs => styled(BAD, "declared and observed differ"),
        Verdict::Undecided => styled(UNSURE, "undecided"),
        Verdict::NothingDeclared => styled(UNSURE, "no agent declared anything in this run"),
        Verdict::DeclaredOnly => styled(UNSURE, "declared only: nothing was recorded to compare it with"),
    };
    writeln!(out, "{}  {word}", styled(TITLE, "verdict"))
}

/// The calls of a run with what came of them, and what came without one.
pub(crate) fn story(out: &mut impl Write, document: &Reconciliation, most: usize) -> io::Result<()> {
    for session in &document.sessions {
        let id = session.session_id.as_deref().unwrap_or("(not named)");
        let end = if session.ended { "ended" } else { "its end was not told" };
        writeln!(
            out,
            "{} {} {id}  {}, {}, {end}",
            styled(TITLE, "session"),
            session.agent,
            render::count(session.calls, "call"),
            render::count(session.prompts, "prompt"),
        )?;
        if !session.silent_while.is_empty() {
            let line = format!("its hooks fell silent while it worked: {}", session.silent_while.join(" "));
            writeln!(out, "  {}", styled(BAD, line))?;
        }
    }
    if document.sessions.is_empty() {
        writeln!(out, "{}  none: no agent spoke", styled(TITLE, "session"))?;
    }
    writeln!(out, "{}  {}", styled(TITLE, "tool calls"), document.calls.len())?;
    for call in document.calls.iter().take(most) {
        print_call(out, call)?;
    }
    rest(out, document.calls.len(), most)?;
    if !document.undeclared.is_empty() {
        writeln!(out, "{}  {}", styled(TITLE, "without a call"), document.undeclared.len())?;
        for row in document.undeclared.iter().take(most) {
            print_undeclared(out, row)?;
        }
        rest(out, document.undeclared.len(), most)?;
    }
    for why in &document.absence.why {
        writeln!(out, "{}  {}", styled(TITLE, "not seen"), styled(UNSURE, why))?;
    }
    Ok(())
}

fn rest(out: &mut impl Write, length: usize, most: usize) -> io::Result<()> {
    match length.checked_sub(most) {
        None | Some(0) => Ok(()),
        Some(more) => writeln!(out, "  {}", styled(QUIET, format!("... {more} more"))),
    }
}

fn print_call(out: &mut impl Write, call: &CallRow) -> io::Result<()> {
    let style = match call.state {
        CallState::Matched => GOOD,
        CallState::Unmatched => BAD,
        CallState::Ambiguous | CallState::Undecided => UNSURE,
        CallState::NotDue | CallState::DeclaredOnly => QUIET,
    };
    let input = call.input.as_deref().unwrap_or_default();
    let tool = if call.tool.is_empty() { "(tool not told)" } else { &call.tool };
    let told = call.status.map_or("its end was not told", |status| status.name());
    writeln!(
        out,
        "  {}  {tool} {}  {}, {}",
        call.tool_call_id,
        render::cut(input, COMMAND_WIDTH),
        told,
        styled(style, call.state.name().replace('_', " ")),
    )?;
    if call.witnesses.len() > 1 {
        writeln!(out, "      {}", styled(QUIET, format!("told by {}", call.witnesses.join(", "))))?;
    }
    if let Some(home) = &call.home_run_id {
        let line = format!("came before its hooks, which are in run {home}: counted there");
        writeln!(out, "      {}", styled(QUIET, line))?;
    }
    for difference in &call.differences {
        let line = format!("{} [{}]", difference.what, difference.evidence.join(" "));
        writeln!(out, "      {}", styled(BAD, line))?;
    }
    for process in call.processes.iter().filter(|process| process.root || process.background) {
        print_process(out, process)?;
    }
    for file in &call.files {
        writeln!(out, "      {}  {}", file.what, ground(&file.link, &file.event_id))?;
    }
    for connection in &call.network {
        writeln!(out, "      reached for {}  {}", connection.address, ground(&connection.link, &connection.event_id))?;
    }
    for container in &call.containers {
        let first = container.event_id.as_deref().unwrap_or_default();
        let what = format!("had container {}, {} events", container.container_id, container.events);
        writeln!(out, "      {what}  {}", ground(&container.link, first))?;
    }
    Ok(())
}

fn print_process(out: &mut impl Write, process: &ProcessLink) -> io::Result<()> {
    let command = process.command.as_deref().unwrap_or("(a copy of its parent)");
    let verb = if process.background { "ran on" } else { "ran" };
    let ground = ground(&process.link, &process.process_id);
    writeln!(out, "      {verb} {}  {ground}", render::cut(command, COMMAND_WIDTH))
}

/// On what a link stands, in a few words.
fn ground(link: &agentprov_graph::reconcile::Link, id: &str) -> String {
    let rung = link.rung.map_or("", |rung| rung.name());
    let text = match link.state {
        BindingState::Ambiguous => {
            let others = link.alternatives.join(", ");
            let or = if others.is_empty() { "or nobody's".to_owned() } else { format!("or of {others}") };
            return styled(UNSURE, format!("[{id} {rung}, {or}]"));
        }
        _ => format!("[{id} {rung} {}]", link.confidence),
    };
    styled(QUIET, text)
}

fn print_undeclared(out: &mut impl Write, row: &UndeclaredRow) -> io::Result<()> {
    let verb = if row.kind == "process" { "ran " } else { "" };
    let what = format!("{verb}{}", render::cut(&row.what, COMMAND_WIDTH));
    writeln!(out, "  {}  {}", styled(BAD, what), styled(QUIET, format!("[{}] {}", row.evidence.join(" "), row.why)))?;
    for effect in &row.effects {
        writeln!(out, "      {effect}")?;
    }
    Ok(())
}
