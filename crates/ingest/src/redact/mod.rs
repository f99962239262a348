//! Taking secrets out before anything is stored, with a receipt for each.

mod declared;
mod llm;
mod mcp;
mod rules;

use agentprov_model::{OsBytes, Outcome, ProcessExec, Redaction, SocketAddress, TelemetryBody, TelemetryEvent, What};
use regex::bytes::{Captures, Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use rules::{RULES, Rule, SECRET_FLAGS};
use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::sync::OnceLock;

/// Bytes that a thread keeps for the next text.
const LARGE_TEXT: usize = 64 << 10;

/// Recognises the shapes of known secrets. Cheap to clone; the patterns are compiled once.
#[derive(Clone, Copy, Debug)]
pub struct Redactor {
    /// Absent where few texts come, for compiling it takes longer than looking at them.
    many: Option<&'static ForMany>,
}

/// What is worth compiling for many texts.
#[derive(Debug)]
struct ForMany {
    /// The words without which no rule matches, all in one: nearly every text holds none of them. In lower case, as the
    /// texts must be: so few literals are looked for many bytes at a time.
    words: Regex,
    /// Says in one pass which rules match.
    rules: RegexSet,
}

impl ForMany {
    fn compile() -> Result<Self, regex::Error> {
        let all: Vec<&str> = RULES.iter().flat_map(|rule| rule.needs).copied().collect();
        // Where a word holds another one, that one is enough.
        let is_needed = |word: &&&str| !all.iter().any(|other| other.len() < word.len() && word.contains(other));
        let words: Vec<String> = all.iter().filter(is_needed).map(|word| regex::escape(word)).collect();
        let sources = RULES.iter().map(|rule| rule.pattern);
        Ok(Self {
            words: RegexBuilder::new(&words.join("|")).unicode(false).build()?,
            rules: RegexSetBuilder::new(sources).unicode(false).build()?,
        })
    }
}

/// The pattern of a rule, compiled when it is first needed.
fn pattern(index: usize) -> &'static Regex {
    static EACH: [OnceLock<Regex>; RULES.len()] = [const { OnceLock::new() }; RULES.len()];
    let compile = || RegexBuilder::new(RULES[index].pattern).unicode(false).build();
    EACH[index].get_or_init(|| compile().expect("the rules compile, a test sees to it"))
}

/// True where the text holds a word that every match of the rule holds; `lower` is the text in lower case.
fn may_match(rule: &Rule, lower: &[u8]) -> bool {
    rule.needs.iter().any(|word| memchr::memmem::find(lower, word.as_bytes()).is_some())
}

/// A text after redaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Redacted<'t> {
    /// The text with secrets replaced by `[redacted:<rule>]`.
    pub text: Cow<'t, [u8]>,
    /// Which rules matched, and how often.
    pub receipts: Vec<(&'static str, u32)>,
}

impl Default for Redactor {
    fn default() -> Self {
        Self::new()
    }
}

impl Redactor {
    /// The redactor with all rules, for many texts.
    pub fn new() -> Self {
        static MANY: OnceLock<ForMany> = OnceLock::new();
        Self { many: Some(MANY.get_or_init(|| ForMany::compile().expect("the rules compile, a test sees to it"))) }
    }

    /// The same rules for a few texts: only those are compiled that may match.
    pub const fn for_few_texts() -> Self {
        Self { many: None }
    }

