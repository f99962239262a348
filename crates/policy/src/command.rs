//! The commands that an argument list stands for.
//!
//! `sudo -n pip install x` is both a `sudo` and a `pip`, and what `sh -c` is given is commands of its own. Text that is
//! only printed is none: `echo pip install` is an `echo`.

/// Programs that run the command given as their arguments.
const WRAPPERS: [&str; 13] = [
    "env", "sudo", "doas", "nohup", "nice", "timeout", "setsid", "stdbuf", "xargs", "time", "exec", "command",
    "unshare",
];
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "zsh", "ksh", "ash"];
/// Commands looked at in one argument list.
const MAX_COMMANDS: usize = 64;
/// Shells inside shells.
const MAX_DEPTH: usize = 4;

/// One command: its words, the first without its folder.
pub type Words = Vec<String>;

/// Every command in the argument list.
pub fn commands(argv: &[String]) -> Vec<Words> {
    let mut found = Vec::new();
    collect(argv, 0, &mut found);
    found
}

fn collect(argv: &[String], depth: usize, found: &mut Vec<Words>) {
    let Some((program, arguments)) = argv.split_first() else { return };
    if depth > MAX_DEPTH || found.len() >= MAX_COMMANDS {
        return;
    }
    let name = base_name(program).to_owned();
    let mut words = vec![name.clone()];
    words.extend(arguments.iter().cloned());
    found.push(words);
    if SHELLS.contains(&name.as_str()) {
        if let Some(script) = shell_script(arguments) {
            split_script(script).iter().for_each(|words| collect(words, depth + 1, found));
        }
    } else if WRAPPERS.contains(&name.as_str()) {
        collect(wrapped(arguments), depth + 1, found);
    } else if name.starts_with("python") {
        if let Some(at) = arguments.iter().position(|argument| argument == "-m") {
            collect(&arguments[at + 1..], depth + 1, found);
        }
    } else if name == "busybox" {
        collect(arguments, depth + 1, found);
    }
}

fn base_name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// What `-c` is given; the letter may stand among others, as in `-lc`.
fn shell_script(arguments: &[String]) -> Option<&str> {
    let has_c = |argument: &String| argument.starts_with('-') && !argument.starts_with("--") && argument.contains('c');
    let at = arguments.iter().position(has_c)?;
    arguments[at + 1..].iter().find(|argument| !argument.starts_with('-')).map(String::as_str)
}

/// The wrapped command: what follows flags, settings and durations.
fn wrapped(arguments: &[String]) -> &[String] {
    let skip = |argument: &String| {
        argument.starts_with('-')
            || argument.split_once('=').is_some_and(|(name, _)| !name.contains('/'))
            || argument.trim_end_matches(['s', 'm', 'h', 'd']).parse::<f64>().is_ok()
    };
    let at = arguments.iter().position(|argument| !skip(argument)).unwrap_or(arguments.len());
    &arguments[at..]
}

/// Cuts a script at its separators, and each command into words; quotes hold words together.
fn split_script(script: &str) -> Vec<Words> {
    let mut commands = Vec::new();
    let mut words: Words = Vec::new();
    let mut word = String::new();
    let mut quote: Option<char> = None;
    let mut chars = script.chars();
    while let Some(next) = chars.next() {
        match (quote, next) {
            (Some(open), _) if next == open => quote = None,
            (None, '\'' | '"') => quote = Some(next),
            (None | Some('"'), '\\') => word.extend(chars.next()),
            (None, ';' | '|' | '&' | '\n' | '(' | ')' | '`' | '{' | '}') => {
                end_word(&mut word, &mut words);
                end_command(&mut words, &mut commands);
            }
            (None, _) if next.is_whitespace() => end_word(&mut word, &mut words),
            _ => word.push(next),
        }
    }
    end_word(&mut word, &mut words);
    end_command(&mut words, &mut commands);
    commands
}

fn end_word(word: &mut String, words: &mut Words) {
    if !word.is_empty() {
        words.push(std::mem::take(word));
    }
}

fn end_command(words: &mut Words, commands: &mut Vec<Words>) {
    let settings = words.iter().take_while(|word| word.contains('=') && !word.starts_with('=')).count();
    words.drain(..settings);
    if !words.is_empty() && commands.len() < MAX_COMMANDS {
        commands.push(std::mem::take(words));
    }
    words.clear();
}

