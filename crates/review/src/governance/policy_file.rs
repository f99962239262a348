//! `.agentprov-review.yaml`: the policy of a repository.

use crate::detect::DetectorSetting;
use crate::detect::builtin::yaml;
use crate::finding::Severity;
use crate::governance::outcome::Outcome;
use crate::governance::policy::{Limits, Policy};
use agentprov_log::VerifierKey;
use agentprov_model::Basis;
use serde_json::Value;

/// A policy that can't be read. It is never read in part.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct PolicyFileError(String);

impl Policy {
    /// Name of the policy in a repository.
    pub const FILE: &'static str = ".agentprov-review.yaml";
    /// Name of the waivers in a repository.
    pub const WAIVER_FILE: &'static str = ".agentprov-waivers.jsonl";

    /// Takes the settings that a file makes.
    ///
    /// # Errors
    /// The first setting that is not understood.
    pub fn apply_file(&mut self, text: &str) -> Result<(), PolicyFileError> {
        let document = yaml::parse(text).map_err(PolicyFileError)?;
        let Value::Object(entries) = document else { return Err(wrong("the file", "has to be a mapping")) };
        for (key, value) in &entries {
            match key.as_str() {
                "label" => self.label = text_of(key, value)?.to_owned(),
                "block_on_unknown" => self.block_on_unknown(bool_of(key, value)?),
                "minimum_basis" => self.minimum_basis = basis(key, value)?,
                "severity" => {
                    for (name, limits) in map_of(key, value)? {
                        let severity = Severity::ALL.into_iter().find(|severity| severity.as_str() == name);
                        let severity = severity.ok_or_else(|| wrong(name, "is no severity"))?;
                        self.severity.insert(severity, limits_of(name, limits)?);
                    }
                }
                "category" => {
                    for (name, limits) in map_of(key, value)? {
                        self.category.insert(name.clone(), limits_of(name, limits)?);
                    }
                }
                "unknown_lines" => self.unknown_lines = limits_of(key, value)?,
                "contradictions" => self.contradictions = limits_of(key, value)?,
                "coverage_gaps" => self.coverage_gaps = limits_of(key, value)?,
                "policy_changes" => self.policy_changes = limits_of(key, value)?,
                "bot_block_overrides" => self.bot_block_overrides = limits_of(key, value)?,
                "force_push_after_approval" => self.force_push_after_approval = limits_of(key, value)?,
                "waiver_keys" => {
                    let keys = list_of(key, value)?.iter().map(waiver_key);
                    self.waiver_keys = keys.collect::<Result<_, _>>()?;
                }
                "detectors" => self.detectors = list_of(key, value)?.iter().map(detector).collect::<Result<_, _>>()?,
                _ => return Err(wrong(key, "is no setting of a review policy")),
            }
        }
        Ok(())
    }
}

fn wrong(what: &str, why: &str) -> PolicyFileError {
    PolicyFileError(format!("'{what}' {why}"))
}

fn text_of<'v>(key: &str, value: &'v Value) -> Result<&'v str, PolicyFileError> {
    value.as_str().ok_or_else(|| wrong(key, "has to be a single value"))
}

fn map_of<'v>(key: &str, value: &'v Value) -> Result<&'v serde_json::Map<String, Value>, PolicyFileError> {
    value.as_object().ok_or_else(|| wrong(key, "has to be a mapping"))
}

fn list_of<'v>(key: &str, value: &'v Value) -> Result<&'v [Value], PolicyFileError> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| wrong(key, "has to be a list"))
}

/// The text of a public key, such as the one in `store.pub`.
fn waiver_key(value: &Value) -> Result<String, PolicyFileError> {
    let text = text_of("waiver_keys", value)?;
    VerifierKey::parse(text).map_err(|error| wrong(text, &format!("is no public key: {error}")))?;
    Ok(text.to_owned())
}

