//! Paths of secrets, matched segment by segment.
//!
//! Case does not count: some file systems fold it, and a secret that is missed costs more than one too many.

use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// How sure the table is that a path holds a secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretLevel {
    /// Names that are worth a tag.
    Low,
    /// Probably a secret.
    Medium,
    /// Known to hold secrets.
    High,
}

impl SecretLevel {
    /// The name as it stands in documents and rule files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// An entry of the table.
#[derive(Clone, Debug, Serialize)]
pub struct SecretEntry {
    /// Name of the entry.
    pub id: String,
    /// How sure it is.
    pub level: SecretLevel,
    /// Any of these.
    pub paths: Vec<PathPattern>,
}

impl SecretEntry {
    pub(super) fn matches(&self, path: &Segments) -> bool {
        self.paths.iter().any(|pattern| pattern.matches(path))
    }
}

/// What a path was found to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SecretMatch<'t> {
    /// Entry of the table.
    pub id: &'t str,
    /// How sure it is.
    pub level: SecretLevel,
}

/// A pattern over path segments: `.ssh/id_*` matches the last two segments, a leading `/` ties it to the root,
/// a trailing `/` takes everything below. `*` stands for any characters of one segment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PathPattern {
    segments: Vec<String>,
    anchored: bool,
    below: bool,
}

impl PathPattern {
    /// Reads a pattern; `None` where it has no segment.
    pub fn new(text: &str) -> Option<Self> {
        let segments: Vec<String> =
            text.split('/').filter(|segment| !segment.is_empty()).map(str::to_ascii_lowercase).collect();
        if segments.is_empty() {
            return None;
        }
        Some(Self { segments, anchored: text.starts_with('/'), below: text.ends_with('/') })
    }

    pub(super) fn matches(&self, path: &Segments) -> bool {
        let (wanted, have) = (self.segments.len(), path.parts.len());
        if have < wanted + usize::from(self.below) {
            return false;
        }
        let fits_at = |start: usize| {
            path.parts[start..].iter().zip(&self.segments).all(|(part, pattern)| wildcard(pattern, part))
        };
        match (self.anchored, self.below) {
            (true, false) => have == wanted && fits_at(0),
            (true, true) => fits_at(0),
            (false, false) => fits_at(have - wanted),
            (false, true) => (0..have - wanted).any(fits_at),
        }
    }

    /// True where the path fits.
    pub fn fits(&self, path: &[u8]) -> bool {
        self.matches(&Segments::new(path))
    }
}

/// A path in lower case, cut at its slashes.
pub(super) struct Segments {
    parts: Vec<String>,
}

impl Segments {
    pub(super) fn new(path: &[u8]) -> Self {
        let text = String::from_utf8_lossy(path).to_ascii_lowercase();
        let parts = text.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect();
        Self { parts }
    }
}

/// `*` stands for any characters. Linear: after a `*` only the last one is ever retried.
fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            retry = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            p += 1;
            t += 1;
        } else if let Some((star, from)) = retry {
            retry = Some((star, from + 1));
            p = star + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// One line of the built-in table.
struct Line {
    id: &'static str,
    level: SecretLevel,
    paths: &'static [&'static str],
    except: &'static [&'static str],
}

