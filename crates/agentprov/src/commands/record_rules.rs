//! Rules that judge a recording, and what may be done about it.

use crate::failure::Failure;
use agentprov_capture::Gate;
use agentprov_ingest::{Judge, MakeJudge, RecordRequest};
use agentprov_model::{EventTime, ResponseKind, RuleMode};
use agentprov_policy::respond::{Adapter, Export, Kill, ProcPipes, Quarantine, Responder, Retry, Webhook};
use agentprov_policy::{Denied, RuleGate, RuleJudge, RuleSet};
use agentprov_store::Store;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Name of the built-in rules on the command line.
const DEFAULT: &str = "default";

#[derive(Args, Debug)]
#[command(next_help_heading = "Rules")]
pub(crate) struct Rules {
    /// Judge what happens with the rules of this file, or with the built-in ones: default
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    #[command(flatten)]
    acting: Acting,
}

/// Whether rules act, and with what. Only rules that were named act.
#[derive(Args, Clone, Debug)]
pub(crate) struct Acting {
    /// Whether rules only record, or also act
    #[arg(long, value_enum, default_value_t = Mode::Detect, requires = "rules")]
    mode: Mode,
    /// Where rules with the response 'notify' send notices, http://host:port/path
    #[arg(long, value_name = "URL", requires = "rules")]
    webhook: Option<String>,
    /// File with the key that signs notices
    #[arg(long, value_name = "FILE", requires = "webhook")]
    webhook_key: Option<PathBuf>,
}

/// How a recording is judged.
pub(crate) struct Judging {
    /// Makes the judge, in the process that records.
    pub(crate) make: Box<MakeJudge<'static>>,
    /// Asked before connections, where rules act.
    pub(crate) gate: Option<Arc<dyn Gate>>,
}

/// Whether rules act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Record what rules say, do nothing
    Detect,
    /// Carry out what rules ask for
    Enforce,
}

impl From<Mode> for RuleMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Detect => Self::Detect,
            Mode::Enforce => Self::Enforce,
        }
    }
}

/// Reads the rules of a file, or the built-in ones.
pub(crate) fn load(path: Option<&Path>) -> Result<RuleSet, Failure> {
    let path = path.filter(|path| *path != Path::new(DEFAULT));
    agentprov_policy::load(path).map_err(|error| {
        let failure = Failure::new(error.to_string());
        match path {
            Some(path) => failure.hint(format!("check them with: agentprov policy lint {}", path.display())),
            None => failure,
        }
    })
}

impl Rules {
    /// Makes the judge where rules were named. Mistakes are found here, before the command starts.
    pub(crate) fn judge(&self, store: &Store, request: &RecordRequest) -> Result<Option<Judging>, Failure> {
        let Some(path) = &self.rules else { return Ok(None) };
        let rules = Arc::new(load(Some(path))?);
        let mode = self.acting.mode();
        let means = self.acting.means(store, request.attempt_id.as_str())?;
        let run = request.run.to_string();
        let denied = Denied::default();
        let gate: Option<Arc<dyn Gate>> = match mode {
            RuleMode::Detect => None,
            RuleMode::Enforce => {
                let gate = RuleGate::new(&rules, denied.clone()).map_err(|error| Failure::new(error.to_string()))?;
                Some(Arc::new(gate))
            }
        };
        let make = move || {
            let judge = RuleJudge::new(Arc::clone(&rules), mode).with_pipes(Box::new(ProcPipes)).in_run(&run);
            let judge = judge.with_denied(denied.clone());
            let judge = match mode {
                RuleMode::Detect => judge,
                RuleMode::Enforce => judge.with_responder(means.start()?),
            };
            Ok(Box::new(judge) as Box<dyn Judge>)
        };
        Ok(Some(Judging { make: Box::new(make), gate }))
    }
}

impl Acting {
    /// Only as a default: nothing acts.
    pub(crate) const fn detect() -> Self {
        Self { mode: Mode::Detect, webhook: None, webhook_key: None }
    }

    pub(crate) fn mode(&self) -> RuleMode {
        self.mode.into()
    }

    /// With what responses are carried out; what they leave behind lies in a folder of that name.
    pub(crate) fn means(&self, store: &Store, name: &str) -> Result<Means, Failure> {
        let folder = store.dir().join("responses").join(name);
        let webhook = self.webhook(&folder)?;
        Ok(Means { folder, webhook })
    }

    fn webhook(&self, folder: &Path) -> Result<Option<Webhook>, Failure> {
        let Some(url) = &self.webhook else { return Ok(None) };
        let Some(path) = &self.webhook_key else {
            return Err(Failure::usage("--webhook needs --webhook-key, the file with the key that signs notices"));
        };
        let key =
            std::fs::read(path).map_err(|error| Failure::new(format!("--webhook-key {}: {error}", path.display())))?;
        let key = key.trim_ascii().to_vec();
        if key.is_empty() {
            return Err(Failure::usage(format!("--webhook-key {} is empty", path.display())));
        }
        let webhook = Webhook::new(url, key, Retry::default(), folder.join("dead-letters"));
        webhook.map(Some).map_err(|error| Failure::usage(error.to_string()))
    }
}

/// With what responses are carried out.
#[derive(Clone)]
pub(crate) struct Means {
    folder: PathBuf,
    webhook: Option<Webhook>,
}

impl Means {
    /// Starts the thread that carries them out.
    pub(crate) fn start(&self) -> std::io::Result<Responder> {
        let export = Export { folder: self.folder.join("exports") };
        let mut adapters: Vec<(ResponseKind, Box<dyn Adapter>)> = vec![
            (ResponseKind::Kill, Box::new(Kill::default())),
            (ResponseKind::Quarantine, Box::new(Quarantine::default())),
            (ResponseKind::Export, Box::new(export)),
        ];
        if let Some(webhook) = self.webhook.clone() {
            adapters.push((ResponseKind::Notify, Box::new(webhook)));
        }
        Responder::start(adapters, now)
    }
}

fn now() -> EventTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    EventTime::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