/// A pattern of words: the first is the program (`*` allowed), the others must follow in order; flags between them
/// don't count, unless the pattern names them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WordPattern {
    words: Vec<Wildcard>,
}

impl WordPattern {
    /// Reads a pattern such as `pip* install`; `None` where it has no word.
    pub fn new(text: &str) -> Option<Self> {
        let words: Vec<Wildcard> = text.split_whitespace().map(Wildcard::new).collect();
        (!words.is_empty()).then_some(Self { words })
    }

    /// True where the command, as [`commands`] gives it, fits.
    pub fn matches(&self, command: &[String]) -> bool {
        let Some((program, wanted)) = self.words.split_first() else { return false };
        let Some((name, arguments)) = command.split_first() else { return false };
        if !program.fits(name) {
            return false;
        }
        let mut rest = arguments.iter();
        wanted.iter().all(|word| {
            // One word behind a flag may be the flag's value; a flag that the pattern names may stand behind any word.
            let mut after_flag = word.is_flag();
            rest.by_ref()
                .take_while(|argument| {
                    let passed_over = after_flag || argument.starts_with('-') || word.fits(argument);
                    after_flag = word.is_flag() || argument.starts_with('-');
                    passed_over
                })
                .any(|argument| word.fits(argument))
        })
    }
}

/// A word in which `*` stands for any characters, taken apart at them.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Wildcard {
    first: String,
    /// What stands between stars.
    inner: Vec<String>,
    /// What follows the last star; none where there is no star.
    last: Option<String>,
}

impl Wildcard {
    fn new(pattern: &str) -> Self {
        let mut parts = pattern.split('*').map(str::to_owned);
        let first = parts.next().unwrap_or_default();
        let mut inner: Vec<String> = parts.collect();
        let last = inner.pop();
        Self { first, inner, last }
    }

    fn is_flag(&self) -> bool {
        self.first.starts_with('-')
    }

    fn fits(&self, text: &str) -> bool {
        let Some(mut rest) = text.strip_prefix(self.first.as_str()) else { return false };
        let Some(last) = &self.last else { return rest.is_empty() };
        for part in &self.inner {
            let Some(at) = rest.find(part.as_str()) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last.as_str())
    }
}

/// `*` stands for any characters.
pub fn wildcard(pattern: &str, text: &str) -> bool {
    Wildcard::new(pattern).fits(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(pattern: &str, argv: &[&str]) -> bool {
        let argv: Vec<String> = argv.iter().map(|&word| word.to_owned()).collect();
        let pattern = WordPattern::new(pattern).expect("a pattern");
        commands(&argv).iter().any(|command| pattern.matches(command))
    }

    #[test]
    fn commands_are_found_where_they_hide() {
        let cases: &[(&str, &[&str], bool)] = &[
            ("pip* install", &["pip", "install", "x"], true),
            ("pip* install", &["/usr/bin/pip3.12", "-q", "install", "x"], true),
            ("pip* install", &["python3", "-m", "pip", "install", "x"], true),
            ("pip* install", &["sudo", "-n", "env", "A=b", "pip", "install"], true),
            ("pip* install", &["bash", "-lc", "cd /w && A=1 pip install 'x y'"], true),
            ("pip* install", &["timeout", "5s", "pip", "install"], true),
            ("pip* install", &["echo", "pip", "install"], false),
            ("pip* install", &["sh", "-c", "echo 'pip install x'"], false),
            ("pip* install", &["pip", "list", "install"], false),
            ("pip* install", &["pip", "--index-url", "https://i", "install", "x"], true),
            ("nc -e", &["nc", "h", "1", "-e", "/bin/sh"], true),
            ("nc -e", &["nc", "h", "1"], false),
        ];
        for (pattern, argv, expected) in cases {
            assert_eq!(hits(pattern, argv), *expected, "{pattern} on {argv:?}");
        }
    }

    #[test]
    fn wildcards() {
        for (pattern, text, expected) in
            [("a*c", "abc", true), ("a*c", "ab", false), ("*", "", true), ("a", "ab", false), ("*b*", "abc", true)]
        {
            assert_eq!(wildcard(pattern, text), expected, "{pattern} on {text}");
        }
    }
}
