//! One analysis: from the posted change to the signed decision. Nothing here knows of HTTP.

pub mod attribution;
pub mod decide;
pub mod noted;
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
use agentprov_review::change::RepositoryId;
use agentprov_review::detect::{Builtin, Registry, RulePack};
use agentprov_review::governance::{Waiver, WaiverFile, Waivers, Word};
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
    /// Sign decisions, the store's key first, which signs waivers too.
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
        let waiver_file = store.dir().join(WaiverFile::LOCAL);
        Ok(Self { registry, settings, signers, argv, waiver_file, github: GitHub::default() })
    }

    /// What people decided on findings, each word checked against the keys whose waivers count.
    ///
    /// # Errors
    /// [`ServerError::File`]: a decision that is not understood must not be passed over.
    pub fn words(&self) -> Result<Words, ServerError> {
        let refuse = |why: String| ServerError::File { path: self.waiver_file.clone(), why };
        let mut keys = self.settings.policy.waiver_verifiers();
        keys.extend(self.signers.first().map(SignerKey::verifier));
        let file = WaiverFile::read(&self.waiver_file).map_err(|error| refuse(error.to_string()))?;
        Ok(Words(file.words(&keys).map_err(|error| refuse(error.to_string()))?))
    }

    /// Keeps a decision on a finding, signed with the key of the store.
    ///
    /// # Errors
    /// [`ServerError::System`] when it can't be written.
    pub fn keep(&self, waiver: &Waiver) -> Result<(), ServerError> {
        let action = "keep what was decided on a finding";
        let Some(key) = self.signers.first() else {
            let source = std::io::Error::other("there is no key to sign it with");
            return Err(ServerError::System { action, source });
        };
        waiver.append(&self.waiver_file, key).map_err(|source| ServerError::System { action, source })
    }

    /// The keys that decisions are signed with.
    pub fn verifiers(&self) -> Vec<VerifierKey> {
        self.signers.iter().map(SignerKey::verifier).collect()
    }
}

/// What people decided on findings, of all repositories.
#[derive(Clone, Debug, Default)]
pub struct Words(Vec<Word>);

impl Words {
    /// What holds at a time for changes that are posted under this name.
    pub fn of(&self, repository: &str, at: EventTime) -> Waivers {
        Waivers::active_at(self.0.clone(), Some(&RepositoryId::Posted(repository.to_owned())), at)
    }
}
