//! A proxy on the loopback interface for the model calls of one recording.
//!
//! What passes goes on at once, in both directions, no faster than it is taken; a copy is read on the way. Nothing of
//! a header is kept. The path begins with a secret that only the recorded command's environment holds, so that no web
//! page and no other user's process can call models through it.

mod door;
mod forward;
mod headers;
mod passage;
mod scribe;
mod upstream;

pub use upstream::{BaseError, Upstream};

use agentprov_ingest::hooks::wall_clock;
use agentprov_ingest::llm::LlmKeeper;
use agentprov_model::llm::{LlmDeed, LlmVendor};
use axum::Router;
use door::Door;
use forward::Forwarder;
use scribe::{Caller, Scribe};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

/// What is kept of requests and responses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Prompts {
    /// Hash and length.
    Named,
    /// The text too, redacted, up to a length.
    Kept,
}

/// Why the proxy can't work.
#[derive(Debug, thiserror::Error)]
pub enum LlmProxyError {
    /// No random number was to be had.
    #[error("no random number: {0}")]
    Random(#[from] getrandom::Error),
    /// There is nothing to check certificates against.
    #[error("certificates of authorities can't be read: {0}")]
    Roots(#[source] io::Error),
    /// The loopback interface can't be listened on.
    #[error("listen on the loopback interface: {0}")]
    Listen(#[source] io::Error),
    /// Something else of the system.
    #[error("{0}")]
    System(#[from] io::Error),
}

/// Where a vendor's clients are to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Way {
    /// Whose clients.
    pub vendor: LlmVendor,
    /// Base of their addresses.
    pub base: String,
}

/// Serves until `end`, which is called in a thread of its own, returns. `ready` is told where to send clients once calls are taken.
///
/// # Errors
/// [`LlmProxyError`].
pub fn serve(
    keeper: LlmKeeper,
    upstreams: Vec<Upstream>,
    prompts: Prompts,
    ready: impl FnOnce(&[Way]) -> io::Result<()>,
    end: impl FnOnce() + Send + 'static,
) -> Result<(), LlmProxyError> {
    let mut secret = [0u8; 16];
    getrandom::fill(&mut secret)?;
    let secret = data_encoding::HEXLOWER.encode(&secret);
    let (ending, stop) = tokio::sync::oneshot::channel::<()>();
    std::thread::Builder::new().name("llm-end".to_owned()).spawn(move || {
        end();
        drop(ending);
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(LlmProxyError::Listen)?;
        let address = listener.local_addr()?;
        let ways: Vec<Way> = upstreams.iter().map(|upstream| way(upstream, address, &secret)).collect();
        let listening =
            LlmDeed::Listening { port: address.port(), upstreams: upstreams.iter().map(Upstream::told).collect() };
        keeper.keep(listening, None, wall_clock());
        let (scribe, desk) = Scribe::start(keeper, address)?;
        let forwarder = Forwarder::new(upstreams, secret, prompts, desk.clone())?;
        let service = Router::new().fallback(forward::handle).with_state(forwarder);
        let service = service.into_make_service_with_connect_info::<Caller>();
        ready(&ways)?;
        tokio::select! {
            ended = axum::serve(Door::new(listener, desk), service) => ended?,
            _ = stop => {}
        }
        Ok::<_, LlmProxyError>(scribe)
    });
    // Calls that are on their way end here, and say so to the scribe.
    drop(runtime);
    served?.finish();
    Ok(())
}

fn way(upstream: &Upstream, address: SocketAddr, secret: &str) -> Way {
    let vendor = upstream.vendor();
    Way { vendor, base: format!("http://{address}/{secret}/{}", vendor.name()) }
}
