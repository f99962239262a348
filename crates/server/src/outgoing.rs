//! Requests to others: over TLS, or in plain text where the settings say http.

use serde_json::Value;
use std::fmt;
use std::time::Duration;
use ureq::Agent;
use ureq::http::Response;

const CONNECT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(30);
/// Bytes of an answer that is read as a document.
const MAX_DOCUMENT: u64 = 16 << 20;
/// Bytes of a document of what was recorded.
const MAX_RECORDINGS: u64 = 1 << 30;
/// Bytes of an answer that says what went wrong.
const MAX_PROBLEM: u64 = 4096;

/// A server, by the URL that its paths are added to.
#[derive(Clone)]
pub struct Endpoint {
    base: String,
    agent: Agent,
}

impl Endpoint {
    /// From a URL without query.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(url: &str) -> Result<Self, String> {
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let rest = rest.ok_or("it has to begin with https:// or http://")?;
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.is_empty() || authority.contains('@') || url.contains(['?', '#']) || !url.is_ascii() {
            return Err("it has to be https://HOST, with a port and a path where needed and nothing else".into());
        }
        url.parse::<ureq::http::Uri>().map_err(|error| error.to_string())?;
        let port = authority.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
        if port.is_some_and(|port| port.parse::<u16>().is_err()) {
            return Err("its port is no number".into());
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(WHOLE))
            .build();
        Ok(Self { base: url.trim_end_matches('/').to_owned(), agent: config.into() })
    }

    /// Where people find what is behind this API of GitHub.
    pub(crate) fn web_address(&self) -> String {
        match self.base.strip_prefix("https://api.github.com") {
            Some("") => "https://github.com".to_owned(),
            _ => self.base.trim_end_matches("/api/v3").to_owned(),
        }
    }

    /// Whether what is sent can be read on the way: in plain text, and not to this host.
    pub fn is_exposed(&self) -> bool {
        let Some(rest) = self.base.strip_prefix("http://") else { return false };
        let host = rest.split('/').next().unwrap_or_default();
        let host = host.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')).map_or(host, |(host, _)| host);
        !matches!(host, "localhost" | "127.0.0.1" | "[::1]")
    }

    /// Sends a body. Anything but a status of success is an error.
    ///
    /// # Errors
    /// What went wrong.
    pub(crate) fn post(&self, target: &str, login: Option<&str>, body: &[u8]) -> Result<(), String> {
        let mut request = self.agent.post(format!("{}{target}", self.base)).header("Content-Type", "application/json");
        if let Some(login) = login {
            request = request.header("Authorization", login);
        }
        answered(request.send(body)).map(|_| ())
    }

    /// Sends a body with its signature. Anything but a status of success is an error.
    ///
    /// # Errors
    /// What went wrong.
    pub(crate) fn post_signed(&self, signature: &str, body: &[u8]) -> Result<(), String> {
        let request = self.agent.post(&self.base).header("Content-Type", "application/json");
        answered(request.header("X-Agentprov-Signature", signature).send(body)).map(|_| ())
    }

    /// Asks for a document of another daemon. Gives status and body, whatever the status is.
    ///
    /// # Errors
    /// What went wrong on the way.
    pub fn answer(&self, target: &str, login: Option<&str>) -> Result<(u16, Vec<u8>), String> {
        let mut request = self.agent.get(format!("{}{target}", self.base));
        if let Some(login) = login {
            request = request.header("Authorization", login);
        }
        let mut response = request.call().map_err(|error| error.to_string())?;
        let body = response.body_mut().with_config().limit(MAX_RECORDINGS).read_to_vec();
        Ok((response.status().as_u16(), body.map_err(|error| error.to_string())?))
    }

    /// Asks for a document.
    ///
    /// # Errors
    /// What went wrong.
    pub(crate) fn get(&self, target: &str, login: &str) -> Result<Value, String> {
        let request = self.agent.get(format!("{}{target}", self.base)).header("Authorization", login);
        let request = request.header("Accept", "application/vnd.github+json").header("User-Agent", "agentprov");
        let mut response = answered(request.call())?;
        let bytes = response.body_mut().with_config().limit(MAX_DOCUMENT).read_to_vec();
        let bytes = bytes.map_err(|error| error.to_string())?;
        serde_json::from_slice(&bytes).map_err(|error| format!("the answer is no document: {error}"))
    }
}

fn answered(result: Result<Response<ureq::Body>, ureq::Error>) -> Result<Response<ureq::Body>, String> {
    let mut response = result.map_err(|error| error.to_string())?;
    if response.status().is_success() {
        return Ok(response);
    }
    let said = response.body_mut().with_config().limit(MAX_PROBLEM).read_to_string().unwrap_or_default();
    let said: String = said.lines().next().unwrap_or_default().chars().take(200).collect();
    Err(format!("it answered {} {said}", response.status().as_u16()))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

impl PartialEq for Endpoint {
    fn eq(&self, other: &Self) -> bool {
        self.base == other.base
    }
}

impl Eq for Endpoint {}

/// A value for a query (RFC 3986, section 2.3: all but the unreserved characters as their bytes).
#[must_use]
pub fn percent_encoded(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => plain.push(char::from(byte)),
            other => plain.push_str(&format!("%{other:02X}")),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_urls_and_nothing_else() {
        for url in ["https://api.github.com", "http://127.0.0.1:8123/", "http://[::1]:1", "https://ghe.example/api/v3"]
        {
            let endpoint = Endpoint::parse(url).unwrap();
            assert_eq!(endpoint.to_string(), url.trim_end_matches('/'));
            assert!(!endpoint.is_exposed(), "{url}");
        }
        assert!(Endpoint::parse("http://github.example:80").unwrap().is_exposed());
        for bad in ["", "a:1", "ftp://a", "http://", "http://a:b", "http://a\r\nx", "http://u@a", "http://a/?q"] {
            assert!(Endpoint::parse(bad).is_err(), "{bad:?}");
        }
    }
}
