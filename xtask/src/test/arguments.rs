//! What was asked for on the command line of `cargo xtask test`.

use crate::Result;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) full: bool,
    /// Names of the steps to run; all of them when empty.
    pub(crate) only: Vec<String>,
    pub(crate) filter: Vec<String>,
}

impl Arguments {
    pub(crate) fn parse(words: &[String], steps: &[&str]) -> Result<Self> {
        let mut arguments = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--full" => arguments.full = true,
                "--only" => match words.next() {
                    Some(list) => arguments.only.extend(list.split(',').map(str::to_owned)),
                    None => return Err(format!("--only needs a list of: {}", steps.join(","))),
                },
                "--" => arguments.filter.extend(words.by_ref().cloned()),
                other => match other.strip_prefix("--only=") {
                    Some(list) => arguments.only.extend(list.split(',').map(str::to_owned)),
                    None => {
                        return Err(format!(
                            "unknown argument `{other}`; usage: cargo xtask test [--full] [--only STEP,...] [-- FILTER...]"
                        ));
                    }
                },
            }
        }
        match arguments.only.iter().find(|name| !steps.contains(&name.as_str())) {
            Some(name) => Err(format!("no step `{name}`; there are: {}", steps.join(","))),
            None => Ok(arguments),
        }
    }

    pub(crate) fn wants(&self, step: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == step)
    }
}

#[cfg(test)]
mod tests {
    use super::Arguments;

    fn parse(line: &str) -> Result<Arguments, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Arguments::parse(&words, &["fmt", "tidy", "tests"])
    }

    #[test]
    fn without_arguments_every_step_runs() {
        let arguments = parse("").unwrap();
        assert!(arguments.wants("fmt") && arguments.wants("tests") && !arguments.full);
    }

    #[test]
    fn only_full_and_filter_are_read_together() {
        let arguments = parse("--only tidy,fmt --full -- merkle --exact").unwrap();
        assert!(arguments.wants("tidy") && !arguments.wants("tests"));
        assert!(arguments.full);
        assert_eq!(arguments.filter, ["merkle", "--exact"]);
        assert_eq!(parse("--only=tests").unwrap().only, ["tests"]);
    }

    #[test]
    fn mistakes_are_named() {
        assert!(parse("--only clipy").unwrap_err().contains("no step `clipy`"));
        assert!(parse("--only").unwrap_err().contains("needs a list"));
        assert!(parse("merkle").unwrap_err().contains("unknown argument `merkle`"));
    }
}
