//! How GitHub is asked, and what logins and teams mean.

use crate::error::ServerError;
use crate::github;
use crate::outgoing::Endpoint;
use crate::settings::refusal;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::time::Duration;

const PUBLIC: &str = "https://api.github.com";
const LABEL_PREFIX: &str = "agent:";
const TTL: u64 = 300;
const LEAST_TTL: u64 = 30;

/// People and their teams.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Teams {
    /// Team by lower-case login.
    pub of_login: BTreeMap<String, String>,
    /// How many people of a team may review in a window.
    pub budgets: BTreeMap<String, u64>,
}

/// GitHub is asked where there is a token.
///
/// # Errors
/// [`ServerError::Setting`].
pub(super) fn github<'v>(get: impl Fn(&str) -> Option<&'v str>) -> Result<Option<github::Settings>, ServerError> {
    let endpoint = Endpoint::parse(get("GITHUB_BASE_URL").unwrap_or(PUBLIC));
    let endpoint = endpoint.map_err(|why| refusal("GITHUB_BASE_URL", why))?;
    let agents: BTreeMap<String, String> = map("GITHUB_AGENT_MAP", get("GITHUB_AGENT_MAP"))?;
    let ttl = match get("GITHUB_CACHE_TTL_SECONDS") {
        Some(text) => {
            text.parse().map_err(|_| refusal("GITHUB_CACHE_TTL_SECONDS", "it has to be a count of seconds"))?
        }
        None => TTL,
    };
    let Some(token) = get("GITHUB_TOKEN") else { return Ok(None) };
    if endpoint.is_exposed() {
        return Err(refusal("GITHUB_BASE_URL", "the token would go over the network in plain text; use https"));
    }
    Ok(Some(github::Settings {
        endpoint,
        token: token.to_owned(),
        label_prefix: get("GITHUB_AGENT_LABEL_PREFIX").unwrap_or(LABEL_PREFIX).to_owned(),
        agents: agents.into_iter().map(|(login, agent)| (login.to_lowercase(), agent)).collect(),
        ttl: Duration::from_secs(ttl.max(LEAST_TTL)),
    }))
}

/// Teams of reviewers.
///
/// # Errors
/// [`ServerError::Setting`].
pub(super) fn teams<'v>(get: impl Fn(&str) -> Option<&'v str>) -> Result<Teams, ServerError> {
    const MAP: &str = "GITHUB_REVIEWER_TEAM_MAP";
    const BUDGETS: &str = "GITHUB_TEAM_REVIEW_BUDGETS";
    let of_login: BTreeMap<String, String> = map(MAP, get(MAP))?;
    Ok(Teams {
        of_login: of_login.into_iter().map(|(login, team)| (login.to_lowercase(), team)).collect(),
        budgets: map(BUDGETS, get(BUDGETS).or_else(|| get("TEAM_REVIEW_BUDGETS")))?,
    })
}

fn map<T: DeserializeOwned + Default>(name: &str, text: Option<&str>) -> Result<T, ServerError> {
    text.map_or(Ok(T::default()), |text| serde_json::from_str(text).map_err(|error| refusal(name, error)))
}
