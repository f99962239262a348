//! A change as agents make them in bulk: so many lines in so many files of five languages, with something to find in each.

/// Files of the change.
pub(crate) const FILES: usize = 300;
/// Lines that it adds.
pub(crate) const LINES: usize = 10_000;

/// Functions of a file before the change.
const FUNCTIONS_BEFORE: usize = 12;
/// Functions that the change adds to a file.
const FUNCTIONS_ADDED: usize = 4;

/// A file before and after the change.
pub(crate) struct SourceFile {
    pub(crate) path: String,
    pub(crate) before: String,
    pub(crate) after: String,
}

pub(crate) fn files() -> impl Iterator<Item = SourceFile> {
    (0..FILES).map(|number| {
        let language = &LANGUAGES[number % LANGUAGES.len()];
        let (path, extension) = (format!("src/part{}/unit{number}", number % 20), language.extension);
        let functions = |from: usize, count: usize| -> String {
            (from..from + count).map(|function| (language.function)(number * 100 + function)).collect()
        };
        let head = functions(0, FUNCTIONS_BEFORE / 2);
        let tail = functions(FUNCTIONS_BEFORE / 2, FUNCTIONS_BEFORE / 2);
        let mut added = functions(FUNCTIONS_BEFORE, FUNCTIONS_ADDED);
        added.push_str(&language.risky.replace('#', &number.to_string()));
        // Every third file has one more, so that all of them together have as many as they should.
        if number % 3 == 0 {
            added.push_str(&format!("{} Unit {number} ends its additions here.\n", language.comment));
        }
        let start = language.start;
        SourceFile {
            path: format!("{path}.{extension}"),
            before: format!("{start}{head}{tail}"),
            after: format!("{start}{head}{added}{tail}"),
        }
    })
}

struct Language {
    extension: &'static str,
    comment: &'static str,
    start: &'static str,
    /// Eight lines.
    function: fn(usize) -> String,
    /// One line that a rule of the built-in engine speaks of; `#` is the file's number.
    risky: &'static str,
}

const LANGUAGES: [Language; 5] = [
    Language {
        extension: "py",
        comment: "#",
        start: "import os\n\n",
        function: |number| {
            format!(
                "def count_{number}(path, limit):\n    total = {number}\n    with open(path) as lines:\n        for line in lines:\n            total += len(line)\n            if total > limit:\n                break\n    return total\n"
            )
        },
        risky: "def evaluate_#(text): return eval(text)\n",
    },
    Language {
        extension: "js",
        comment: "//",
        start: "import fs from \"node:fs\";\n\n",
        function: |number| {
            format!(
                "export function count{number}(path, limit) {{\n  let total = {number};\n  for (const line of fs.readFileSync(path, \"utf8\").split(\"\\n\")) {{\n    total += line.length;\n    if (total > limit) break;\n  }}\n  return total;\n}}\n"
            )
        },
        risky: "export function evaluate#(text) { return eval(text); }\n",
    },
    Language {
        extension: "ts",
        comment: "//",
        start: "import { readFileSync } from \"node:fs\";\n\n",
        function: |number| {
            format!(
                "export function count{number}(path: string, limit: number): number {{\n  let total = {number};\n  for (const line of readFileSync(path, \"utf8\").split(\"\\n\")) {{\n    total += line.length;\n    if (total > limit) break;\n  }}\n  return total;\n}}\n"
            )
        },
        risky: "export function evaluate#(text: string): unknown { return eval(text); }\n",
    },
    Language {
        extension: "go",
        comment: "//",
        start: "package unit\n\nimport \"os/exec\"\n\n",
        function: |number| {
            format!(
                "func count{number}(lines []string, limit int) (total int) {{\n\ttotal = {number}\n\tfor _, line := range lines {{\n\t\tif total += len(line); total > limit {{\n\t\t\tbreak\n\t\t}}\n\t}}\n\treturn total }}\n"
            )
        },
        risky: "func shell#(text string) error { return exec.Command(\"sh\", \"-c\", text).Run() }\n",
    },
    Language {
        extension: "rs",
        comment: "//",
        start: "use std::process::Command;\n\n",
        function: |number| {
            format!(
                "fn count_{number}(lines: &[String], limit: usize) -> usize {{\n    let mut total = {number};\n    for line in lines {{\n        total += line.len();\n        if total > limit {{ break; }}\n    }}\n    total\n}}\n"
            )
        },
        risky: "fn shell_#(text: &str) { drop(Command::new(\"sh\").arg(\"-c\").arg(text).status()); }\n",
    },
];

#[cfg(test)]
mod tests {
    use super::{FILES, LINES, files};

    #[test]
    fn the_change_has_as_many_lines_as_it_says() {
        let lines = |text: &str| text.lines().count();
        assert_eq!(files().map(|file| lines(&file.after) - lines(&file.before)).sum::<usize>(), LINES);
        assert_eq!(files().count(), FILES);
    }
}
