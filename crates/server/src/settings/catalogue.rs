//! Every setting of the existing service, and what becomes of it here.

/// What becomes of a setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    /// It means what it means there.
    Honoured,
    /// It changes nothing here, for this reason.
    Without(&'static str),
}

use Use::{Honoured, Without};

const NO_REDIS: Use = Without("the queue and the results are in the store of the data dir; there is no Redis to reach");
const NO_APP: Use = Without("GitHub is asked with PROVENANCE_GITHUB_TOKEN, not as an app");
const NO_SNOWFLAKE: Use = Without("nothing is sent to BigQuery or Snowflake; events go to a file or to ClickHouse");
const NO_TELEMETRY: Use = Without("no metrics are pushed anywhere");
const OF_DASHBOARD: Use = Without("it is for the dashboard, which is a client of this service");
const UNDEFINED: Use = Without("the existing service names it and does nothing with it");

/// All, without the prefix, by name.
pub const CATALOGUE: &[(&str, Use)] = &[
    ("AGENT_PUBLIC_KEYS", Honoured),
    ("ANALYTICS_DEFAULT_METRIC", Honoured),
    ("ANALYTICS_DEFAULT_WINDOW", Honoured),
    ("API_TOKEN", Honoured),
    ("API_V1_PREFIX", Honoured),
    ("BIGQUERY_DATASET", NO_SNOWFLAKE),
    ("BLOCK_ON_UNKNOWN", Honoured),
    ("CLICKHOUSE_DATABASE", Honoured),
    ("CLICKHOUSE_PASSWORD", Honoured),
    ("CLICKHOUSE_URL", Honoured),
    ("CLICKHOUSE_USER", Honoured),
    ("DASHBOARD_API", OF_DASHBOARD),
    ("DASHBOARD_EVENTS", OF_DASHBOARD),
    ("DECISION_KEY_ID", Honoured),
    ("DECISION_SIGNING_KEY", Honoured),
    ("DECISION_VERIFY_KEY", Without("this service verifies nothing; name the key to `verify --statement --trust`")),
    ("DEFAULT_POLICY_VERSION", Honoured),
    ("DETECTOR_MODULE_PATHS", Honoured),
    ("GITHUB_AGENT_LABEL_PREFIX", Honoured),
    ("GITHUB_AGENT_MAP", Honoured),
    ("GITHUB_APP_ID", NO_APP),
    ("GITHUB_APP_PRIVATE_KEY", NO_APP),
    ("GITHUB_BASE_URL", Honoured),
    ("GITHUB_CACHE_TTL_SECONDS", Honoured),
    ("GITHUB_REVIEWER_TEAM_MAP", Honoured),
    ("GITHUB_TEAM_REVIEW_BUDGETS", Honoured),
    ("GITHUB_TOKEN", Honoured),
    ("GITHUB_WEBHOOK_SECRET", Without("no webhooks are taken; post the pull request again to have it looked at anew")),
    ("OTEL_ENABLED", NO_TELEMETRY),
    ("OTEL_ENDPOINT", NO_TELEMETRY),
    ("OTEL_EXPORTER", NO_TELEMETRY),
    ("OTEL_OTLP_ENDPOINT", NO_TELEMETRY),
    ("OTEL_PROMETHEUS_PORT", NO_TELEMETRY),
    ("POLICY_BLOCK_THRESHOLDS", Honoured),
    ("POLICY_WARN_THRESHOLDS", Honoured),
    ("PROMETHEUS_PORT", NO_TELEMETRY),
    ("PROVENANCE_BLOCK_ON_UNKNOWN", Honoured),
    ("PROVENANCE_MARKERS", UNDEFINED),
    ("REDIS_PASSWORD", NO_REDIS),
    ("REDIS_URL", NO_REDIS),
    ("RISK_HIGH_SEVERITY_THRESHOLD", Honoured),
    ("RISK_WEIGHTS", UNDEFINED),
    ("SEMGREP_CONFIG_PATH", Honoured),
    ("SEMGREP_RULES_PATH", Honoured),
    ("SERVICE_BASE_URL", Honoured),
    ("SERVICE_HOST", Honoured),
    ("SERVICE_PORT", Honoured),
    ("SNOWFLAKE_ACCOUNT", NO_SNOWFLAKE),
    ("TEAM_REVIEW_BUDGETS", Honoured),
    ("TIMESERIES_BACKEND", Honoured),
    ("TIMESERIES_BATCH_SIZE", Honoured),
    ("TIMESERIES_CREDENTIALS_PATH", NO_SNOWFLAKE),
    ("TIMESERIES_DATABASE", NO_SNOWFLAKE),
    ("TIMESERIES_DATASET", NO_SNOWFLAKE),
    ("TIMESERIES_PASSWORD", NO_SNOWFLAKE),
    ("TIMESERIES_PATH", Honoured),
    ("TIMESERIES_PROJECT", NO_SNOWFLAKE),
    ("TIMESERIES_ROLE", NO_SNOWFLAKE),
    ("TIMESERIES_TABLE", Honoured),
    ("TIMESERIES_USER", NO_SNOWFLAKE),
    ("TIMESERIES_WAREHOUSE", NO_SNOWFLAKE),
    ("TRACE", UNDEFINED),
    ("WEBHOOK_KEY", Honoured),
    ("WEBHOOK_URL", Honoured),
    ("WRITE_RESPONSE_PATH", Without("it is for the script that posts; `review --json` writes what it found")),
];

/// What becomes of a setting; none where nobody knows the name.
pub fn use_of(name: &str) -> Option<Use> {
    CATALOGUE.iter().find(|(known, _)| *known == name).map(|(_, use_of)| *use_of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use agentprov_review::governance::KNOWN_SETTINGS;

    #[test]
    fn every_known_setting_is_here_once() {
        let known: Vec<&str> = KNOWN_SETTINGS.iter().map(|(name, _)| *name).collect();
        let here: Vec<&str> = CATALOGUE.iter().map(|(name, _)| *name).collect();
        assert_eq!(here, known);
    }
}
