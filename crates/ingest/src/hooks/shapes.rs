//! Finding the command in the arguments with which an agent runs it.
//!
//! Agents hand a command to a shell: `bash -lc CMD`, or `bash -c "source <snapshot> && eval 'CMD' < /dev/null && ..."`, or
//! through a wrapper, `bash -c "WRAPPER 'LINE'"`. Every text that may be the command is hashed with the store's key; a
//! text that is not the command equals none that was declared.

use agentprov_model::OsBytes;
use agentprov_model::declared::{CommandDigest, CommandKey, LAUNCH_NAME, LAUNCH_WRAPPER};

/// Shells by the last part of their path.
const SHELLS: [&[u8]; 7] = [b"sh", b"bash", b"dash", b"zsh", b"ksh", b"ash", b"fish"];
/// Texts taken from one list of arguments.
const MOST_TEXTS: usize = 6;
/// How often a text may wrap another one.
const DEEPEST: u32 = 3;

/// Keyed hashes of the texts that may be the command; none for programs that take no command.
pub fn digests(argv: &[OsBytes], key: &CommandKey) -> Vec<CommandDigest> {
    let mut found = Vec::new();
    for text in texts(argv) {
        let digest = key.command(&text);
        if !found.contains(&digest) {
            found.push(digest);
        }
    }
    found
}

fn texts(argv: &[OsBytes]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let words: Vec<&[u8]> = argv.iter().map(OsBytes::as_bytes).collect();
    if let Some(text) = command_text(&words) {
        unfold(text, 0, &mut found);
    }
    found
}

/// The text that a shell or the launch wrapper is to run.
fn command_text<'a>(words: &[&'a [u8]]) -> Option<&'a [u8]> {
    let (program, arguments) = words.split_first()?;
    let name = base_name(program);
    // A login shell's name begins with a dash.
    if SHELLS.contains(&name.strip_prefix(b"-").unwrap_or(name)) {
        return after_c(arguments);
    }
    match arguments {
        [first, line] if *first == LAUNCH_WRAPPER.as_bytes() && name.starts_with(b"agentprov") => Some(line),
        [line] if name == LAUNCH_NAME.as_bytes() => Some(line),
        _ => None,
    }
}

fn base_name(program: &[u8]) -> &[u8] {
    program.rsplit(|byte| *byte == b'/').next().unwrap_or(program)
}

/// The first argument that is no option, where one of the options before it holds a `c`.
fn after_c<'a>(arguments: &[&'a [u8]]) -> Option<&'a [u8]> {
    let mut command = false;
    for argument in arguments {
        match argument {
            [b'-', b'-', ..] => {}
            [b'-' | b'+', flags @ ..] if !flags.is_empty() => command |= flags.contains(&b'c'),
            text => return command.then_some(text),
        }
    }
    None
}

/// The text, what it evaluates, and the line that it hands to a wrapper.
fn unfold(text: &[u8], depth: u32, found: &mut Vec<Vec<u8>>) {
    if found.len() == MOST_TEXTS || found.iter().any(|known| known == text) {
        return;
    }
    found.push(text.to_vec());
    if depth == DEEPEST {
        return;
    }
    if let Some(inner) = evaluated(text) {
        unfold(&inner, depth + 1, found);
    }
    if let Some(line) = wrapped(text) {
        unfold(&line, depth + 1, found);
    }
}

/// The argument of the first `eval` that is followed by a quote.
fn evaluated(text: &[u8]) -> Option<Vec<u8>> {
    let word = b"eval ";
    let starts = |at: usize| at == 0 || matches!(text[at - 1], b' ' | b';' | b'&' | b'|' | b'(' | b'\n');
    let at = (0..text.len().saturating_sub(word.len()))
        .find(|at| text[*at..].starts_with(word) && starts(*at) && matches!(text[at + word.len()], b'\'' | b'"'))?;
    next_word(&text[at + word.len()..]).map(|(word, _)| word)
}

