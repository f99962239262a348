//! One analysis: from the posted change to the signed decision. Nothing here knows of HTTP.

pub mod attribution;
pub mod decide;
pub mod of_git;
pub mod recompute;
pub mod report;
pub mod sarif;
pub mod tally;

use crate::error::ServerError;
use crate::github::GitHub;
use crate::settings::Settings;
use agentprov_log::{SignerKey, VerifierKey};
use agentprov_model::EventTime;
use agentprov_review::detect::{Builtin, Registry, RulePack};
use agentprov_review::governance::Waivers;
use agentprov_store::Store;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// What analyses changes.
#[derive(Debug)]
pub struct Analyst {
    /// The engines.
    pub registry: Registry,
    /// What decides, and the keys of agents.
    pub settings: Settings,
    /// Sign decisions, the store's key first.
    pub signers: Vec<SignerKey>,
    /// How the program was called.
    pub argv: Vec<String>,
    /// What people decided on findings.
    pub waiver_file: PathBuf,
    /// Asks GitHub, where the settings say so.
    pub github: GitHub,
}

impl Analyst {
    /// With the built-in engine and those that the settings name.
    ///
    /// # Errors
    /// [`ServerError::Rules`], or [`ServerError::Setting`] for an engine that is not there.
    pub fn new(settings: Settings, store: &Store, argv: Vec<String>) -> Result<Self, ServerError> {
        let pack = RulePack::default_rules().map_err(|error| ServerError::Rules(error.to_string()))?;
        let mut registry = Registry::default();
        // One thread each: several analyses run at once, and whoever asks meanwhile needs a processor too.
        registry.register(Box::new(Builtin::new(pack, NonZeroUsize::MIN)));
        crate::settings::engines::engines(&settings)?.into_iter().for_each(|engine| registry.register(engine));
        let signers = [store.signer()?].into_iter().chain(settings.decision_key.clone()).collect();
        let waiver_file = store.dir().join(Waivers::LOCAL_FILE);
        Ok(Self { registry, settings, signers, argv, waiver_file, github: GitHub::default() })
    }

    /// What people decided on findings and holds at a time.
    ///
    /// # Errors
    /// [`ServerError::File`]: a decision that is not understood must not be passed over.
    pub fn waivers(&self, at: EventTime) -> Result<Waivers, ServerError> {
        let waivers = Waivers::read(&self.waiver_file);
        let refuse =
            |error: std::io::Error| ServerError::File { path: self.waiver_file.clone(), why: error.to_string() };
        Ok(Waivers::active_at(waivers.map_err(refuse)?, at))
    }

    /// The keys that decisions are signed with.
    pub fn verifiers(&self) -> Vec<VerifierKey> {
        self.signers.iter().map(SignerKey::verifier).collect()
    }
}
