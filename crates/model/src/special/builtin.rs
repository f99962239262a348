//! The built-in entries.

use super::path_index::Segments;
use super::{DestinationClass, HostEntry, Network, NetworkEntry, PathEntry, Severity};
use DestinationClass::Metadata;
use Severity::{High, Low, Medium};

/// Id of a match by the words of a file name.
pub(super) const BY_NAME: &str = "secret_name";

/// Id, severity and patterns; without severity an exemption. Earlier ones win.
type PathRow = (&'static str, Option<Severity>, &'static [&'static str]);

const PATHS: &[PathRow] = &[
    ("public_key", None, &["*.pub", "*.pub.key"]),
    (
        "dotenv_sample",
        None,
        &[".env.example", ".env.sample", ".env.template", ".env.dist", ".env.*.example", ".env.d.ts"],
    ),
    (
        "ca_bundle",
        None,
        &[
            "/etc/ssl/certs/",
            "/etc/pki/ca-trust/",
            "/usr/share/ca-certificates/",
            "cacert.pem",
            "cert.pem",
            "certifi/",
            "ca-bundle.pem",
            "ca.pem",
        ],
    ),
    (
        "ssh_public_files",
        Some(Low),
        &[".ssh/config", ".ssh/known_hosts", ".ssh/known_hosts.old", ".ssh/authorized_keys", ".ssh/authorized_keys2"],
    ),
    ("ssh_private_key", Some(High), &[".ssh/id_*", ".ssh/*", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"]),
    ("ssh_host_key", Some(High), &["ssh_host_*_key"]),
    ("aws_credentials", Some(High), &[".aws/credentials", ".aws/sso/cache/", ".aws/cli/cache/"]),
    ("aws_config", Some(Low), &[".aws/config"]),
    (
        "azure_tokens",
        Some(High),
        &[
            ".azure/accesstokens.json",
            ".azure/msal_token_cache.*",
            ".azure/azureprofile.json",
            ".azure/service_principal_entries.*",
        ],
    ),
    (
        "gcloud_credentials",
        Some(High),
        &[
            "gcloud/application_default_credentials.json",
            "gcloud/credentials.db",
            "gcloud/access_tokens.db",
            "gcloud/legacy_credentials/",
        ],
    ),
    ("cloud_config", Some(High), &[".oci/config", ".aliyun/config.json", ".s3cfg", ".boto"]),
    ("kubeconfig", Some(High), &[".kube/config", "/etc/kubernetes/*.conf", "/etc/kubernetes/pki/*.key"]),
    ("mounted_secret", Some(High), &["/run/secrets/", "/var/run/secrets/"]),
    ("container_registry", Some(High), &[".docker/config.json", "containers/auth.json", ".dockercfg"]),
    ("system_password_file", Some(High), &["/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-"]),
    ("sudoers", Some(High), &["/etc/sudoers", "/etc/sudoers.d/"]),
    ("kerberos", Some(High), &["*.keytab", "krb5cc_*"]),
    (
        "process_environment",
        Some(High),
        &["/proc/*/environ", "/proc/*/mem", "/proc/*/task/*/environ", "/proc/*/task/*/mem"],
    ),
    ("passwd", Some(Low), &["/etc/passwd"]),
    ("dotenv", Some(High), &[".env", ".env.*", ".envrc"]),
    (
        "developer_token",
        Some(High),
        &[
            ".netrc",
            "_netrc",
            ".git-credentials",
            ".config/git/credentials",
            ".config/gh/hosts.yml",
            ".npmrc",
            ".yarnrc.yml",
            ".pypirc",
            ".cargo/credentials",
            ".cargo/credentials.toml",
            ".gem/credentials",
            ".m2/settings.xml",
            ".gradle/gradle.properties",
            ".composer/auth.json",
            ".terraform.d/credentials.tfrc.json",
            "*.tfstate",
            ".vault-token",
            ".pgpass",
            ".my.cnf",
            ".mylogin.cnf",
        ],
    ),
    (
        "agent_token",
        Some(High),
        &[".claude/.credentials.json", ".codex/auth.json", ".gemini/oauth_creds.json", "huggingface/token"],
    ),
    (
        "browser_secrets",
        Some(High),
        &["=Login Data", "=Cookies", "cookies.sqlite", "logins.json", "key4.db", "*.keychain-db"],
    ),
    (
        "key_material",
        Some(Medium),
        &[
            "*.pem",
            "*.key",
            "*.p12",
            "*.pfx",
            "*.jks",
            "*.keystore",
            "*.kdbx",
            ".gnupg/private-keys-v1.d/",
            ".password-store/",
        ],
    ),
];

const METADATA_NETWORKS: &[(&str, &str)] = &[
    ("metadata_common", "169.254.169.254"),
    ("metadata_aws", "fd00:ec2::254"),
    ("metadata_aws_task", "169.254.170.2"),
    ("metadata_aws_pod", "169.254.170.23"),
    ("metadata_aws_pod", "fd00:ec2::23"),
    ("metadata_gcp", "fd20:ce::254"),
    ("metadata_azure", "168.63.129.16"),
    ("metadata_oracle", "fd00:c1::a9fe:a9fe"),
    ("metadata_oracle", "192.0.0.192"),
    ("metadata_alibaba", "100.100.100.200"),
    ("metadata_alibaba", "fd00:100::100:200"),
    ("metadata_tencent", "169.254.0.23"),
    ("metadata_tencent", "169.254.10.10"),
    ("metadata_scaleway", "169.254.42.42"),
    ("metadata_scaleway", "fd00:42::42"),
    ("metadata_common", "fd00:a9fe:a9fe::1"),
    ("metadata_common", "fe80::a9fe:a9fe"),
];

const HOSTS: &[(&str, &str, DestinationClass)] = &[
    ("metadata_aws", "instance-data.ec2.internal", Metadata),
    ("metadata_aws", "instance-data", Metadata),
    ("metadata_gcp", "metadata.google.internal", Metadata),
    ("metadata_gcp", "metadata.goog", Metadata),
    ("metadata_gcp", "metadata", Metadata),
    ("metadata_tencent", "metadata.tencentyun.com", Metadata),
    ("metadata_azure", "metadata.azure.internal", Metadata),
    ("metadata_equinix", "metadata.platformequinix.com", Metadata),
    ("metadata_equinix", "metadata.packet.net", Metadata),
    ("localhost", "localhost", DestinationClass::Loopback),
    ("localhost", "*.localhost", DestinationClass::Loopback),
];

pub(super) fn path_entries() -> Vec<PathEntry> {
    let entries = PATHS.iter().flat_map(|(id, severity, patterns)| {
        patterns.iter().filter_map(|pattern| {
            Some(PathEntry { id: (*id).to_owned(), pattern: pattern.parse().ok()?, severity: *severity })
        })
    });
    entries.collect()
}

pub(super) fn network_entries() -> Vec<NetworkEntry> {
    let entries = METADATA_NETWORKS.iter().filter_map(|(id, network)| {
        Some(NetworkEntry { id: (*id).to_owned(), network: network.parse::<Network>().ok()?, class: Metadata })
    });
    entries.collect()
}

pub(super) fn host_entries() -> Vec<HostEntry> {
    HOSTS
        .iter()
        .map(|(id, host, class)| HostEntry { id: (*id).to_owned(), host: (*host).to_owned(), class: *class })
        .collect()
}

const SECRET_WORDS: &[&[u8]] =
    &[b"secret", b"secrets", b"credential", b"credentials", b"token", b"tokens", b"password", b"passwords", b"passwd"];

/// Extensions of files that hold data. Source code, which is full of such words, is not among them.
const DATA_EXTENSIONS: &[&[u8]] = &[
    b"txt",
    b"json",
    b"yaml",
    b"yml",
    b"toml",
    b"ini",
    b"cfg",
    b"conf",
    b"xml",
    b"csv",
    b"env",
    b"properties",
    b"enc",
    b"db",
    b"sqlite",
    b"bak",
    b"gpg",
    b"asc",
    b"age",
    b"dat",
    b"bin",
    b"kdb",
    b"old",
    b"backup",
    b"plist",
    b"b64",
];

/// Folders in which a suspicious name is a program or part of one.
const PROGRAM_FOLDERS: &[&[u8]] = &[b"bin", b"sbin", b"lib", b"libexec", b"share", b"node_modules", b"site-packages"];

/// True where a word of the file name says "secret" and the file is one of data.
pub(super) fn is_secret_by_name(path: &Segments<'_>) -> bool {
    let mut segments = path.all_lower();
    let Some(name) = segments.next_back() else { return false };
    let name = name.strip_prefix(b".").unwrap_or(name);
    let mut parts = name.rsplitn(2, |&byte| byte == b'.');
    let last = parts.next().unwrap_or_default();
    let is_data = parts.next().is_none() || DATA_EXTENSIONS.contains(&last) || SECRET_WORDS.contains(&last);
    is_data
        && name.split(|byte| b"_-.".contains(byte)).any(|word| SECRET_WORDS.contains(&word))
        && !segments.any(|folder| PROGRAM_FOLDERS.contains(&folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_parses() {
        assert_eq!(path_entries().len(), PATHS.iter().map(|(_, _, patterns)| patterns.len()).sum::<usize>());
        assert_eq!(network_entries().len(), METADATA_NETWORKS.len());
    }
}