/// `{name: team, command: [/opt/detect, --fast], timeout_seconds: 30}`; only the command is required.
fn detector(value: &Value) -> Result<DetectorSetting, PolicyFileError> {
    let (mut name, mut command, mut timeout) = (None, Vec::new(), None);
    for (key, value) in map_of("detectors", value)? {
        match key.as_str() {
            "name" => name = Some(text_of(key, value)?.to_owned()),
            "command" => {
                let words = list_of(key, value)?.iter().map(|word| text_of(key, word).map(str::to_owned));
                command = words.collect::<Result<_, _>>()?;
            }
            "timeout_seconds" => {
                timeout = Some(text_of(key, value)?.parse().map_err(|_| wrong(key, "has to be a count"))?);
            }
            _ => return Err(wrong(key, "is no setting of a detector")),
        }
    }
    DetectorSetting::new(name, command, timeout).map_err(PolicyFileError)
}

fn bool_of(key: &str, value: &Value) -> Result<bool, PolicyFileError> {
    match text_of(key, value)? {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(wrong(key, "has to be true or false")),
    }
}

fn basis(key: &str, value: &Value) -> Result<Basis, PolicyFileError> {
    match text_of(key, value)? {
        "asserted" => Ok(Basis::Asserted),
        "derived" => Ok(Basis::Derived),
        "observed" => Ok(Basis::Observed),
        _ => Err(wrong(key, "has to be asserted, derived or observed")),
    }
}

/// `allow`, `warn` or `block` from the first on, or a mapping of counts.
fn limits_of(key: &str, value: &Value) -> Result<Limits, PolicyFileError> {
    if let Some(name) = value.as_str() {
        let outcome =
            Outcome::parse(name).ok_or_else(|| wrong(key, "has to be allow, warn, block or counts of them"))?;
        return Ok(Limits::first(outcome));
    }
    let mut limits = Limits::default();
    for (name, count) in map_of(key, value)? {
        let count = text_of(name, count)?.parse().map_err(|_| wrong(name, "has to be a count"))?;
        match name.as_str() {
            "warn" => limits.warn = Some(count),
            "block" => limits.block = Some(count),
            _ => return Err(wrong(name, "has to be warn or block")),
        }
    }
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_sets_what_it_names_and_nothing_else() {
        let mut policy = Policy::default();
        policy
            .apply_file(
                "label: ours\nminimum_basis: observed\nseverity:\n  high: {warn: 1, block: 3}\ncategory: {sqli: block}\n\
                 coverage_gaps: block\ncontradictions: allow\n",
            )
            .unwrap();
        assert_eq!(policy.severity[&Severity::High], Limits { warn: Some(1), block: Some(3) });
        assert_eq!(policy.severity[&Severity::Critical], Limits::BLOCK);
        assert_eq!(policy.category["sqli"], Limits::BLOCK);
        assert_eq!((policy.coverage_gaps, policy.contradictions), (Limits::BLOCK, Limits::default()));
        assert!(!policy.accepts(Basis::Asserted) && policy.accepts(Basis::Observed));
    }

    #[test]
    fn keys_of_waivers_are_settings_of_the_policy() {
        let mut policy = Policy::default();
        let key = agentprov_log::SignerKey::from_seed("lead", &[7; 32]).unwrap().verifier();
        policy.apply_file(&format!("waiver_keys: ['{key}']\n")).unwrap();
        assert_eq!(policy.waiver_verifiers(), [key]);
        assert!(policy.apply_file("waiver_keys: [lead]\n").is_err());
    }

    #[test]
    fn detectors_are_settings_of_the_policy() {
        let mut policy = Policy::default();
        let before = policy.digest();
        policy.apply_file("detectors:\n  - {name: team, command: [/opt/detect, -x], timeout_seconds: 5}\n").unwrap();
        let [detector] = policy.detectors.as_slice() else { panic!("{:?}", policy.detectors) };
        assert_eq!((detector.name.as_str(), detector.command.len(), detector.timeout_seconds), ("team", 2, 5));
        assert_ne!(policy.digest(), before);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (text, word) in [
            ("blok_on_unknown: true", "blok_on_unknown"),
            ("severity: {severe: 1}", "severe"),
            ("coverage_gaps: maybe", "coverage_gaps"),
            ("category: {sqli: {block: -1}}", "block"),
            ("- a", "the file"),
            ("detectors: {a: b}", "detectors"),
            ("detectors: [{command: [./mine]}]", "absolute"),
            ("detectors: [{command: [x], memory: 1}]", "memory"),
        ] {
            let error = Policy::default().apply_file(text).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