    /// Rules that may match the text, in their order.
    fn candidates(&self, text: &[u8]) -> Vec<usize> {
        thread_local! {
            /// The text in lower case. Texts come by the million, and are short.
            static LOWER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        LOWER.with_borrow_mut(|lower| {
            lower.clear();
            lower.shrink_to(LARGE_TEXT);
            lower.extend_from_slice(text);
            lower.make_ascii_lowercase();
            match self.many {
                Some(many) if !many.words.is_match(lower) => Vec::new(),
                Some(many) => many.rules.matches(text).into_iter().collect(),
                None => (0..RULES.len()).filter(|index| may_match(&RULES[*index], lower)).collect(),
            }
        })
    }

    /// Takes the secrets out of a text.
    pub fn text<'t>(&self, text: &'t [u8]) -> Redacted<'t> {
        let mut result = Redacted { text: Cow::Borrowed(text), receipts: Vec::new() };
        for index in self.candidates(text) {
            let rule = RULES[index].id;
            let mut count = 0;
            let replaced = pattern(index).replace_all(&result.text, |captures: &Captures<'_>| {
                count += 1;
                replacement(captures, rule)
            });
            if let Cow::Owned(bytes) = replaced {
                result.text = Cow::Owned(bytes);
                result.receipts.push((rule, count));
            }
        }
        result
    }

    /// Takes the secrets out of everything in a fact that may carry them.
    pub fn redact(&self, what: &mut What) -> Vec<Redaction> {
        let mut receipts = Vec::new();
        match what {
            What::AttemptStarted(started) => self.argv(&mut started.argv, &mut receipts),
            What::ProcessExec(ProcessExec { argv, .. }) => self.argv(argv, &mut receipts),
            What::Network(call) => {
                if let SocketAddress::Unix { path, .. } = &mut call.address {
                    self.place(path, "address", &mut receipts);
                }
            }
            What::Privilege(call) => {
                for (name, value) in &mut call.args {
                    self.place(value, name, &mut receipts);
                }
            }
            What::ProcessExited(exited) => {
                if let Some(Outcome::NotStarted { reason, .. }) = &mut exited.outcome {
                    self.place(reason, "reason", &mut receipts);
                }
            }
            What::Telemetry(event) => self.telemetry(event, &mut receipts),
            What::Declared(declared) => declared::redact(self, declared, &mut receipts),
            What::Mcp(said) => mcp::redact(self, said, &mut receipts),
            What::Llm(said) => llm::redact(self, said, &mut receipts),
            _ => {}
        }
        receipts
    }

    fn telemetry(&self, event: &mut TelemetryEvent, receipts: &mut Vec<Redaction>) {
        match &mut event.body {
            TelemetryBody::Exec(exec) => {
                self.argv(&mut exec.argv, receipts);
                if let Some(raw) = &mut exec.argv_raw {
                    // A flag's value is known as a secret by its place only: such a line is not kept joined.
                    match receipts.iter().any(|receipt| receipt.rule == "secret_flag") {
                        true => exec.argv_raw = None,
                        false => self.place(raw, "argv_raw", receipts),
                    }
                }
            }
            TelemetryBody::Process(seen) => {
                if let Some(command) = &mut seen.command {
                    self.place(command, "command", receipts);
                }
            }
            TelemetryBody::Tree(seen) => {
                if let Some(command) = &mut seen.command {
                    self.place(command, "command", receipts);
                }
            }
            TelemetryBody::Tls(tls) => {
                if let Some(path) = &mut tls.path {
                    let mut bytes = OsBytes::from(path.as_str());
                    self.place(&mut bytes, "path", receipts);
                    *path = bytes.lossy().into_owned();
                }
            }
            _ => {}
        }
    }

    /// Arguments: each by its own shape, and the value that follows a flag such as `--password`.
    pub fn argv(&self, argv: &mut [OsBytes], receipts: &mut Vec<Redaction>) {
        let mut after_flag = false;
        for (index, argument) in argv.iter_mut().enumerate() {
            let is_value = std::mem::take(&mut after_flag);
            if is_value && !argument.is_empty() && !argument.as_bytes().starts_with(b"-") {
                *argument = OsBytes::from("[redacted:secret_flag]");
                receipts.push(Redaction { rule: "secret_flag".to_owned(), place: format!("argv[{index}]"), count: 1 });
                continue;
            }
            after_flag = argument.as_str().is_some_and(|text| SECRET_FLAGS.contains(&text));
            self.place(argument, format_args!("argv[{index}]"), receipts);
        }
    }

    fn place(&self, bytes: &mut OsBytes, place: impl fmt::Display, receipts: &mut Vec<Redaction>) {
        let redacted = self.text(bytes.as_bytes());
        let Cow::Owned(text) = redacted.text else { return };
        receipts.extend(redacted.receipts.into_iter().map(|(rule, count)| Redaction {
            rule: rule.to_owned(),
            place: place.to_string(),
            count,
        }));
        *bytes = OsBytes::new(text);
    }
}

/// Group `keep` of a pattern is what stands before the secret and stays readable.
fn replacement(captures: &Captures<'_>, rule: &str) -> Vec<u8> {
    let mut out = captures.name("keep").map(|kept| kept.as_bytes().to_vec()).unwrap_or_default();
    out.extend_from_slice(format!("[redacted:{rule}]").as_bytes());
    out.extend_from_slice(captures.name("after").map(|after| after.as_bytes()).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests;
