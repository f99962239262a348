//! `cargo xtask bench`: the release binary against named rivals, in the same run.
//!
//! A row states what it measures, runs its contestants in turns, and makes each prove after every
//! run that the work was done: a fast answer that is wrong is not a result.

mod agentprov;
mod arguments;
mod cli_start;
mod contestant;
mod example_row;
mod machine;
mod measure;
mod memory_row;
mod proxy_row;
mod record_row;
mod report;
mod review_row;
mod row;
mod session_row;
mod statistics;
mod store;
mod strace;
mod table;
mod vendor;
mod workload;
mod workloads;

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use crate::Result;
use crate::workspace;
use arguments::Arguments;
use row::{Prepared, Row};

/// Every row, in the order in which they run.
fn rows() -> Vec<Box<dyn Row>> {
    let mut rows: Vec<Box<dyn Row>> = vec![Box::new(cli_start::CliStart)];
    rows.extend(record_row::rows());
    rows.extend(example_row::rows());
    rows.extend(proxy_row::rows());
    rows.extend(session_row::rows());
    rows.extend(review_row::rows());
    rows.push(Box::new(memory_row::Memory));
    rows
}

/// The folders in which cargo has programs look for libraries: every program that is measured would look there first,
/// dozens of opens for each that it starts.
const LIBRARIES: &str = "LD_LIBRARY_PATH";

/// Starts this program anew without what cargo set, in the same process.
fn leave_cargo() -> Result<()> {
    if std::env::var_os("CARGO").is_none() || std::env::var_os(LIBRARIES).is_none() {
        return Ok(());
    }
    let program = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let error = Command::new(program).args(std::env::args_os().skip(1)).env_remove(LIBRARIES).exec();
    Err(format!("cannot start this program again without {LIBRARIES}: {error}"))
}

/// `cargo xtask bench [--filter TEXT] [--runs N] [--json FILE] [--program FILE] [--list]`.
pub(crate) fn run(arguments: &[String]) -> Result<bool> {
    leave_cargo()?;
    let arguments = Arguments::parse(arguments)?;
    let wanted: Vec<Box<dyn Row>> = rows().into_iter().filter(|row| arguments.wants(row.as_ref())).collect();
    if wanted.is_empty() {
        return Err("no row has that in its name; see `cargo xtask bench --list`".to_owned());
    }
    if arguments.list {
        for row in &wanted {
            println!("{}\n    {}", row.name(), row.measures());
        }
        return Ok(true);
    }
    let program = match &arguments.program {
        Some(program) => std::path::absolute(program).map_err(|error| format!("{}: {error}", program.display()))?,
        None => build_release()?,
    };
    let mut report = report::Report::new(machine::describe(), arguments.runs);
    println!("{}", report.heading());
    for row in wanted {
        let outcome = measure_row(row.as_ref(), &program, arguments.runs);
        print!("{}", report.add(row.name(), row.measures(), outcome));
    }
    if let Some(path) = &arguments.json {
        std::fs::write(path, format!("{:#}\n", report.json()))
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    println!("{}", report.closing_line());
    Ok(report.is_good())
}

fn measure_row(row: &dyn Row, program: &std::path::Path, runs: usize) -> row::Outcome {
    let prepared = match row.prepare(program) {
        Ok(Prepared::Ready(contestants)) => contestants,
        Ok(Prepared::Unavailable(reason)) => return row::Outcome::Skipped(reason),
        Err(reason) => return row::Outcome::Failed(reason),
    };
    match measure::interleave(prepared, runs) {
        Ok(results) => row::Outcome::Measured { aim: row.aim(), results },
        Err(reason) => row::Outcome::Failed(reason),
    }
}

fn build_release() -> Result<PathBuf> {
    let status = workspace::cargo()
        .args(["build", "--quiet", "--release", "--package", "agentprov"])
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !status.success() {
        return Err("the release binary does not build; mend `cargo build --release -p agentprov`".to_owned());
    }
    Ok(workspace::target_dir().join("release").join("agentprov"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::rows;

    #[test]
    fn every_row_has_a_name_of_its_own_and_says_what_it_measures() {
        let names: BTreeSet<String> = rows().iter().map(|row| row.name()).collect();
        assert_eq!(names.len(), rows().len());
        assert!(rows().iter().all(|row| !row.measures().is_empty()));
    }
}
