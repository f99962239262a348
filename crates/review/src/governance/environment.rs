//! Settings from `PROVENANCE_*` variables.

use crate::finding::Severity;
use crate::governance::policy::Policy;
use std::collections::BTreeMap;

/// What a variable is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Setting {
    /// It changes what a review decides.
    Policy,
    /// It is for detectors, the server, sinks or clients.
    Elsewhere,
    /// The same, and its value must not be shown.
    Secret,
}

/// Every variable that is known, without the prefix `PROVENANCE_`.
pub const KNOWN_SETTINGS: &[(&str, Setting)] = &[
    ("AGENT_PUBLIC_KEYS", Setting::Elsewhere),
    ("ANALYTICS_DEFAULT_METRIC", Setting::Elsewhere),
    ("ANALYTICS_DEFAULT_WINDOW", Setting::Elsewhere),
    ("API_TOKEN", Setting::Secret),
    ("API_V1_PREFIX", Setting::Elsewhere),
    ("BIGQUERY_DATASET", Setting::Elsewhere),
    ("BLOCK_ON_UNKNOWN", Setting::Policy),
    ("CLICKHOUSE_DATABASE", Setting::Elsewhere),
    ("CLICKHOUSE_PASSWORD", Setting::Secret),
    ("CLICKHOUSE_URL", Setting::Elsewhere),
    ("CLICKHOUSE_USER", Setting::Elsewhere),
    ("DASHBOARD_API", Setting::Elsewhere),
    ("DASHBOARD_EVENTS", Setting::Elsewhere),
    ("DECISION_KEY_ID", Setting::Elsewhere),
    ("DECISION_SIGNING_KEY", Setting::Secret),
    ("DECISION_VERIFY_KEY", Setting::Elsewhere),
    ("DEFAULT_POLICY_VERSION", Setting::Policy),
    ("DETECTOR_MODULE_PATHS", Setting::Elsewhere),
    ("GITHUB_AGENT_LABEL_PREFIX", Setting::Elsewhere),
    ("GITHUB_AGENT_MAP", Setting::Elsewhere),
    ("GITHUB_APP_ID", Setting::Elsewhere),
    ("GITHUB_APP_PRIVATE_KEY", Setting::Secret),
    ("GITHUB_BASE_URL", Setting::Elsewhere),
    ("GITHUB_CACHE_TTL_SECONDS", Setting::Elsewhere),
    ("GITHUB_REVIEWER_TEAM_MAP", Setting::Elsewhere),
    ("GITHUB_TEAM_REVIEW_BUDGETS", Setting::Elsewhere),
    ("GITHUB_TOKEN", Setting::Secret),
    ("GITHUB_WEBHOOK_SECRET", Setting::Secret),
    ("OTEL_ENABLED", Setting::Elsewhere),
    ("OTEL_ENDPOINT", Setting::Elsewhere),
    ("OTEL_EXPORTER", Setting::Elsewhere),
    ("OTEL_OTLP_ENDPOINT", Setting::Elsewhere),
    ("OTEL_PROMETHEUS_PORT", Setting::Elsewhere),
    ("POLICY_BLOCK_THRESHOLDS", Setting::Policy),
    ("POLICY_WARN_THRESHOLDS", Setting::Policy),
    ("PROMETHEUS_PORT", Setting::Elsewhere),
    ("PROVENANCE_BLOCK_ON_UNKNOWN", Setting::Policy),
    ("PROVENANCE_MARKERS", Setting::Elsewhere),
    ("REDIS_PASSWORD", Setting::Secret),
    ("REDIS_URL", Setting::Secret),
    ("RISK_HIGH_SEVERITY_THRESHOLD", Setting::Policy),
    ("RISK_WEIGHTS", Setting::Elsewhere),
    ("SEMGREP_CONFIG_PATH", Setting::Elsewhere),
    ("SEMGREP_RULES_PATH", Setting::Elsewhere),
    ("SERVICE_BASE_URL", Setting::Elsewhere),
    ("SERVICE_HOST", Setting::Elsewhere),
    ("SERVICE_PORT", Setting::Elsewhere),
    ("SNOWFLAKE_ACCOUNT", Setting::Elsewhere),
    ("TEAM_REVIEW_BUDGETS", Setting::Elsewhere),
    ("TIMESERIES_BACKEND", Setting::Elsewhere),
    ("TIMESERIES_BATCH_SIZE", Setting::Elsewhere),
    ("TIMESERIES_CREDENTIALS_PATH", Setting::Elsewhere),
    ("TIMESERIES_DATABASE", Setting::Elsewhere),
    ("TIMESERIES_DATASET", Setting::Elsewhere),
    ("TIMESERIES_PASSWORD", Setting::Secret),
    ("TIMESERIES_PATH", Setting::Elsewhere),
    ("TIMESERIES_PROJECT", Setting::Elsewhere),
    ("TIMESERIES_ROLE", Setting::Elsewhere),
    ("TIMESERIES_TABLE", Setting::Elsewhere),
    ("TIMESERIES_USER", Setting::Elsewhere),
    ("TIMESERIES_WAREHOUSE", Setting::Elsewhere),
    ("TRACE", Setting::Elsewhere),
    ("WEBHOOK_KEY", Setting::Secret),
    ("WEBHOOK_URL", Setting::Elsewhere),
    ("WRITE_RESPONSE_PATH", Setting::Elsewhere),
];

