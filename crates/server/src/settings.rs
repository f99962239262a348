//! Settings, under the names that the existing review service has.

use crate::analytics::window::Span;
use crate::error::ServerError;
use agentprov_log::{KeyType, SignerKey, VerifierKey};
use agentprov_review::governance::Policy;
use data_encoding::BASE64;
use std::collections::BTreeMap;
use std::fmt;

/// What every variable starts with.
pub const PREFIX: &str = "PROVENANCE_";

/// The settings of the service.
#[derive(Clone)]
pub struct Settings {
    /// What decides.
    pub policy: Policy,
    /// Variables of the prefix that nobody knows, for a warning.
    pub unknown: Vec<String>,
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
        let mut unknown = Vec::new();
        for (name, value) in variables {
            let Some(rest) = name.to_ascii_uppercase().strip_prefix(PREFIX).map(str::to_owned) else { continue };
            unknown
                .extend(policy.apply_environment([(name, value.clone())]).map_err(|error| refusal(&rest, error.what))?);
            known.insert(rest, value);
        }
        let get = |name: &str| known.get(name).map(String::as_str).filter(|value| !value.is_empty());
        Ok(Self {
            policy,
            unknown,
            default_window: match get("ANALYTICS_DEFAULT_WINDOW") {
                Some(text) => Span::parse(text).map_err(|why| refusal("ANALYTICS_DEFAULT_WINDOW", why))?,
                None => Span::WEEK,
            },
            base_url: get("SERVICE_BASE_URL").map(|url| url.trim_end_matches('/').to_owned()),
            agent_keys: get("AGENT_PUBLIC_KEYS").map_or(Ok(BTreeMap::new()), agent_keys)?,
            decision_key: get("DECISION_SIGNING_KEY")
                .map(|text| decision_key(text, get("DECISION_KEY_ID")))
                .transpose()?,
            api_token: get("API_TOKEN").map(str::to_owned),
        })
    }
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
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::from_variables(pairs).map_err(|error| error.to_string())
    }

    #[test]
    fn bad_values_are_told_at_the_start() {
        assert!(settings(&[]).is_ok());
        for (name, value) in [
            ("PROVENANCE_DECISION_SIGNING_KEY", "AAAA"),
            ("PROVENANCE_DECISION_SIGNING_KEY", "not base64"),
            ("PROVENANCE_AGENT_PUBLIC_KEYS", "{\"a\":\"AAAA\"}"),
            ("PROVENANCE_AGENT_PUBLIC_KEYS", "[]"),
            ("provenance_analytics_default_window", "7"),
            ("PROVENANCE_RISK_HIGH_SEVERITY_THRESHOLD", "many"),
            ("PROVENANCE_POLICY_WARN_THRESHOLDS", "{\"sqli\":-1}"),
            ("PROVENANCE_PROVENANCE_BLOCK_ON_UNKNOWN", "perhaps"),
        ] {
            let message = settings(&[(name, value)]).unwrap_err();
            assert!(message.contains(&name.to_ascii_uppercase()), "{message}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let key = BASE64.encode(&[7; 32]);
        let set = settings(&[("PROVENANCE_DECISION_SIGNING_KEY", &key), ("PROVENANCE_API_TOKEN", "hidden")]).unwrap();
        assert!(!format!("{set:?}").contains("hidden"));
        assert!(set.decision_key.is_some());
    }
}
