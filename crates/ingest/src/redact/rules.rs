//! The shapes of known secrets.

/// One shape.
pub(super) struct Rule {
    pub(super) id: &'static str,
    /// Regular expression over bytes; groups `keep` and `after` stay.
    pub(super) pattern: &'static str,
}

const fn rule(id: &'static str, pattern: &'static str) -> Rule {
    Rule { id, pattern }
}

/// Checked in this order; a later rule sees the text that an earlier one left.
pub(super) const RULES: &[Rule] = &[
    rule("private_key", r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)"),
    rule("github_token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})\b"),
    rule("gitlab_token", r"\bgl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat)-[A-Za-z0-9_-]{20,}"),
    rule("anthropic_key", r"\bsk-ant-[A-Za-z0-9_-]{20,}"),
    rule("openai_key", r"\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{32,}"),
    rule("aws_access_key", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    rule("google_api_key", r"\bAIza[A-Za-z0-9_-]{35}"),
    rule("google_oauth", r"\b(?:ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{28})"),
    rule("slack_token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    rule("slack_webhook", r"(?P<keep>https://hooks\.slack\.com/services/)[A-Za-z0-9/_-]{20,}"),
    rule("stripe_key", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    rule("npm_token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    rule("pypi_token", r"\bpypi-[A-Za-z0-9_-]{50,}"),
    rule("crates_token", r"\bcio[A-Za-z0-9]{32}\b"),
    rule("huggingface_token", r"\bhf_[A-Za-z0-9]{30,}\b"),
    rule("sendgrid_key", r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    rule("digitalocean_token", r"\bdo[opr]_v1_[a-f0-9]{64}\b"),
    rule("databricks_token", r"\bdapi[a-f0-9]{32}\b"),
    rule("docker_token", r"\bdckr_[po]at_[A-Za-z0-9_-]{27,}"),
    rule("vault_token", r"\bhv[sbr]\.[A-Za-z0-9_-]{24,}"),
    rule("telegram_token", r"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}\b"),
    rule("jwt", r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    rule("azure_key", r"(?i)(?P<keep>\b(?:AccountKey|SharedAccessKey)=)[A-Za-z0-9+/]{40,}={0,2}"),
    rule("url_password", r"(?P<keep>\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/@:]*:)[^\s/@\[\]]+(?P<after>@)"),
    rule(
        "authorization",
        r"(?i)(?P<keep>\b(?:authorization|proxy-authorization)\s*[:=]\s*(?:bearer|basic|token)\s+)[^\s'\x22\[]+",
    ),
    rule(
        "api_key_header",
        r"(?i)(?P<keep>\b(?:x-api-key|x-auth-token|private-token|x-goog-api-key)\s*:\s*)[^\s'\x22\[]+",
    ),
    // A command line inside one argument, as in `sh -c`.
    rule(
        "secret_flag",
        r"(?P<keep>(?:^|\s)--(?:password|passwd|passphrase|token|auth-token|access-token|api-key|apikey|secret|secret-key|client-secret)[= ]['\x22]?)[^\s'\x22\[<$-][^\s'\x22\[<]{3,}",
    ),
    rule(
        "secret_assignment",
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