/// A variable whose value is not understood.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{name}: {what}")]
pub struct SettingError {
    /// The variable.
    pub name: String,
    /// What is wrong with its value.
    pub what: &'static str,
}

impl Policy {
    /// Takes the settings that variables make; names are compared without regard to case. Gives the names that begin with
    /// `PROVENANCE_` and are not known.
    ///
    /// # Errors
    /// The first value that is not understood.
    pub fn apply_environment(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Vec<String>, SettingError> {
        let mut unknown = Vec::new();
        for (name, value) in variables {
            let upper = name.to_ascii_uppercase();
            let Some(short) = upper.strip_prefix("PROVENANCE_") else { continue };
            if !KNOWN_SETTINGS.iter().any(|(known, _)| *known == short) {
                unknown.push(name);
                continue;
            }
            // What a deployment leaves empty is not set.
            if value.trim().is_empty() {
                continue;
            }
            self.apply(short, value.trim()).map_err(|what| SettingError { name, what })?;
        }
        Ok(unknown)
    }

    fn apply(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        match name {
            "DEFAULT_POLICY_VERSION" => value.clone_into(&mut self.label),
            "PROVENANCE_BLOCK_ON_UNKNOWN" | "BLOCK_ON_UNKNOWN" => self.block_on_unknown(boolean(value)?),
            "RISK_HIGH_SEVERITY_THRESHOLD" => {
                let count = value.parse().map_err(|_| "it has to be a count")?;
                self.severity.entry(Severity::High).or_default().warn = Some(count);
            }
            "POLICY_WARN_THRESHOLDS" => {
                for (category, count) in thresholds(value)? {
                    self.category.entry(category).or_default().warn = Some(count);
                }
            }
            "POLICY_BLOCK_THRESHOLDS" => {
                for (category, count) in thresholds(value)? {
                    self.category.entry(category).or_default().block = Some(count);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn boolean(value: &str) -> Result<bool, &'static str> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" | "t" | "y" => Ok(true),
        "false" | "0" | "no" | "off" | "f" | "n" => Ok(false),
        _ => Err("it has to be true or false"),
    }
}

/// A JSON object, or `name=count` with commas.
fn thresholds(value: &str) -> Result<BTreeMap<String, u64>, &'static str> {
    const FORM: &str = "it has to be a JSON object of counts by category";
    if value.starts_with('{') {
        return serde_json::from_str(value).map_err(|_| FORM);
    }
    let pair = |part: &str| {
        let (name, count) = part.split_once('=')?;
        Some((name.trim().to_owned(), count.trim().parse().ok()?))
    };
    value.split(',').map(|part| pair(part).ok_or(FORM)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::governance::Limits;

    fn policy(variables: &[(&str, &str)]) -> Result<(Policy, Vec<String>), SettingError> {
        let mut policy = Policy::default();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let unknown = policy.apply_environment(variables)?;
        Ok((policy, unknown))
    }

    #[test]
    fn variables_of_the_service_set_the_same_things() {
        let (policy, unknown) = policy(&[
            ("PROVENANCE_PROVENANCE_BLOCK_ON_UNKNOWN", "True"),
            ("provenance_risk_high_severity_threshold", "3"),
            ("PROVENANCE_POLICY_BLOCK_THRESHOLDS", r#"{"sqli": 1}"#),
            ("PROVENANCE_POLICY_WARN_THRESHOLDS", "sqli=0, code_execution=2"),
            ("PROVENANCE_GITHUB_TOKEN", "x"),
            ("PROVENANCE_BLOCK_ON_UNKNOWN", ""),
            ("PROVENANCE_BLOK", "1"),
            ("PATH", "/bin"),
        ])
        .unwrap();
        assert_eq!(policy.unknown_lines.block, Some(1));
        assert_eq!(policy.severity[&Severity::High].warn, Some(3));
        assert_eq!(policy.category["sqli"], Limits { warn: Some(0), block: Some(1) });
        assert_eq!(policy.category["code_execution"], Limits { warn: Some(2), block: None });
        assert_eq!(unknown, ["PROVENANCE_BLOK"]);
    }

    #[test]
    fn a_value_that_is_not_understood_is_an_error() {
        for (name, value) in
            [("BLOCK_ON_UNKNOWN", "maybe"), ("RISK_HIGH_SEVERITY_THRESHOLD", "-1"), ("POLICY_WARN_THRESHOLDS", "[1]")]
        {
            let name = format!("PROVENANCE_{name}");
            assert_eq!(policy(&[(&name, value)]).unwrap_err().name, name);
        }
    }
}
