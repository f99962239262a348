use super::catalogue::CATALOGUE;
use super::*;
use crate::export::{ClickHouse, Sink, Webhook};
use agentprov_review::Severity;

fn settings(pairs: &[(&str, &str)]) -> Result<Settings, String> {
    let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::from_variables(pairs).map_err(|error| error.to_string())
}

#[test]
fn bad_values_are_told_at_the_start() {
    assert!(settings(&[]).is_ok());
    for (name, value) in [
        ("PROVENANCE_DECISION_SIGNING_KEY", "AAAA"),
        ("PROVENANCE_DECISION_SIGNING_KEY", "not base64"),
        ("PROVENANCE_AGENT_PUBLIC_KEYS", "{\"a\":\"AAAA\"}"),
        ("PROVENANCE_AGENT_PUBLIC_KEYS", "[]"),
        ("provenance_analytics_default_window", "7"),
        ("PROVENANCE_ANALYTICS_DEFAULT_METRIC", "speed"),
        ("PROVENANCE_API_V1_PREFIX", "v1"),
        ("PROVENANCE_DETECTOR_MODULE_PATHS", "[1]"),
        ("PROVENANCE_RISK_HIGH_SEVERITY_THRESHOLD", "many"),
        ("PROVENANCE_POLICY_WARN_THRESHOLDS", "{\"sqli\":-1}"),
        ("PROVENANCE_PROVENANCE_BLOCK_ON_UNKNOWN", "perhaps"),
        ("PROVENANCE_GITHUB_AGENT_MAP", "[]"),
        ("PROVENANCE_GITHUB_BASE_URL", "github.example"),
        ("PROVENANCE_GITHUB_CACHE_TTL_SECONDS", "long"),
        ("PROVENANCE_GITHUB_REVIEWER_TEAM_MAP", "jo"),
        ("PROVENANCE_GITHUB_TEAM_REVIEW_BUDGETS", "{\"core\":-1}"),
        ("PROVENANCE_SERVICE_HOST", "localhost"),
        ("PROVENANCE_TIMESERIES_BACKEND", "bigquery"),
        ("PROVENANCE_TIMESERIES_BACKEND", "tape"),
        ("PROVENANCE_TIMESERIES_BATCH_SIZE", "many"),
        ("PROVENANCE_SERVICE_PORT", "80000"),
    ] {
        let message = settings(&[(name, value)]).unwrap_err();
        assert!(message.contains(&name.to_ascii_uppercase()), "{message}");
    }
}

#[test]
fn secrets_are_not_printed() {
    let key = BASE64.encode(&[7; 32]);
    let set = settings(&[("PROVENANCE_DECISION_SIGNING_KEY", &key), ("PROVENANCE_API_TOKEN", "hidden")]).unwrap();
    assert!(!format!("{set:?}").contains("hidden"));
    assert!(set.decision_key.is_some());
}

#[test]
fn programs_that_are_not_there_end_the_start() {
    for value in ["my_detectors.sql", "/nonexistent/detector", "[\"/etc/passwd\"]"] {
        let set = settings(&[("PROVENANCE_DETECTOR_MODULE_PATHS", value)]).unwrap();
        let message = engines::engines(&set).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains("PROVENANCE_DETECTOR_MODULE_PATHS"), "{value}: {message}");
    }
    let set = settings(&[("PROVENANCE_DETECTOR_MODULE_PATHS", "/bin/cat, /bin/sh")]).unwrap();
    assert_eq!(engines::engines(&set).unwrap().len(), 2);
}

#[test]
fn a_token_is_not_sent_in_plain_text() {
    let token = ("PROVENANCE_GITHUB_TOKEN", "t");
    for (url, fine) in [("http://127.0.0.1:1", true), ("https://a.example", true), ("http://a.example", false)] {
        assert_eq!(settings(&[token, ("PROVENANCE_GITHUB_BASE_URL", url)]).is_ok(), fine, "{url}");
    }
}

#[test]
fn a_database_needs_its_address() {
    let backend = ("PROVENANCE_TIMESERIES_BACKEND", "clickhouse");
    for url in [None, Some("a.example")] {
        let pairs: Vec<_> = [backend].into_iter().chain(url.map(|url| ("PROVENANCE_CLICKHOUSE_URL", url))).collect();
        assert!(settings(&pairs).unwrap_err().contains("PROVENANCE_CLICKHOUSE_URL"), "{url:?}");
    }
}

