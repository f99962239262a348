//! What was asked for on the command line of `cargo xtask bench`.

use std::path::PathBuf;

use super::row::Row;
use crate::Result;

/// Fewer runs than this make no median worth quoting.
pub(crate) const FEWEST_RUNS: usize = 10;

const USAGE: &str = "usage: cargo xtask bench [--filter TEXT] [--runs N] [--json FILE] [--program FILE] [--list]";

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) filter: Option<String>,
    pub(crate) runs: usize,
    pub(crate) json: Option<PathBuf>,
    /// A binary to measure in place of the one that the workspace builds.
    pub(crate) program: Option<PathBuf>,
    pub(crate) list: bool,
}

impl Arguments {
    pub(crate) fn parse(words: &[String]) -> Result<Self> {
        let mut arguments = Self { filter: None, runs: FEWEST_RUNS, json: None, program: None, list: false };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"));
            match word.as_str() {
                "--filter" => arguments.filter = Some(value()?.clone()),
                "--json" => arguments.json = Some(value()?.into()),
                "--program" => arguments.program = Some(value()?.into()),
                "--list" => arguments.list = true,
                "--runs" => {
                    let number = value()?;
                    arguments.runs = number
                        .parse()
                        .ok()
                        .filter(|runs| *runs > 0)
                        .ok_or_else(|| format!("--runs {number}: not a number of runs\n{USAGE}"))?;
                }
                _ => return Err(format!("unknown argument `{word}`\n{USAGE}")),
            }
        }
        Ok(arguments)
    }

    pub(crate) fn wants(&self, row: &dyn Row) -> bool {
        self.wants_named(&row.name(), row.only_when_named() && !self.list)
    }

    fn wants_named(&self, row: &str, only_when_named: bool) -> bool {
        self.filter.as_ref().map_or(!only_when_named, |text| row.contains(text))
    }
}

#[cfg(test)]
mod tests {
    use super::Arguments;

    fn parse(line: &str) -> Result<Arguments, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Arguments::parse(&words)
    }

    #[test]
    fn flags_are_read() {
        let arguments = parse("--filter clone --runs 12 --json out.json").unwrap();
        assert_eq!(arguments.runs, 12);
        assert!(arguments.wants_named("record: git clone", false) && !arguments.wants_named("cli", false));
        assert!(arguments.wants_named("record: git clone", true) && !parse("").unwrap().wants_named("cli", true));
        assert_eq!(arguments.json.unwrap().to_str(), Some("out.json"));
    }

    #[test]
    fn mistakes_are_named() {
        assert!(parse("--runs zero").unwrap_err().contains("--runs zero"));
        assert!(parse("--runs 0").is_err());
        assert!(parse("--json").unwrap_err().contains("needs a value"));
        assert!(parse("clone").unwrap_err().contains("unknown argument"));
    }
}