/// Of `WRAPPER 'LINE'` or `WRAPPER launch 'LINE'` the line.
fn wrapped(text: &[u8]) -> Option<Vec<u8>> {
    let (program, rest) = next_word(text)?;
    if !program.starts_with(b"/") {
        return None;
    }
    let (second, rest) = next_word(rest.trim_ascii_start())?;
    let rest = rest.trim_ascii_start();
    if rest.is_empty() {
        return Some(second);
    }
    let (third, rest) = next_word(rest)?;
    (second == LAUNCH_WRAPPER.as_bytes() && rest.trim_ascii().is_empty()).then_some(third)
}

/// The first word of a shell text, quotes taken off, and what follows it. None where it holds an expansion or ends
/// inside a quote.
fn next_word(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    let mut at = 0;
    let mut quoted = false;
    while let Some(&byte) = text.get(at) {
        at += 1;
        match byte {
            b'\'' => {
                let end = at + text[at..].iter().position(|byte| *byte == b'\'')?;
                word.extend_from_slice(&text[at..end]);
                at = end + 1;
                quoted = true;
            }
            b'"' => {
                at = double_quoted(text, at, &mut word)?;
                quoted = true;
            }
            b'\\' => {
                word.push(*text.get(at)?);
                at += 1;
            }
            b'$' | b'`' | b'*' | b'?' | b'[' => return None,
            b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')' => {
                at -= 1;
                break;
            }
            other => word.push(other),
        }
    }
    (quoted || !word.is_empty()).then(|| (word, &text[at..]))
}

/// Takes the text of a double quote that began before `at`; gives the place behind its end.
fn double_quoted(text: &[u8], mut at: usize, word: &mut Vec<u8>) -> Option<usize> {
    loop {
        let byte = *text.get(at)?;
        at += 1;
        match byte {
            b'"' => return Some(at),
            b'\\' => {
                let next = *text.get(at)?;
                at += 1;
                if !matches!(next, b'"' | b'\\' | b'$' | b'`' | b'\n') {
                    word.push(b'\\');
                }
                if next != b'\n' {
                    word.push(next);
                }
            }
            b'$' | b'`' => return None,
            other => word.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(argv: &[&str]) -> Vec<String> {
        let argv: Vec<OsBytes> = argv.iter().map(|word| OsBytes::from(*word)).collect();
        texts(&argv).into_iter().map(|text| String::from_utf8(text).expect("text")).collect()
    }

    #[test]
    fn the_command_is_found_in_every_shape() {
        for argv in [
            &["/bin/bash", "-c", "npm test"][..],
            &["bash", "-lc", "npm test"],
            &["bash", "-c", "-l", "npm test"],
            &["/bin/zsh", "-l", "-c", "npm test", "zsh"],
            &["/usr/bin/agentprov", "launch", "npm test"],
            &["/w/.agentprov/agentprov-launch", "npm test"],
            &["sh", "-c", "source /tmp/s.sh && eval 'npm test' < /dev/null && pwd -P >| /tmp/cwd"],
            &["sh", "-c", "/opt/wrap 'source s && eval '\\''npm test'\\'' < /dev/null'"],
            &["sh", "-c", "/opt/agentprov launch 'eval \"npm test\" < /dev/null'"],
        ] {
            assert!(found(argv).iter().any(|text| text == "npm test"), "{argv:?}: {:?}", found(argv));
        }
    }

    #[test]
    fn quotes_inside_the_command_survive() {
        let line = "eval 'echo '\"'\"'a b'\"'\"' \\$x' < /dev/null";
        assert!(
            found(&["bash", "-c", line]).iter().any(|text| text == "echo 'a b' \\$x"),
            "{:?}",
            found(&["bash", "-c", line])
        );
    }

    #[test]
    fn programs_without_a_command_have_none() {
        for argv in
            [&["git", "-c", "a=b", "status"][..], &["bash", "script.sh", "-c"], &["bash"], &[], &["grep", "-c", "x"]]
        {
            assert_eq!(found(argv), Vec::<String>::new(), "{argv:?}");
        }
    }

    #[test]
    fn blanks_around_a_command_do_not_matter() {
        let key = CommandKey::from_bytes([3; 32]);
        let argv = [OsBytes::from("sh"), OsBytes::from("-c"), OsBytes::from(" make \n")];
        assert_eq!(digests(&argv, &key), [key.command(b"make")]);
    }
}