const fn line(id: &'static str, level: SecretLevel, paths: &'static [&'static str]) -> Line {
    Line { id, level, paths, except: &[] }
}

use SecretLevel::{High, Low, Medium};

/// First match wins.
#[rustfmt::skip]
const TABLE: &[Line] = &[
    Line { id: "ssh_key", level: High, except: &["*.pub"],
        paths: &[".ssh/id_*", ".ssh/identity", ".ssh/*.pem", ".ssh/*_rsa", ".ssh/*_ed25519", "id_rsa", "id_ed25519", "id_ecdsa", "id_dsa", "ssh_host_*_key"] },
    line("ssh_config", Low, &[".ssh/config", ".ssh/known_hosts"]),
    line("aws", High, &[".aws/credentials", ".aws/sso/cache/", ".aws/cli/cache/"]),
    line("aws_config", Low, &[".aws/config"]),
    line("azure", High, &[".azure/accesstokens.json", ".azure/msal_token_cache*", ".azure/service_principal_entries*"]),
    line("gcloud", High, &["gcloud/application_default_credentials.json", "gcloud/credentials.db", "gcloud/access_tokens.db", "gcloud/legacy_credentials/"]),
    line("cloud_cli", High, &[".oci/config", ".aliyun/config.json", ".s3cfg", ".boto"]),
    line("kubernetes", High, &[".kube/config", "/etc/kubernetes/*.conf", "/etc/kubernetes/pki/*.key", "/run/secrets/", "/var/run/secrets/"]),
    line("container_registry", High, &[".docker/config.json", "containers/auth.json"]),
    line("system", High, &["/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/sudoers", "/etc/sudoers.d/", "*.keytab", "krb5cc_*"]),
    line("process_memory", High, &["/proc/*/environ", "/proc/*/mem", "/proc/*/task/*/environ", "/proc/*/task/*/mem"]),
    line("accounts", Low, &["/etc/passwd"]),
    Line { id: "dotenv", level: High, paths: &[".env", ".env.*", ".envrc"],
        except: &[".env.example", ".env.sample", ".env.template", ".env.dist", ".env.*.example", ".env.d.ts"] },
    line("developer_tools", High, &[".netrc", ".git-credentials", "gh/hosts.yml", ".npmrc", ".yarnrc.yml", ".pypirc", ".cargo/credentials", ".cargo/credentials.toml",
        ".gem/credentials", ".m2/settings.xml", ".gradle/gradle.properties", ".composer/auth.json", ".terraform.d/credentials.tfrc.json", "*.tfstate",
        ".vault-token", ".pgpass", ".my.cnf", ".mylogin.cnf"]),
    line("agents", High, &[".claude/.credentials.json", ".codex/auth.json", ".gemini/oauth_creds.json", "huggingface/token"]),
    line("browser", High, &["login data", "cookies", "cookies.sqlite", "logins.json", "key4.db", "*.keychain-db"]),
    line("password_store", Medium, &[".gnupg/private-keys-v1.d/", ".password-store/", "*.kdbx"]),
    Line { id: "key_file", level: Medium, paths: &["*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore"],
        except: &["cacert.pem", "cert.pem", "ca-bundle.pem", "/etc/ssl/certs/", "certifi/", "/usr/share/ca-certificates/", "*.pub.key"] },
];

/// Words that make a data file's name suspicious.
const WORDS: &[&str] =
    &["secret", "secrets", "credential", "credentials", "token", "tokens", "password", "passwords", "passwd"];

/// Endings of data files. A word in the name of anything else, source code above all, says nothing.
const DATA_ENDINGS: &[&str] = &[
    "json",
    "yaml",
    "yml",
    "toml",
    "ini",
    "conf",
    "cfg",
    "txt",
    "env",
    "csv",
    "xml",
    "properties",
    "db",
    "sqlite",
    "dat",
    "bin",
    "enc",
    "gpg",
    "asc",
    "b64",
    "bak",
    "old",
];

/// Folders in which a suspicious name is a program or part of one.
const PROGRAM_FOLDERS: &[&str] = &["bin", "sbin", "lib", "libexec", "share", "node_modules", "site-packages"];

/// A line, ready to match.
struct Compiled {
    id: &'static str,
    level: SecretLevel,
    paths: Vec<PathPattern>,
    except: Vec<PathPattern>,
}

fn compiled() -> &'static [Compiled] {
    static COMPILED: LazyLock<Vec<Compiled>> = LazyLock::new(|| {
        let patterns = |texts: &[&str]| texts.iter().filter_map(|text| PathPattern::new(text)).collect();
        let compile = |line: &Line| Compiled {
            id: line.id,
            level: line.level,
            paths: patterns(line.paths),
            except: patterns(line.except),
        };
        TABLE.iter().map(compile).collect()
    });
    &COMPILED
}

pub(super) fn built_in(path: &Segments) -> Option<SecretMatch<'static>> {
    let any = |patterns: &[PathPattern]| patterns.iter().any(|pattern| pattern.matches(path));
    if let Some(line) = compiled().iter().find(|line| any(&line.paths)) {
        // An exception is final: a public key is no secret by its name either.
        return (!any(&line.except)).then_some(SecretMatch { id: line.id, level: line.level });
    }
    let (name, folders) = path.parts.split_last()?;
    let program = folders.iter().any(|folder| PROGRAM_FOLDERS.contains(&folder.as_str()));
    (!program && named_like_one(name)).then_some(SecretMatch { id: "named_like_a_secret", level: Medium })
}

fn named_like_one(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(stem, ending)| if stem.is_empty() { "" } else { ending });
    let data = ending.is_empty() || DATA_ENDINGS.contains(&ending) || WORDS.contains(&ending);
    data && name.split(['_', '-', '.']).any(|word| WORDS.contains(&word))
}
