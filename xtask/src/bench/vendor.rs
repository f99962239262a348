//! A vendor of models that answers at once, and a client that says when the first byte came.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const ANSWER: &str = r#"{"object":"chat.completion","model":"bench","choices":[{"message":{"content":"so"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
/// Nothing here takes longer unless something hangs.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than a head of these messages.
const LONGEST_HEAD: usize = 64 << 10;

/// Serves until it is dropped.
pub(crate) struct Vendor {
    address: SocketAddr,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Vendor {
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (address, ending) = (listener.local_addr()?, Arc::new(AtomicBool::new(false)));
        let asked = ending.clone();
        let thread = std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if asked.load(Ordering::SeqCst) {
                    break;
                }
                // A client that goes away is none of the vendor's trouble.
                std::thread::spawn(move || drop(answer(stream)));
            }
        });
        Ok(Self { address, ending, thread: Some(thread) })
    }

    /// Base of its addresses.
    pub(crate) fn base(&self) -> String {
        format!("http://{}/v1", self.address)
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::SeqCst);
        if TcpStream::connect(self.address).is_ok()
            && let Some(thread) = self.thread.take()
        {
            // A thread that broke down has ended too.
            let _ = thread.join();
        }
    }
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}", ANSWER.len());
    let whole = format!("{head}\r\n\r\n{ANSWER}");
    while take(&mut stream)?.is_some() {
        stream.write_all(whole.as_bytes())?;
    }
    Ok(())
}

/// A client of the server at a base.
pub(crate) struct Client {
    authority: String,
    request: String,
}

impl Client {
    pub(crate) fn of(base: &str) -> Result<Self, String> {
        let rest = base.strip_prefix("http://").ok_or_else(|| format!("{base}: not the address of a server"))?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let body = r#"{"model":"bench","messages":[]}"#;
        let head =
            format!("POST /{path}/chat/completions HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/json");
        let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        Ok(Self { authority: authority.to_owned(), request })
    }

    pub(crate) fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(&self.authority)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    /// One call; when the first byte of its answer came.
    pub(crate) fn call(&self, stream: &mut TcpStream) -> io::Result<Instant> {
        stream.write_all(self.request.as_bytes())?;
        let (first, text) = take(stream)?.ok_or(ErrorKind::UnexpectedEof)?;
        if text.starts_with("HTTP/1.1 200 ") && text.ends_with(ANSWER) {
            Ok(first)
        } else {
            Err(io::Error::new(ErrorKind::InvalidData, format!("another answer: {text}")))
        }
    }
}

/// The next message, and when its first byte came; None where the other side ended.
fn take(stream: &mut TcpStream) -> io::Result<Option<(Instant, String)>> {
    let (mut message, mut piece, mut first) = (Vec::new(), [0; 4096], None);
    while message.len() < LONGEST_HEAD {
        let length = stream.read(&mut piece)?;
        let came = *first.get_or_insert_with(Instant::now);
        message.extend_from_slice(&piece[..length]);
        if is_whole(&message) {
            return Ok(Some((came, String::from_utf8_lossy(&message).into_owned())));
        }
        if length == 0 {
            return if message.is_empty() { Ok(None) } else { Err(ErrorKind::UnexpectedEof.into()) };
        }
    }
    Err(io::Error::new(ErrorKind::InvalidData, "a message without an end"))
}

fn is_whole(message: &[u8]) -> bool {
    let text = String::from_utf8_lossy(message);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().filter_map(|line| line.split_once(':'));
    let length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length.filter_map(|(_, value)| value.trim().parse::<usize>().ok()).all(|length| body.len() >= length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_on_one_connection_are_answered() {
        let vendor = Vendor::start().unwrap();
        let client = Client::of(&vendor.base()).unwrap();
        let begun = Instant::now();
        let mut stream = client.connect().unwrap();
        let first = client.call(&mut stream).unwrap();
        assert!(begun < first && first < client.call(&mut stream).unwrap());
        assert!(Client::of("nowhere").is_err());
    }

    #[test]
    fn a_message_is_whole_with_its_last_byte() {
        assert!(!is_whole(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{"));
        assert!(is_whole(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"));
    }
}
