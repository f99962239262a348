//! The shapes of known secrets.

/// One shape.
pub(super) struct Rule {
    pub(super) id: &'static str,
    /// Every text that matches holds one of these, ASCII case aside: a short look before the pattern is compiled.
    pub(super) needs: &'static [&'static str],
    /// Regular expression over bytes; groups `keep` and `after` stay.
    pub(super) pattern: &'static str,
}

const fn rule(id: &'static str, needs: &'static [&'static str], pattern: &'static str) -> Rule {
    Rule { id, needs, pattern }
}

/// Checked in this order; a later rule sees the text that an earlier one left.
pub(super) const RULES: &[Rule] = &[
    rule(
        "private_key",
        &["private key-----"],
        r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)",
    ),
    rule(
        "github_token",
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})\b",
    ),
    rule(
        "gitlab_token",
        &["glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-", "glsoat-"],
        r"\bgl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat)-[A-Za-z0-9_-]{20,}",
    ),
    rule("anthropic_key", &["sk-ant-"], r"\bsk-ant-[A-Za-z0-9_-]{20,}"),
    rule("openai_key", &["sk-"], r"\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{32,}"),
    rule("aws_access_key", &["akia", "asia", "abia", "acca"], r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    rule("google_api_key", &["aiza"], r"\bAIza[A-Za-z0-9_-]{35}"),
    rule("google_oauth", &["ya29.", "gocspx-"], r"\b(?:ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{28})"),
    rule("slack_token", &["xox"], r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    rule("slack_webhook", &["hooks.slack.com"], r"(?P<keep>https://hooks\.slack\.com/services/)[A-Za-z0-9/_-]{20,}"),
    rule("stripe_key", &["k_live_", "k_test_"], r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    rule("npm_token", &["npm_"], r"\bnpm_[A-Za-z0-9]{36}\b"),
    rule("pypi_token", &["pypi-"], r"\bpypi-[A-Za-z0-9_-]{50,}"),
    rule("crates_token", &["cio"], r"\bcio[A-Za-z0-9]{32}\b"),
    rule("huggingface_token", &["hf_"], r"\bhf_[A-Za-z0-9]{30,}\b"),
    rule("sendgrid_key", &["sg."], r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    rule("digitalocean_token", &["_v1_"], r"\bdo[opr]_v1_[a-f0-9]{64}\b"),
    rule("databricks_token", &["dapi"], r"\bdapi[a-f0-9]{32}\b"),
    rule("docker_token", &["dckr_"], r"\bdckr_[po]at_[A-Za-z0-9_-]{27,}"),
    rule("vault_token", &["hvs.", "hvb.", "hvr."], r"\bhv[sbr]\.[A-Za-z0-9_-]{24,}"),
    rule("telegram_token", &[":aa"], r"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}\b"),
    rule("jwt", &["eyj"], r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    rule(
        "azure_key",
        &["accountkey=", "sharedaccesskey="],
        r"(?i)(?P<keep>\b(?:AccountKey|SharedAccessKey)=)[A-Za-z0-9+/]{40,}={0,2}",
    ),
    rule("url_password", &["://"], r"(?P<keep>\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/@:]*:)[^\s/@\[\]]+(?P<after>@)"),
    rule(
        "authorization",
        &["authorization"],
        r"(?i)(?P<keep>\b(?:authorization|proxy-authorization)\s*[:=]\s*(?:bearer|basic|token)\s+)[^\s'\x22\[]+",
    ),
    rule(
        "api_key_header",
        &["api-key", "auth-token", "private-token"],
        r"(?i)(?P<keep>\b(?:x-api-key|x-auth-token|private-token|x-goog-api-key)\s*:\s*)[^\s'\x22\[]+",
    ),
    // A command line inside one argument, as in `sh -c`.
    rule(
        "secret_flag",
        &["--pass", "--token", "--auth-token", "--access-token", "--api", "--secret", "--client-secret"],
        r"(?P<keep>(?:^|\s)--(?:password|passwd|passphrase|token|auth-token|access-token|api-key|apikey|secret|secret-key|client-secret)[= ]['\x22]?)[^\s'\x22\[<$-][^\s'\x22\[<]{3,}",
    ),
    rule(
        "secret_assignment",
        &["key=", "secret=", "token=", "passwd=", "password="],
        r"(?i)(?P<keep>\b[A-Z0-9_.-]{0,40}(?:api[_-]?key|access[_-]?key|secret[_-]?key|client[_-]?secret|auth[_-]?token|access[_-]?token|refresh[_-]?token|secret|passwd|password|token)=['\x22]?)[^\s'\x22&\[<]{4,}",
    ),
];

/// Flags whose next argument is a secret.
pub(super) const SECRET_FLAGS: &[&str] = &[
    "--password",
    "--passwd",
    "--pass",
    "--passphrase",
    "--token",
    "--auth-token",
    "--access-token",
    "--api-key",
    "--apikey",
    "--secret",
    "--secret-key",
    "--client-secret",
    "--private-key-passphrase",
];
