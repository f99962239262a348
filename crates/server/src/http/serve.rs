//! Running the service.

use crate::analysis::Analyst;
use crate::error::ServerError;
use crate::http::call::Shared;
use crate::http::dispatch::{Service, router};
use crate::http::guard::Guard;
use crate::lock::Lock;
use crate::otlp;
use crate::settings::Settings;
use crate::token::{self, Token};
use crate::workers::{Workers, yield_to_answers};
use agentprov_store::Store;
use axum::Router;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Threads that wait for the store on behalf of requests.
const WAITING_THREADS: usize = 16;
/// How long open connections have at the end.
const FAREWELL: Duration = Duration::from_secs(5);

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where to take OpenTelemetry's traces and logs, if anywhere.
    pub otlp: Option<SocketAddr>,
    /// Let everybody in who reaches the loopback.
    pub no_auth: bool,
    /// Names by which the service may be reached beside those of the loopback.
    pub hosts: Vec<String>,
    /// The settings.
    pub settings: Settings,
    /// How the program was called.
    pub argv: Vec<String>,
}

/// What runs, once it does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Started {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where it takes traces and logs.
    pub otlp: Option<SocketAddr>,
    /// The file of the token, where one from a file is needed.
    pub token_file: Option<PathBuf>,
}

/// Serves until the process is told to end (SIGINT, SIGTERM). `started` is told when requests are answered.
///
/// # Errors
/// [`ServerError`] when it can't start, or can't go on.
pub fn serve(store: Store, options: Options, started: impl FnOnce(Started)) -> Result<(), ServerError> {
    let addresses = std::iter::once(options.listen).chain(options.otlp);
    if let Some(open) = addresses.into_iter().find(|address| options.no_auth && !address.ip().is_loopback()) {
        return Err(ServerError::OpenToAll(open));
    }
    let _lock = Lock::take(store.dir())?;
    let (token, token_file) = token_of(&store, &options)?;
    let analyst = Arc::new(Analyst::new(options.settings, &store, options.argv)?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(WAITING_THREADS)
        .on_thread_start(yield_to_answers)
        .build()
        .map_err(|source| ServerError::System { action: "start the runtime", source })?;
    let (listener, listen) = runtime.block_on(bind(options.listen))?;
    let exports = options.otlp.map(|address| runtime.block_on(bind(address))).transpose()?;
    let otlp = exports.as_ref().map(|(_, address)| *address);
    // One processor is left to those who ask.
    let count = std::thread::available_parallelism().map_or(1, usize::from).saturating_sub(1).max(1);
    let workers = Workers::start(&store, &analyst, count)?;
    let hosts = options.hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
    let guard = Guard { listen, hosts, token };
    let exports = exports.map(|(listener, listen)| {
        let guard = Guard { listen, ..guard.clone() };
        (listener, otlp::router(Arc::new(otlp::Receiver::new(store.clone(), guard))))
    });
    let service = Arc::new(Service::new(Shared::new(store, analyst, &workers, count), guard));
    let served = runtime.block_on(async {
        let mut ends = [SignalKind::interrupt(), SignalKind::terminate()].map(signal).into_iter().flatten();
        let (Some(mut interrupt), Some(mut terminate)) = (ends.next(), ends.next()) else {
            let source = std::io::Error::other("signals can't be watched");
            return Err(ServerError::System { action: "watch for the end", source });
        };
        started(Started { listen, otlp, token_file });
        let (tell, told) = watch::channel(false);
        let services = std::iter::once((listener, router(service))).chain(exports);
        let serving: Vec<_> =
            services.map(|(listener, router)| tokio::spawn(serve_until(listener, router, told.clone()))).collect();
        std::future::poll_fn(|context| match (interrupt.poll_recv(context), terminate.poll_recv(context)) {
            (std::task::Poll::Pending, std::task::Poll::Pending) => std::task::Poll::Pending,
            _ => std::task::Poll::Ready(()),
        })
        .await;
        // Nobody listens any more only where serving has ended by itself.
        let _ = tell.send(true);
        // A connection that is kept open must not keep the process.
        let farewell = async {
            for serving in serving {
                drop(serving.await);
            }
        };
        drop(tokio::time::timeout(FAREWELL, farewell).await);
        Ok(())
    });
    workers.stop();
    runtime.shutdown_timeout(FAREWELL);
    served
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServerError> {
    let refuse = |source| ServerError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(refuse)?;
    let listen = listener.local_addr().map_err(refuse)?;
    Ok((listener, listen))
}

/// Answers requests until it is told to end, and then those that had begun.
async fn serve_until(listener: TcpListener, router: Router, mut told: watch::Receiver<bool>) -> std::io::Result<()> {
    let end = async move {
        // Whoever would tell is gone only when the service is.
        let _ = told.wait_for(|end| *end).await;
    };
    axum::serve(listener, router).with_graceful_shutdown(end).await
}

fn token_of(store: &Store, options: &Options) -> Result<(Option<Token>, Option<PathBuf>), ServerError> {
    if options.no_auth {
        return Ok((None, None));
    }
    if let Some(text) = &options.settings.api_token {
        return Ok((Some(Token::new(text)), None));
    }
    let (token, file) = token::read_or_make(store.dir())?;
    Ok((Some(token), Some(file)))
}
