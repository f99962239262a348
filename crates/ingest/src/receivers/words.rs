//! Taking joined command lines and numbers apart.

use super::json::Json;
use agentprov_model::{Access, CallResult, EventTime, OsBytes, errno};

/// Splits at blanks outside quotes; a guess, which the caller flags.
pub(super) fn split_command(text: &str) -> Vec<OsBytes> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut started = false;
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                started = true;
            }
            (None, c) if c.is_whitespace() => {
                if started {
                    words.push(OsBytes::from(std::mem::take(&mut word)));
                    started = false;
                }
            }
            (None, c) => {
                word.push(c);
                started = true;
            }
        }
    }
    if started {
        words.push(OsBytes::from(word));
    }
    words
}

pub(super) fn narrow(value: Option<&Json<'_>>) -> Option<u32> {
    value.and_then(Json::integer).and_then(|value| u32::try_from(value).ok())
}

pub(super) fn wide(value: Option<&Json<'_>>) -> Option<u64> {
    value.and_then(Json::integer).and_then(|value| u64::try_from(value).ok())
}

pub(super) fn signed(value: Option<&Json<'_>>) -> Option<i64> {
    value.and_then(Json::integer).and_then(|value| i64::try_from(value).ok())
}

pub(super) fn port(value: Option<&Json<'_>>) -> Option<u16> {
    value.and_then(Json::integer).and_then(|value| u16::try_from(value).ok())
}

pub(super) fn text(value: Option<&Json<'_>>) -> Option<String> {
    value.and_then(Json::text).map(str::to_owned)
}

pub(super) fn scalar(value: Option<&Json<'_>>) -> Option<String> {
    value.and_then(Json::scalar).map(|text| text.into_owned())
}

pub(super) fn bytes(value: Option<&Json<'_>>) -> Option<OsBytes> {
    value.and_then(Json::text).map(OsBytes::from)
}

/// The first of several keys whose value says something.
pub(super) fn first<'j, 't>(json: &'j Json<'t>, keys: &[&str]) -> Option<&'j Json<'t>> {
    keys.iter().find_map(|key| json.get(key).filter(|value| value.says_something()))
}

/// A time in any of the forms that sources use.
pub(super) fn instant(value: &Json<'_>) -> Option<EventTime> {
    match value {
        Json::Integer(number) => i64::try_from(*number).ok().map(super::instant::from_epoch),
        Json::Text(text) => super::instant::parse_text(text),
        _ => None,
    }
}

/// A raw return value: negative ones are errno numbers.
pub(super) fn returned(value: i64) -> CallResult {
    match i32::try_from(-value) {
        Ok(number @ 1..4096) => CallResult::Errno(number),
        _ => CallResult::Ok(value),
    }
}

/// Number of an errno's name, such as `ENOENT`.
pub(super) fn errno_number(name: &str) -> Option<i32> {
    (1..134).find(|&number| errno::name(number) == Some(name))
}

/// What an open asked for, by the names of its flags in any case.
pub(super) fn access_of(flags: &str) -> Access {
    let flags = flags.to_ascii_lowercase();
    if flags.contains("o_rdwr") {
        Access::ReadWrite
    } else if ["o_wronly", "o_creat", "o_trunc", "write"].iter().any(|word| flags.contains(word)) {
        Access::Write
    } else {
        Access::Read
    }
}

/// A container id as it stands behind `docker://` or `containerd://`; `host` is none.
pub(super) fn container(value: Option<&Json<'_>>) -> Option<String> {
    let text = value.and_then(Json::text)?;
    let id = text.rsplit("://").next().unwrap_or(text);
    (!id.is_empty() && id != "host").then(|| id.to_owned())
}

/// A container's name; `host` stands for none, and so does what Falco writes where it does not know.
pub(super) fn container_name(value: Option<&Json<'_>>) -> Option<String> {
    let name = value.and_then(Json::text)?;
    (!["", "host", "<NA>"].contains(&name)).then(|| name.to_owned())
}

/// Whole container ids have 64 characters.
pub(super) fn is_cut(container: &str) -> bool {
    container.len() < 64 && container.bytes().all(|byte| byte.is_ascii_hexdigit())
}
