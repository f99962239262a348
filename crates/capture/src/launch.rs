//! From a [`Command`] to what the child needs between fork and exec.

use crate::command::{Command, StdoutTo};
use crate::finished::CaptureError;
use crate::sys::fd;
use crate::sys::fork::Launch;
use crate::sys::signals::Mask;
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// What execvp(3) searches where PATH is not set (confstr _CS_PATH).
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Prepares a launch. Streams, filter and cgroup are filled in by the session.
pub(crate) fn prepare(command: &Command, mask: Mask) -> Result<Launch, CaptureError> {
    let program = command.argv.first().ok_or(CaptureError::EmptyCommand)?;
    let mut env: BTreeMap<OsString, OsString> = BTreeMap::new();
    let mut order = Vec::new();
    for (name, value) in std::env::vars_os().chain(command.env.iter().cloned()) {
        if env.insert(name.clone(), value).is_none() {
            order.push(name);
        }
    }
    let path = env.get(OsStr::new("PATH")).cloned();
    let mut variables = Vec::with_capacity(order.len());
    for name in order {
        let Some(value) = env.get(&name) else { continue };
        let mut text = name.into_vec();
        text.push(b'=');
        text.extend_from_slice(value.as_bytes());
        variables.push(c_string(text, "a variable")?);
    }
    let argv = command
        .argv
        .iter()
        .map(|argument| c_string(argument.as_bytes(), "an argument"))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Launch {
        candidates: candidates(program, path.as_deref(), &command.workdir)?,
        argv,
        env: variables,
        workdir: c_string(command.workdir.as_os_str().as_bytes(), "the working directory")?,
        stdout: (command.stdout == StdoutTo::Stderr).then_some(2),
        stderr: None,
        mask,
        filter: Vec::new(),
        guard: None,
        cgroup: None,
    })
}

/// The files that execvp would try, in its order; those that don't exist are left out, so that the search
/// itself leaves no failed calls in the recording.
fn candidates(program: &OsStr, path: Option<&OsStr>, workdir: &Path) -> Result<Vec<CString>, CaptureError> {
    let bytes = program.as_bytes();
    if bytes.contains(&b'/') {
        return Ok(vec![c_string(bytes, "an argument")?]);
    }
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let path = path.map_or(DEFAULT_PATH.as_bytes(), OsStr::as_bytes);
    let mut found = Vec::new();
    for dir in path.split(|byte| *byte == b':') {
        let mut file = if dir.is_empty() { b".".to_vec() } else { dir.to_vec() };
        file.push(b'/');
        file.extend_from_slice(bytes);
        let seen_from_here = workdir.join(OsStr::from_bytes(&file));
        if fd::exists(&c_string(seen_from_here.as_os_str().as_bytes(), "PATH")?) {
            found.push(c_string(file, "PATH")?);
        }
    }
    Ok(found)
}

fn c_string(bytes: impl Into<Vec<u8>>, what: &'static str) -> Result<CString, CaptureError> {
    CString::new(bytes).map_err(|_| CaptureError::NulByte(what))
}
