//! In which language a file is written.

use crate::detect::input::ScanFile;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A language that rules can name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Python.
    Python,
    /// JavaScript, JSX included.
    JavaScript,
    /// TypeScript.
    TypeScript,
    /// TypeScript with JSX.
    Tsx,
    /// Go.
    Go,
    /// Rust.
    Rust,
    /// POSIX shell and bash.
    Shell,
    /// Dockerfile.
    Dockerfile,
    /// Java: rules on text only.
    Java,
    /// C#: rules on text only.
    CSharp,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Python,
        Self::JavaScript,
        Self::TypeScript,
        Self::Tsx,
        Self::Go,
        Self::Rust,
        Self::Shell,
        Self::Dockerfile,
        Self::Java,
        Self::CSharp,
    ];

    /// As rules and the service's payload write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::TypeScript => "typescript",
            Self::Tsx => "tsx",
            Self::Go => "go",
            Self::Rust => "rust",
            Self::Shell => "shell",
            Self::Dockerfile => "dockerfile",
            Self::Java => "java",
            Self::CSharp => "csharp",
        }
    }

    /// From a name that people use.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "python" | "python2" | "python3" | "py" | "pypy" | "pypy3" => Self::Python,
            "javascript" | "js" | "jsx" | "node" | "nodejs" | "bun" => Self::JavaScript,
            "typescript" | "ts" | "deno" | "ts-node" | "tsx-node" => Self::TypeScript,
            "tsx" => Self::Tsx,
            "go" | "golang" => Self::Go,
            "rust" | "rs" => Self::Rust,
            "shell" | "sh" | "bash" | "zsh" | "ksh" | "dash" | "ash" | "shellscript" => Self::Shell,
            "dockerfile" | "docker" | "containerfile" => Self::Dockerfile,
            "java" => Self::Java,
            "csharp" | "c#" | "cs" => Self::CSharp,
            _ => return None,
        })
    }

    fn from_extension(extension: &str) -> Option<Self> {
        Some(match extension {
            "py" | "pyi" | "pyw" | "pyx" => Self::Python,
            "js" | "mjs" | "cjs" | "jsx" | "es6" => Self::JavaScript,
            "ts" | "mts" | "cts" => Self::TypeScript,
            "tsx" => Self::Tsx,
            "go" => Self::Go,
            "rs" => Self::Rust,
            "sh" | "bash" | "zsh" | "ksh" | "dash" | "bats" | "command" => Self::Shell,
            "dockerfile" | "containerfile" => Self::Dockerfile,
            "java" => Self::Java,
            "cs" | "csx" => Self::CSharp,
            _ => return None,
        })
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known of the language of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Spoken {
    /// One of ours, or two where name and first line disagree: whoever starts it decides which it is.
    Languages(Vec<Language>),
    /// Text that nothing runs: documentation, data, settings.
    Prose,
    /// Code for which there are no rules.
    Unsupported(String),
    /// Nothing says.
    Unknown,
}

/// From the name, then from the first line, then from what the caller says.
pub(super) fn of_file(file: &ScanFile) -> Spoken {
    let name = file.path.rsplit('/').next().unwrap_or(&file.path).to_ascii_lowercase();
    let by_name = from_name(&name);
    let by_shebang = interpreter(&file.bytes);
    let mut languages: Vec<Language> = Vec::new();
    if let Spoken::Languages(found) = &by_name {
        languages.extend(found);
    }
    match by_shebang.as_deref().map(Language::from_name) {
        Some(Some(language)) if !languages.contains(&language) => languages.push(language),
        Some(None) if languages.is_empty() => return Spoken::Unsupported(by_shebang.unwrap_or_default()),
        _ => {}
    }
    if languages.is_empty() {
        languages.extend(file.language_hint.as_deref().and_then(Language::from_name));
    }
    if languages.is_empty() { by_name } else { Spoken::Languages(languages) }
}

fn from_name(name: &str) -> Spoken {
    if name == "dockerfile" || name == "containerfile" || name.starts_with("dockerfile.") {
        return Spoken::Languages(vec![Language::Dockerfile]);
    }
    if matches!(name, ".bashrc" | ".bash_profile" | ".profile" | ".zshrc" | ".envrc" | "pkgbuild") {
        return Spoken::Languages(vec![Language::Shell]);
    }
    let stem = name.split_once(['-', '.', '_']).map_or(name, |(stem, _)| stem);
    if PROSE_NAMES.contains(&name)
        || (PROSE_NAMES.contains(&stem) && !has_code_extension(name))
        || name.starts_with(".env")
    {
        return Spoken::Prose;
    }
    let Some((stem, extension)) = name.rsplit_once('.') else {
        return if CODE_NAMES.contains(&name) { Spoken::Unsupported(name.into()) } else { Spoken::Unknown };
    };
    if let Some(language) = Language::from_extension(extension) {
        return Spoken::Languages(vec![language]);
    }
    // `.gitignore`, `.npmrc` and their like have a name and no extension.
    if PROSE_EXTENSIONS.contains(&extension)
        || (stem.is_empty() && ["ignore", "rc"].iter().any(|end| extension.ends_with(end)))
    {
        return Spoken::Prose;
    }
    if stem.is_empty() { Spoken::Unknown } else { Spoken::Unsupported(extension.into()) }
}

fn has_code_extension(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, extension)| !PROSE_EXTENSIONS.contains(&extension))
}

