//! Documents of a daemon instead of the store here.

use crate::context::current_dir;
use crate::failure::{CommandResult, Failure};
use crate::render::reindented;
use agentprov_graph::verify::Verdict;
use agentprov_server::outgoing::{Endpoint, percent_encoded};
use serde_json::Value;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// The token that a daemon asks for.
const TOKEN: &str = "AGENTPROV_DAEMON_TOKEN";

/// A daemon by its address.
pub(crate) struct Remote {
    endpoint: Endpoint,
    token: Option<String>,
}

/// A parameter of the query; none where the command was not given one.
pub(crate) type Parameter<'a> = (&'a str, Option<String>);

impl Remote {
    pub(crate) fn new(url: &str) -> Result<Self, Failure> {
        let refuse = |why: String| Failure::usage(format!("--daemon-url {url}: {why}"));
        let endpoint = Endpoint::parse(url).map_err(refuse)?;
        let token = std::env::var(TOKEN).ok().filter(|token| !token.is_empty());
        if token.is_some() && endpoint.is_exposed() {
            return Err(refuse("the token would go over the network in plain text; use https".into()));
        }
        Ok(Self { endpoint, token })
    }

    /// Prints a document as the command itself would.
    pub(crate) fn print(&self, path: &str, query: &[Parameter<'_>]) -> CommandResult {
        let document = self.document(path, query)?;
        let mut out = anstream::stdout().lock();
        out.write_all(&reindented(&document))?;
        Ok(ExitCode::SUCCESS)
    }

    /// Prints a report of checks, and ends as the command itself would.
    pub(crate) fn print_verdict(&self, path: &str, query: &[Parameter<'_>]) -> CommandResult {
        let document = self.document(path, query)?;
        anstream::stdout().lock().write_all(&reindented(&document))?;
        let report: Value = serde_json::from_slice(&document)?;
        let verdict = [Verdict::Verified, Verdict::Undecided, Verdict::Failed]
            .into_iter()
            .find(|one| report["state"] == serde_json::json!(one));
        let verdict =
            verdict.ok_or_else(|| Failure::new(format!("the daemon at {} gives no verdict", self.endpoint)))?;
        Ok(ExitCode::from(verdict.exit_status()))
    }

    /// The bytes of a document.
    pub(crate) fn document(&self, path: &str, query: &[Parameter<'_>]) -> Result<Vec<u8>, Failure> {
        let given = query.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        let query: Vec<String> = given.map(|(name, value)| format!("{name}={}", percent_encoded(value))).collect();
        let login = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let answer = self.endpoint.answer(&format!("{path}?{}", query.join("&")), login.as_deref());
        let (status, body) = answer.map_err(|why| {
            Failure::new(format!("the daemon at {}: {why}", self.endpoint))
                .hint("start it with: agentprov daemon serve; or leave out --daemon-url")
        })?;
        if status == 200 {
            return Ok(body);
        }
        let why = format!("the daemon at {} answered {status}: {}", self.endpoint, said(&body));
        Err(match status {
            401 => Failure::new(why).hint(format!("put its token into {TOKEN}; it is in daemon.token of its store")),
            422 => Failure::usage(why),
            _ => Failure::new(why),
        })
    }
}

/// A name of a file as text; a URL takes no other.
pub(crate) fn as_text(name: &OsString) -> Result<String, Failure> {
    let text = name.to_str().map(str::to_owned);
    text.ok_or_else(|| Failure::usage(format!("{}: a daemon takes names of UTF-8 only", name.display())))
}

/// The current folder, from which files are named.
pub(crate) fn here() -> Result<String, Failure> {
    as_text(&current_dir()?.into_os_string())
}

/// What a problem document says, in one line.
fn said(body: &[u8]) -> String {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = match &problem["detail"] {
        Value::String(text) => text.clone(),
        Value::Array(fields) => fields.iter().filter_map(|one| one["msg"].as_str()).collect::<Vec<_>>().join("; "),
        _ => "it is no answer of agentprov".to_owned(),
    };
    text.chars().filter(|c| !c.is_control()).take(500).collect()
}