/// What else has to be set for a setting to have something to change.
fn beside(name: &str) -> &'static [(&'static str, &'static str)] {
    match name {
        "CLICKHOUSE_URL" => &[("PROVENANCE_TIMESERIES_BACKEND", "clickhouse")],
        "CLICKHOUSE_USER" => &[
            ("PROVENANCE_TIMESERIES_BACKEND", "clickhouse"),
            ("PROVENANCE_CLICKHOUSE_URL", "http://localhost:8123"),
            ("PROVENANCE_CLICKHOUSE_PASSWORD", "secret"),
        ],
        "CLICKHOUSE_PASSWORD" => &[
            ("PROVENANCE_TIMESERIES_BACKEND", "clickhouse"),
            ("PROVENANCE_CLICKHOUSE_URL", "http://localhost:8123"),
            ("PROVENANCE_CLICKHOUSE_USER", "me"),
        ],
        "CLICKHOUSE_DATABASE" | "TIMESERIES_TABLE" => {
            &[("PROVENANCE_TIMESERIES_BACKEND", "clickhouse"), ("PROVENANCE_CLICKHOUSE_URL", "http://localhost:8123")]
        }
        "TIMESERIES_BATCH_SIZE" => &[("PROVENANCE_TIMESERIES_BACKEND", "file")],
        "GITHUB_AGENT_LABEL_PREFIX" | "GITHUB_AGENT_MAP" | "GITHUB_BASE_URL" | "GITHUB_CACHE_TTL_SECONDS" => {
            &[("PROVENANCE_GITHUB_TOKEN", "t")]
        }
        "WEBHOOK_URL" => &[("PROVENANCE_WEBHOOK_KEY", "0123456789abcdef")],
        "WEBHOOK_KEY" => &[("PROVENANCE_WEBHOOK_URL", "http://localhost:1/told")],
        "DECISION_KEY_ID" => &[("PROVENANCE_DECISION_SIGNING_KEY", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=")],
        _ => &[],
    }
}

fn database(set: &Settings) -> &ClickHouse {
    match set.export.as_ref().map(|export| &export.sink) {
        Some(Sink::ClickHouse(database)) => database,
        _ => panic!("no database"),
    }
}

fn hub(set: &Settings) -> &crate::github::Settings {
    set.github.as_ref().unwrap()
}

fn webhook(set: &Settings) -> &Webhook {
    match set.webhook.as_ref().map(|export| &export.sink) {
        Some(Sink::Webhook(webhook)) => webhook,
        _ => panic!("no webhook"),
    }
}

fn file(set: &Settings) -> &str {
    match set.export.as_ref().map(|export| &export.sink) {
        Some(Sink::File(path)) => path.to_str().unwrap(),
        _ => panic!("no file"),
    }
}

/// A value, and whether settings with it are what it says. A name that is not here has no test.
fn honoured(name: &str) -> (&'static str, fn(&Settings) -> bool) {
    match name {
        "AGENT_PUBLIC_KEYS" => {
            (r#"{"A":"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}"#, |set| set.agent_keys.contains_key("a"))
        }
        "ANALYTICS_DEFAULT_METRIC" => ("code_volume", |set| set.default_metric == "code_volume"),
        "ANALYTICS_DEFAULT_WINDOW" => ("2d", |set| set.default_window == Span::parse("2d").unwrap()),
        "API_TOKEN" => ("secret", |set| set.api_token.as_deref() == Some("secret")),
        "API_V1_PREFIX" => ("/api", |set| set.prefix.path("/v1/keys") == "/api/keys"),
        "BLOCK_ON_UNKNOWN" | "PROVENANCE_BLOCK_ON_UNKNOWN" => {
            ("true", |set| set.policy.unknown_lines.block == Some(1) && set.policy.bot_block_overrides.block == Some(1))
        }
        "CLICKHOUSE_DATABASE" => ("db", |set| database(set).database == "db"),
        "CLICKHOUSE_PASSWORD" => ("p", |set| database(set).login == Some(("me".into(), "p".into()))),
        "CLICKHOUSE_URL" => ("http://h:1", |set| database(set).endpoint.to_string() == "http://h:1"),
        "CLICKHOUSE_USER" => ("u", |set| database(set).login == Some(("u".into(), "secret".into()))),
        "DECISION_KEY_ID" => ("me", |set| set.decision_key.as_ref().is_some_and(|key| key.verifier().name() == "me")),
        "DECISION_SIGNING_KEY" => ("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=", |set| {
            set.decision_key.as_ref().is_some_and(|key| key.verifier().name() == "decision-key")
        }),
        "DEFAULT_POLICY_VERSION" => ("house-3", |set| set.policy.version().starts_with("house-3+")),
        "DETECTOR_MODULE_PATHS" => ("/a,/b", |set| set.detectors.len() == 2),
        "GITHUB_AGENT_LABEL_PREFIX" => ("by:", |set| hub(set).label_prefix == "by:"),
        "GITHUB_AGENT_MAP" => (r#"{"Jo":"codex"}"#, |set| hub(set).agents["jo"] == "codex"),
        "GITHUB_BASE_URL" => {
            ("https://ghe.example/api/v3", |set| hub(set).endpoint.to_string() == "https://ghe.example/api/v3")
        }
        "GITHUB_CACHE_TTL_SECONDS" => ("5", |set| hub(set).ttl.as_secs() == 30),
        "GITHUB_REVIEWER_TEAM_MAP" => (r#"{"Jo":"core"}"#, |set| set.teams.of_login["jo"] == "core"),
        "GITHUB_TEAM_REVIEW_BUDGETS" | "TEAM_REVIEW_BUDGETS" => (r#"{"core":2}"#, |set| set.teams.budgets["core"] == 2),
        "GITHUB_TOKEN" => {
            ("t", |set| hub(set).endpoint.to_string() == "https://api.github.com" && hub(set).token == "t")
        }
        "POLICY_BLOCK_THRESHOLDS" => (r#"{"sqli":2}"#, |set| set.policy.category["sqli"].block == Some(2)),
        "POLICY_WARN_THRESHOLDS" => (r#"{"sqli":2}"#, |set| set.policy.category["sqli"].warn == Some(2)),
        "RISK_HIGH_SEVERITY_THRESHOLD" => ("5", |set| set.policy.severity[&Severity::High].warn == Some(5)),
        "SEMGREP_CONFIG_PATH" | "SEMGREP_RULES_PATH" => {
            ("/rules", |set| set.semgrep_config.as_deref() == Some("/rules"))
        }
        "SERVICE_BASE_URL" => {
            ("https://review.example/", |set| set.base_url.as_deref() == Some("https://review.example"))
        }
        "SERVICE_HOST" => ("0.0.0.0", |set| set.listen.host == Some([0, 0, 0, 0].into())),
        "SERVICE_PORT" => ("8000", |set| set.listen.over(([127, 0, 0, 1], 1).into()) == ([127, 0, 0, 1], 8000).into()),
        "TIMESERIES_BACKEND" => ("file", |set| file(set) == "data/timeseries_events.jsonl"),
        "TIMESERIES_BATCH_SIZE" => ("7", |set| set.export.as_ref().is_some_and(|export| export.batch == 7)),
        "TIMESERIES_PATH" => ("/tmp/e.jsonl", |set| file(set) == "/tmp/e.jsonl"),
        "TIMESERIES_TABLE" => ("t", |set| database(set).table == "t"),
        "WEBHOOK_KEY" => ("0123456789abcdef", |set| webhook(set).key == b"0123456789abcdef"),
        "WEBHOOK_URL" => ("https://h/told", |set| webhook(set).endpoint.to_string() == "https://h/told"),
        _ => panic!("no test says what {name} does"),
    }
}

#[test]
fn every_setting_of_the_existing_service_is_honoured_or_says_why_not() {
    for (name, use_of) in CATALOGUE {
        let variable = format!("{PREFIX}{name}");
        match use_of {
            Use::Honoured => {
                let (value, holds) = honoured(name);
                let set = settings(&[&[(variable.as_str(), value)], beside(name)].concat()).unwrap();
                assert!(holds(&set) && set.notices.is_empty(), "{name}: {:?}", set.notices);
                // What is not set is empty.
                assert_eq!(settings(&[(&variable, "")]).unwrap().notices, Vec::<String>::new(), "{name}");
            }
            Use::Without(reason) => {
                let set = settings(&[(&variable.to_ascii_lowercase(), "1")]).unwrap();
                assert_eq!(set.notices, [format!("{variable} changes nothing: {reason}")]);
            }
        }
    }
    let set = settings(&[("PROVENANCE_BLOK", "1"), ("HOME", "/")]).unwrap();
    assert_eq!(set.notices, ["PROVENANCE_BLOK is no known setting"]);
}