const PROSE_NAMES: [&str; 12] = [
    "license",
    "licence",
    "copying",
    "notice",
    "readme",
    "changelog",
    "authors",
    "contributors",
    "codeowners",
    "version",
    ".gitattributes",
    ".editorconfig",
];
const PROSE_EXTENSIONS: [&str; 34] = [
    "md",
    "markdown",
    "mdx",
    "rst",
    "txt",
    "adoc",
    "json",
    "jsonc",
    "json5",
    "jsonl",
    "yaml",
    "yml",
    "toml",
    "ini",
    "cfg",
    "conf",
    "properties",
    "csv",
    "tsv",
    "xml",
    "lock",
    "sum",
    "mod",
    "work",
    "po",
    "css",
    "scss",
    "less",
    "snap",
    "typed",
    "pem",
    "crt",
    "key",
    "pub",
];
const CODE_NAMES: [&str; 6] = ["makefile", "gnumakefile", "rakefile", "gemfile", "jenkinsfile", "vagrantfile"];

/// The interpreter that the first line names, without folder and version.
fn interpreter(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let line = bytes.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line.get(..line.len().min(256))?);
    let mut words = line.split_whitespace();
    let mut program = base_name(words.next()?);
    if program == "env" {
        program = words.map(base_name).find(|word| !word.starts_with('-') && !word.contains('='))?;
    }
    let name = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    Some(if name.is_empty() { program } else { name }.to_owned())
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::LineSet;

    fn spoken(path: &str, text: &str, hint: Option<&str>) -> Spoken {
        let mut file = ScanFile::whole(path, text.as_bytes().to_vec(), LineSet::all());
        file.language_hint = hint.map(str::to_owned);
        of_file(&file)
    }

    #[test]
    fn the_name_comes_first_then_the_first_line_then_the_hint() {
        use Language::{Dockerfile, JavaScript, Python, Rust, Shell};
        let one = |language| Spoken::Languages(vec![language]);
        assert_eq!(spoken("a/b.PY", "", None), one(Python));
        assert_eq!(spoken("a/Dockerfile.dev", "", None), one(Dockerfile));
        assert_eq!(spoken("bin/run", "#!/usr/bin/env -S FOO=1 python3.11 -u\n", None), one(Python));
        assert_eq!(spoken("notes.txt", "#!/bin/sh\n", None), one(Shell));
        assert_eq!(spoken("bin/run", "x", Some("Rust")), one(Rust));
        assert_eq!(spoken("a.py", "x", Some("rust")), one(Python));
        assert_eq!(spoken("a.js", "#!/usr/bin/python\n", None), Spoken::Languages(vec![JavaScript, Python]));
    }

    #[test]
    fn what_is_not_ours_is_told_apart() {
        assert_eq!(spoken("a.rb", "", None), Spoken::Unsupported("rb".into()));
        assert_eq!(spoken("run", "#!/usr/bin/perl -w\n", None), Spoken::Unsupported("perl".into()));
        assert_eq!(spoken("Makefile", "", None), Spoken::Unsupported("makefile".into()));
        assert_eq!(spoken("run", "x = 1", None), Spoken::Unknown);
        assert_eq!(spoken("docs/a.md", "", None), Spoken::Prose);
        assert_eq!(spoken("LICENSE-MIT", "", None), Spoken::Prose);
        assert_eq!(spoken("version.rb", "", None), Spoken::Unsupported("rb".into()));
        assert_eq!(spoken(".gitignore", "", None), Spoken::Prose);
        assert_eq!(spoken(".env.local", "", None), Spoken::Prose);
    }
}
