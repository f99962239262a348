//! Tells a receiver over HTTP, with a signed body; what can't be delivered is kept.

use super::{Adapter, Ended, Job, hmac_sha256};
use data_encoding::HEXLOWER;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Bytes of an answer that are looked at: the status line is enough.
const ANSWER_BYTES: u64 = 4096;
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Why an address is no webhook.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WebhookError {
    /// TLS is not spoken here.
    #[error("{0}: https is not supported; send to a local relay over http")]
    Tls(String),
    /// Not `http://host[:port]/path`.
    #[error("{0} is no address of the form http://host[:port]/path")]
    Form(String),
}

/// How often and how fast it is tried.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// Tries in all.
    pub tries: u32,
    /// Pause after the first; it doubles after each.
    pub pause: Duration,
    /// Time for one try.
    pub timeout: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { tries: 3, pause: Duration::from_millis(200), timeout: Duration::from_secs(3) }
    }
}

/// A receiver of notices.
///
/// The body is JSON; `X-Agentprov-Signature: sha256=<hex>` is its HMAC under the shared key.
#[derive(Clone)]
pub struct Webhook {
    authority: String,
    path: String,
    key: Vec<u8>,
    retry: Retry,
    dead_letters: PathBuf,
}

impl Webhook {
    /// For an address; what can't be delivered goes into the folder.
    ///
    /// # Errors
    /// [`WebhookError`] when the address is none.
    pub fn new(url: &str, key: Vec<u8>, retry: Retry, dead_letters: PathBuf) -> Result<Self, WebhookError> {
        if url.starts_with("https://") {
            return Err(WebhookError::Tls(url.to_owned()));
        }
        let form = || WebhookError::Form(url.to_owned());
        let rest = url.strip_prefix("http://").ok_or_else(form)?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if authority.is_empty() || authority.contains('@') || !plain(authority) || !plain(path) {
            return Err(form());
        }
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self { authority: authority.to_owned(), path: path.to_owned(), key, retry, dead_letters })
    }

    fn deliver(&self, body: &[u8]) -> Result<u16, String> {
        let mut stream = self.connect()?;
        let signature = HEXLOWER.encode(&hmac_sha256(&self.key, body));
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             X-Agentprov-Signature: sha256={signature}\r\nConnection: close\r\n\r\n",
            self.path,
            self.authority,
            body.len()
        );
        let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        sent.map_err(|error| format!("sending failed: {error}"))?;
        let status = read_status(&mut stream, Instant::now() + self.retry.timeout)?;
        if (200..300).contains(&status) { Ok(status) } else { Err(format!("the receiver answered {status}")) }
    }

    fn connect(&self) -> Result<TcpStream, String> {
        let with_port = self.authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let address = if with_port { self.authority.clone() } else { format!("{}:80", self.authority) };
        let mut addresses = address.to_socket_addrs().map_err(|error| format!("{address} has no address: {error}"))?;
        let first = addresses.next().ok_or_else(|| format!("{address} has no address"))?;
        let stream = TcpStream::connect_timeout(&first, self.retry.timeout)
            .map_err(|error| format!("no connection to {address}: {error}"))?;
        let timeout = Some(self.retry.timeout);
        let set = stream.set_read_timeout(timeout).and_then(|()| stream.set_write_timeout(timeout));
        set.map_err(|error| format!("no connection to {address}: {error}"))?;
        Ok(stream)
    }

    fn keep(&self, job: &Job, body: &[u8]) -> String {
        let path = self.dead_letters.join(format!("{}.json", job.request.risk));
        let kept = std::fs::create_dir_all(&self.dead_letters).and_then(|()| std::fs::write(&path, body));
        match kept {
            Ok(()) => format!("the notice is kept in {}", path.display()),
            Err(error) => format!("the notice could not be kept in {}: {error}", path.display()),
        }
    }
}

impl Adapter for Webhook {
    fn act(&mut self, job: &Job) -> Ended {
        let body = job.message().to_string().into_bytes();
        let mut pause = self.retry.pause;
        let mut last = String::new();
        for attempt in 1..=self.retry.tries {
            match self.deliver(&body) {
                Ok(status) => {
                    return Ended::confirmed(format!("{} answered {status} at try {attempt}", self.authority));
                }
                Err(error) => last = error,
            }
            if attempt < self.retry.tries {
                std::thread::sleep(pause.min(LONGEST_PAUSE));
                pause = pause.saturating_mul(2);
            }
        }
        Ended::failed(format!("{} tries: {last}; {}", self.retry.tries, self.keep(job, &body)))
    }
}

/// The status of an answer; a receiver that drips bytes is not waited for beyond the deadline.
fn read_status(stream: &mut TcpStream, deadline: Instant) -> Result<u16, String> {
    let mut answer = Vec::new();
    let mut stream = stream.take(ANSWER_BYTES);
    let mut buffer = [0; 256];
    while !answer.contains(&b'\n') && Instant::now() < deadline {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
            Err(error) => return Err(format!("no answer: {error}")),
        }
    }
    let line = String::from_utf8_lossy(&answer);
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
    status.ok_or_else(|| "the answer is not HTTP".to_owned())
}
