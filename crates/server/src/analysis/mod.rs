//! One analysis: from the posted change to the signed decision. Nothing here knows of HTTP.

pub mod attribution;
pub mod decide;
pub mod recompute;
pub mod report;
pub mod sarif;
pub mod tally;

use crate::error::ServerError;
use crate::settings::Settings;
use agentprov_log::{SignerKey, VerifierKey};
use agentprov_review::detect::{Builtin, Registry, RulePack};
use std::num::NonZeroUsize;

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
}

impl Analyst {
    /// With the built-in engine and those that the settings name.
    ///
    /// # Errors
    /// [`ServerError::Rules`], or [`ServerError::Setting`] for an engine that is not there.
    pub fn new(settings: Settings, store_key: SignerKey, argv: Vec<String>) -> Result<Self, ServerError> {
        let pack = RulePack::default_rules().map_err(|error| ServerError::Rules(error.to_string()))?;
        let mut registry = Registry::default();
        // One thread each: several analyses run at once, and whoever asks meanwhile needs a processor too.
        registry.register(Box::new(Builtin::new(pack, NonZeroUsize::MIN)));
        crate::settings::engines::engines(&settings)?.into_iter().for_each(|engine| registry.register(engine));
        let signers = [store_key].into_iter().chain(settings.decision_key.clone()).collect();
        Ok(Self { registry, settings, signers, argv })
    }

    /// The keys that decisions are signed with.
    pub fn verifiers(&self) -> Vec<VerifierKey> {
        self.signers.iter().map(SignerKey::verifier).collect()
    }
}
