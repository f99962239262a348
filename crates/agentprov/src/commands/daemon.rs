//! `agentprov daemon`.

use crate::commands::review::keys_of;
use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use agentprov_server::{Options, Settings, serve};
use clap::{Args, Subcommand};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

/// Where to listen unless something says otherwise.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8574);

/// The service.
#[derive(Debug, Subcommand)]
pub(crate) enum Daemon {
    /// Serve the review API until told to stop
    Serve(Serve),
}

/// Serves the review API over HTTP. What it accepted it decides, even when it is killed and started again.
///
/// Settings are taken from PROVENANCE_* variables; the page docs/server.md lists them.
#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// Where to listen [default: 127.0.0.1:8574, or PROVENANCE_SERVICE_HOST and PROVENANCE_SERVICE_PORT]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Take traces and logs of agents there too, as OTLP over HTTP (usually 127.0.0.1:4318)
    #[arg(long, value_name = "ADDRESS")]
    otlp: Option<SocketAddr>,
    /// Ask for no token; on loopback addresses only
    #[arg(long)]
    no_auth: bool,
    /// Another name under which clients may reach the service; may be repeated
    #[arg(long = "allow-host", value_name = "NAME")]
    hosts: Vec<String>,
    /// A file with public keys to believe posted evidence of, such as the store.pub of another store; without one,
    /// evidence is no more than a claim
    #[arg(long, value_name = "KEYFILE")]
    trust: Vec<PathBuf>,
    /// A file with public keys to believe waivers of, beside the key of the store
    #[arg(long = "waiver-key", value_name = "KEYFILE")]
    waiver_keys: Vec<PathBuf>,
}

impl Daemon {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let Self::Serve(command) = self;
        command.run(context)
    }
}

impl Serve {
    fn run(self, context: &Context) -> CommandResult {
        // A variable whose name or value is no text is none of ours.
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let mut settings = Settings::from_variables(variables)?;
        for file in &self.trust {
            settings.policy.evidence_keys.extend(keys_of(file)?.iter().map(ToString::to_string));
        }
        for file in &self.waiver_keys {
            settings.policy.waiver_keys.extend(keys_of(file)?.iter().map(ToString::to_string));
        }
        for notice in &settings.notices {
            let _ = writeln!(anstream::stderr(), "warning: {notice}");
        }
        let listen = self.listen.unwrap_or_else(|| settings.listen.over(LISTEN));
        let argv = vec!["agentprov".to_owned(), "daemon".to_owned(), "serve".to_owned()];
        let (otlp, no_auth, hosts) = (self.otlp, self.no_auth, self.hosts);
        let options = Options { listen, otlp, no_auth, hosts, settings, argv };
        let store = context.store_or_new()?;
        serve(store, options, |started| {
            let mut err = anstream::stderr().lock();
            // Whoever started us may not read what we say.
            let _ = writeln!(err, "listening on http://{}", started.listen);
            let _ = match started.otlp {
                Some(address) => writeln!(err, "traces and logs on http://{address}"),
                None => Ok(()),
            };
            let _ = match started.token_file {
                Some(file) => writeln!(err, "token in {}", file.display()),
                None => Ok(()),
            };
        })
        .map_err(Failure::from)?;
        Ok(ExitCode::SUCCESS)
    }
}
