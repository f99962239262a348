//! Who may ask: the name by which the service was reached, the page that the request comes from, the token.

use crate::http::problem::Problem;
use crate::token::Token;
use axum::http::{HeaderMap, header};
use std::net::SocketAddr;

/// What requests are held against.
#[derive(Clone, Debug)]
pub struct Guard {
    /// Where the service listens.
    pub listen: SocketAddr,
    /// Names by which it may be reached beside those of the loopback.
    pub hosts: Vec<String>,
    /// The token; none where everybody may ask.
    pub token: Option<Token>,
}

impl Guard {
    /// Lets a request through, or says why not.
    ///
    /// # Errors
    /// 400, 401 or 403.
    pub fn check(&self, headers: &HeaderMap, open: bool) -> Result<(), Problem> {
        let host = header_text(headers, header::HOST.as_str())?;
        let host = host.ok_or_else(|| Problem::new(400, "no-host", "the request has no Host"))?;
        // A page whose name was made to point here still says its own name.
        if !self.is_ours(host) {
            return Err(Problem::new(403, "foreign-host", "the service does not answer under this name"));
        }
        if let Some(origin) = header_text(headers, header::ORIGIN.as_str())? {
            let ours = ["http://", "https://"]
                .iter()
                .filter_map(|scheme| origin.strip_prefix(scheme))
                .any(|name| name == host);
            if !ours {
                return Err(Problem::new(403, "foreign-origin", "the request comes from a page of another origin"));
            }
        }
        match &self.token {
            Some(token) if !open => check_token(token, headers),
            _ => Ok(()),
        }
    }

    fn is_ours(&self, host: &str) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => (name, port),
            _ => (host, "80"),
        };
        let lower = name.to_ascii_lowercase();
        if self.hosts.iter().any(|allowed| *allowed == lower || *allowed == host.to_ascii_lowercase()) {
            return true;
        }
        let address = self.listen.ip();
        let literal = if address.is_ipv6() { format!("[{address}]") } else { address.to_string() };
        let known = lower == literal || matches!(lower.as_str(), "localhost" | "127.0.0.1" | "[::1]");
        known && port.parse() == Ok(self.listen.port())
    }
}

fn check_token(token: &Token, headers: &HeaderMap) -> Result<(), Problem> {
    let refuse = |why: &str| Problem::new(401, "unauthorized", why);
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (given.next(), given.next()) else {
        return Err(refuse("send Authorization: Bearer TOKEN; the token is in daemon.token of the data dir"));
    };
    let text = value.to_str().map_err(|_| refuse("the Authorization header is no text"))?;
    let (scheme, shown) = text.split_once(' ').unwrap_or((text, ""));
    if scheme.eq_ignore_ascii_case("bearer") && token.is(shown.trim()) {
        return Ok(());
    }
    Err(refuse("the token is wrong"))
}

/// A header that stands there at most once.
fn header_text<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Problem::new(400, "repeated-header", format!("the header {name} stands there twice")));
    }
    let refuse = |_| Problem::new(400, "bad-header", format!("the header {name} is no text"));
    first.map(|value| value.to_str().map_err(refuse)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(pairs: &[(&'static str, &str)], open: bool) -> u16 {
        let listen = "127.0.0.1:8574".parse().unwrap();
        let guard = Guard { listen, hosts: vec!["review.example".into()], token: Some(Token::new("secret")) };
        let mut headers = HeaderMap::new();
        pairs.iter().for_each(|(name, value)| {
            headers.append(*name, value.parse().unwrap());
        });
        guard.check(&headers, open).map_or_else(|problem| problem.status, |()| 200)
    }

    #[test]
    fn names_origins_and_tokens_are_checked() {
        let token = ("authorization", "Bearer secret");
        for host in ["127.0.0.1:8574", "localhost:8574", "LOCALHOST:8574", "[::1]:8574", "review.example"] {
            assert_eq!(status(&[("host", host), token], false), 200, "{host}");
        }
        for host in ["evil.example:8574", "127.0.0.1", "127.0.0.1:80", "localhost.evil.example:8574", "", ":8574"] {
            assert_eq!(status(&[("host", host), token], false), 403, "{host}");
        }
        let host = ("host", "localhost:8574");
        assert_eq!(status(&[token], false), 400);
        assert_eq!(status(&[host, host, token], false), 400);
        assert_eq!(status(&[host, token, ("origin", "http://localhost:8574")], false), 200);
        for origin in ["http://evil.example", "null", "http://localhost:8575", "http://127.0.0.1:8574"] {
            assert_eq!(status(&[host, token, ("origin", origin)], false), 403, "{origin}");
        }
        assert_eq!(status(&[host, ("authorization", "bearer secret")], false), 200);
        for wrong in ["Bearer secre", "Bearer", "Basic secret", "secret", ""] {
            assert_eq!(status(&[host, ("authorization", wrong)], false), 401, "{wrong}");
        }
        assert_eq!(status(&[host, token, token], false), 401);
        assert_eq!(status(&[host], true), 200);
    }
}
