//! `agentprov blame --rev`: across runs and commits.

use crate::commands::attribution::imported;
use crate::commands::review::{describe, reader, undecided};
use crate::context::{Context, current_dir};
use crate::failure::{CommandResult, Failure};
use crate::render::{self, QUIET, UNSURE, styled};
use agentprov_graph::blame::LineNo;
use agentprov_graph::timeline::visible_text;
use agentprov_model::OsBytes;
use agentprov_review::attribution::{BlamedFile, LineAttribution, LineStatus, Sources, blame};
use agentprov_review::change::Repository;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

/// Columns for the owner.
const WIDTH: usize = 40;

/// Blames a file at a commit.
pub(super) fn run(
    context: &Context,
    name: &OsBytes,
    line: Option<LineNo>,
    revision: &str,
    json: bool,
) -> CommandResult {
    let here = current_dir()?;
    let repository = Repository::find(&here).map_err(|error| Failure::new(error.to_string()))?;
    let path = below_top(&repository, &here, name)?;
    let reader = reader(context)?;
    let traces = imported(context)?;
    let sources =
        Sources { repository: Some(&repository), reader: reader.as_ref(), traces: &traces, ..Sources::default() };
    let mut blamed = blame(&repository, &sources, &path, revision).map_err(|error| undecided(&error))?;
    if let Some(line) = line {
        keep(&mut blamed, line)?;
    }
    if json {
        render::json(&blamed)?;
    } else {
        print(&blamed, line)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The path from the top of the repository: as given from here, `..` resolved by text since the file may be gone.
fn below_top(repository: &Repository, here: &Path, name: &OsBytes) -> Result<OsBytes, Failure> {
    let given = Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
    let here = here.canonicalize().unwrap_or_else(|_| here.to_owned());
    let mut path = PathBuf::new();
    for part in here.join(given).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::CurDir => {}
            other => path.push(other),
        }
    }
    let top = repository.root().canonicalize().unwrap_or_else(|_| repository.root().to_owned());
    let below = path.strip_prefix(&top);
    let below = below.map_err(|_| Failure::usage(format!("'{}' is not in this repository", name.lossy())))?;
    Ok(OsBytes::from(below.as_os_str().as_bytes()))
}

fn keep(blamed: &mut BlamedFile, line: LineNo) -> Result<(), Failure> {
    let count = blamed.text.len();
    if line.index() >= count {
        return Err(Failure::usage(format!("line {line} is beyond the {count} lines of '{}'", blamed.path)));
    }
    blamed.text = vec![blamed.text.swap_remove(line.index())];
    for file in &mut blamed.attribution.files {
        file.lines.retain(|row| row.line.index() == line.index());
    }
    Ok(())
}

fn print(blamed: &BlamedFile, one: Option<LineNo>) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    let lines = blamed.attribution.files.iter().flat_map(|file| &file.lines);
    for (line, text) in lines.zip(&blamed.text) {
        let commit = line.commit.as_deref().and_then(|commit| commit.get(..10)).unwrap_or("-");
        let who = render::cut(&headline(blamed, line), WIDTH);
        let row = format!("{commit:<10} {who:<WIDTH$}");
        writeln!(out, "{:>5}  {}  {}", line.line.to_string(), styled(QUIET, row), visible_text(text))?;
        if one.is_some() || line.contradicted {
            details(&mut out, blamed, line)?;
        }
    }
    Ok(())
}

fn headline(blamed: &BlamedFile, line: &LineAttribution) -> String {
    match (line.status, blamed.attribution.owner(line)) {
        (LineStatus::Owned, Some(claim)) => {
            let run = claim.deed.as_ref().map(|deed| format!(" run {}", deed.run_id)).unwrap_or_default();
            visible_text(&format!("{}{run} [{}]", claim.author.name(), claim.method.as_str()))
        }
        (LineStatus::Ambiguous, _) => format!("one of {}", line.claims.len()),
        _ => "unknown".into(),
    }
}

fn details(out: &mut impl Write, blamed: &BlamedFile, line: &LineAttribution) -> Result<(), Failure> {
    for id in &line.claims {
        let claim = blamed.attribution.claim(*id);
        writeln!(out, "         {}", describe(claim))?;
        if let Some(deed) = &claim.deed {
            let session = deed.session_id.as_deref().unwrap_or("-");
            let call = deed.tool_call_id.as_deref().unwrap_or("-");
            writeln!(out, "           session {session}, tool call {call}")?;
            writeln!(out, "           evidence {} (fact {}), at {}", deed.event_id, deed.seq, deed.at)?;
        }
    }
    for id in &line.earlier {
        writeln!(out, "         over a line by {}", describe(blamed.attribution.claim(*id)))?;
    }
    if line.contradicted {
        writeln!(out, "         {}", styled(UNSURE, "these claims contradict each other"))?;
    }
    if let Some(reason) = &line.reason {
        writeln!(out, "         {}", styled(UNSURE, format!("unknown: {}", visible_text(reason))))?;
    }
    Ok(())
}
