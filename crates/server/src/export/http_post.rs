//! One POST over plain HTTP, bounded in time and in what is read of the answer.

use std::fmt;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(30);
/// Bytes of an answer that are read: what went wrong stands at its start.
const MAX_ANSWER: u64 = 4096;

/// A server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    /// From a URL without path and query.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(url: &str) -> Result<Self, String> {
        if url.starts_with("https://") {
            return Err("https is not spoken; name a plain http address, such as that of a TLS proxy beside it".into());
        }
        let authority = url.strip_prefix("http://").ok_or("it has to begin with http://")?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| "its port is no port")?),
            _ => (authority, 80),
        };
        let host = host.trim_matches(|bracket| bracket == '[' || bracket == ']');
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        match !host.is_empty() && host.bytes().all(plain) {
            true => Ok(Self { host: host.to_owned(), port }),
            false => Err("it has to be http://HOST or http://HOST:PORT, without a path".into()),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Sends a body; `headers` are whole lines. Anything but a status of success is an error.
pub(super) fn post(to: &Endpoint, target: &str, headers: &str, body: &[u8]) -> Result<(), String> {
    let told = |error: std::io::Error| error.to_string();
    let mut addresses = (to.host.as_str(), to.port).to_socket_addrs().map_err(told)?;
    let address = addresses.next().ok_or("the name has no address")?;
    let mut stream = TcpStream::connect_timeout(&address, CONNECT).map_err(told)?;
    stream.set_write_timeout(Some(ANSWER)).map_err(told)?;
    stream.set_read_timeout(Some(ANSWER)).map_err(told)?;
    let length = body.len();
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: {to}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).map_err(told)?;
    stream.write_all(body).map_err(told)?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer).map_err(told)?;
    let answer = String::from_utf8_lossy(&answer);
    match answer.split(' ').nth(1) {
        Some(status) if status.len() == 3 && status.starts_with('2') => Ok(()),
        _ => Err(format!("it answered: {}", answer.lines().next().unwrap_or("nothing"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_a_host_and_a_port() {
        for (url, shown) in [
            ("http://a.example", "a.example:80"),
            ("http://127.0.0.1:8123/", "127.0.0.1:8123"),
            ("http://[::1]:1", "[::1]:1"),
        ] {
            assert_eq!(Endpoint::parse(url).unwrap().to_string(), shown);
        }
        for bad in ["", "a:1", "https://a", "http://", "http://a:b", "http://a/db", "http://a\r\nx", "http://u@a"] {
            assert!(Endpoint::parse(bad).is_err(), "{bad:?}");
        }
    }
}
