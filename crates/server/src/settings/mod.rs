//! Settings, under the names that the existing review service has.

pub mod catalogue;
pub(crate) mod engines;
mod export;
mod github;
mod prefix;
mod webhook;

pub use github::Teams;
pub use prefix::Prefix;

use crate::analytics::metric::Metric;
use crate::analytics::window::Span;
use crate::error::ServerError;
use crate::export::Export;
use agentprov_log::{KeyType, SignerKey, VerifierKey};
use agentprov_review::governance::Policy;
use catalogue::Use;
use data_encoding::BASE64;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// What every variable starts with.
pub const PREFIX: &str = "PROVENANCE_";

/// The metric of a query that names none, unless a setting names another.
const DEFAULT_METRIC: &str = "risk_rate";

/// The settings of the service.
#[derive(Clone)]
pub struct Settings {
    /// What decides.
    pub policy: Policy,
    /// What to say at the start: variables of the prefix that nobody knows, and those that change nothing here.
    pub notices: Vec<String>,
    /// Where to listen, in place of what the command line has as its default.
    pub listen: Listen,
    /// What the routes of the API begin with.
    pub prefix: Prefix,
    /// The metric of a query that names none.
    pub default_metric: String,
    /// Rules for Semgrep, which scans too where there are any.
    pub semgrep_config: Option<String>,
    /// Programs that detect too.
    pub detectors: Vec<PathBuf>,
    /// How GitHub is asked, where it is.
    pub github: Option<crate::github::Settings>,
    /// People and their teams.
    pub teams: Teams,
    /// To whom what analyses came to is handed on.
    pub export: Option<Export>,
    /// Who is told of decisions.
    pub webhook: Option<Export>,
    /// The window of a query that names none.
    pub default_window: Span,
    /// What `status_url` starts with; the address of the request where there is none.
    pub base_url: Option<String>,
    /// Keys of agents, by lower-case id: signatures over single lines are checked with them.
    pub agent_keys: BTreeMap<String, VerifierKey>,
    /// Signs decisions beside the store's key.
    pub decision_key: Option<SignerKey>,
    /// The token to demand instead of the one in the data dir.
    pub api_token: Option<String>,
}

impl Settings {
    /// From variables of the environment. Those of other names are passed over.
    ///
    /// # Errors
    /// [`ServerError::Setting`] for a value that can't be used: it is told at the start, not at the first request.
    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ServerError> {
        let mut known: BTreeMap<String, String> = BTreeMap::new();
        let mut policy = Policy::default();
        let mut notices = Vec::new();
        for (name, value) in variables {
            let Some(rest) = name.to_ascii_uppercase().strip_prefix(PREFIX).map(str::to_owned) else { continue };
            policy.apply_environment([(name, value.clone())]).map_err(|error| refusal(&rest, error.what))?;
            match catalogue::use_of(&rest) {
                _ if value.is_empty() => {}
                Some(Use::Honoured) => {}
                Some(Use::Without(reason)) => notices.push(format!("{PREFIX}{rest} changes nothing: {reason}")),
                None => notices.push(format!("{PREFIX}{rest} is no known setting")),
            }
            known.insert(rest, value);
        }
        let get = |name: &str| known.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let prefix = get("API_V1_PREFIX")
            .map_or(Ok(Prefix::default()), |text| Prefix::parse(text).map_err(|why| refusal("API_V1_PREFIX", why)))?;
        let base_url = get("SERVICE_BASE_URL").map(|url| url.trim_end_matches('/').to_owned());
        let api_url = base_url.as_ref().map(|base| format!("{base}{}", prefix.as_str()));
        Ok(Self {
            policy,
            notices,
            listen: Listen {
                host: get("SERVICE_HOST").map(|text| parsed("SERVICE_HOST", text, "an IP address")).transpose()?,
                port: get("SERVICE_PORT").map(|text| parsed("SERVICE_PORT", text, "a port")).transpose()?,
            },
            prefix,
            default_metric: match get("ANALYTICS_DEFAULT_METRIC") {
                Some(name) if Metric::find(name).is_none() => {
                    return Err(refusal("ANALYTICS_DEFAULT_METRIC", format!("there is no metric '{name}'")));
                }
                name => name.unwrap_or(DEFAULT_METRIC).to_owned(),
            },
            github: github::github(get)?,
            teams: github::teams(get)?,
            export: export::export(get)?,
            webhook: webhook::webhook(get, api_url)?,
            semgrep_config: get("SEMGREP_CONFIG_PATH").or_else(|| get("SEMGREP_RULES_PATH")).map(str::to_owned),
            detectors: get("DETECTOR_MODULE_PATHS").map_or(Ok(Vec::new()), |text| {
                engines::list(text).map_err(|why| refusal("DETECTOR_MODULE_PATHS", why))
            })?,
            default_window: match get("ANALYTICS_DEFAULT_WINDOW") {
                Some(text) => Span::parse(text).map_err(|why| refusal("ANALYTICS_DEFAULT_WINDOW", why))?,
                None => Span::WEEK,
            },
            base_url,
            agent_keys: get("AGENT_PUBLIC_KEYS").map_or(Ok(BTreeMap::new()), agent_keys)?,
            decision_key: get("DECISION_SIGNING_KEY")
                .map(|text| decision_key(text, get("DECISION_KEY_ID")))
                .transpose()?,
            api_token: get("API_TOKEN").map(str::to_owned),
        })
    }
}

/// Parts of the address to listen on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Listen {
    /// The host.
    pub host: Option<IpAddr>,
    /// The port.
    pub port: Option<u16>,
}

impl Listen {
    /// The address, with what is not set from another.
    pub fn over(self, default: SocketAddr) -> SocketAddr {
        SocketAddr::new(self.host.unwrap_or(default.ip()), self.port.unwrap_or(default.port()))
    }
}

fn parsed<T: std::str::FromStr>(name: &str, text: &str, what: &str) -> Result<T, ServerError> {
    text.parse().map_err(|_| refusal(name, format!("'{text}' is not {what}")))
}

impl fmt::Debug for Settings {
    /// Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// Why a setting is refused.
pub(crate) fn refusal(name: &str, why: impl fmt::Display) -> ServerError {
    ServerError::Setting { name: format!("{PREFIX}{name}"), why: why.to_string() }
}

fn agent_keys(text: &str) -> Result<BTreeMap<String, VerifierKey>, ServerError> {
    const NAME: &str = "AGENT_PUBLIC_KEYS";
    let listed: BTreeMap<String, String> = serde_json::from_str(text).map_err(|error| refusal(NAME, error))?;
    let read = |(agent, key): (String, String)| {
        let bytes = BASE64.decode(key.as_bytes()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let bytes = bytes.ok_or_else(|| refusal(NAME, format!("the key of '{agent}' is no base64 of 32 bytes")))?;
        // The agent's id may hold what a key name must not.
        let key = VerifierKey::new("agent", KeyType::Ed25519, &bytes)
            .map_err(|error| refusal(NAME, format!("the key of '{agent}': {error}")))?;
        Ok((agent.to_lowercase(), key))
    };
    listed.into_iter().map(read).collect()
}

fn decision_key(text: &str, name: Option<&str>) -> Result<SignerKey, ServerError> {
    const NAME: &str = "DECISION_SIGNING_KEY";
    let seed = BASE64.decode(text.as_bytes()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let seed = seed.ok_or_else(|| refusal(NAME, "it is no base64 of a 32-byte seed"))?;
    SignerKey::from_seed(name.unwrap_or("decision-key"), &seed).map_err(|error| refusal("DECISION_KEY_ID", error))
}

#[cfg(test)]
mod tests;
