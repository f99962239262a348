use super::*;

fn level(path: &str) -> Option<SecretLevel> {
    Classifier::default().secret(path.as_bytes()).map(|found| found.level)
}

#[test]
fn secrets_are_known_by_their_segments() {
    let cases = [
        ("/home/u/.ssh/id_ed25519", SecretLevel::High),
        ("/home/u/.SSH/ID_RSA", SecretLevel::High),
        ("/home/u/.aws/credentials", SecretLevel::High),
        ("/home/u/.kube/config", SecretLevel::High),
        ("/home/u/.config/gcloud/application_default_credentials.json", SecretLevel::High),
        ("/w/.npmrc", SecretLevel::High),
        ("/w/.env", SecretLevel::High),
        ("/w/.env.production", SecretLevel::High),
        ("/etc/shadow", SecretLevel::High),
        ("/proc/12/environ", SecretLevel::High),
        ("/run/secrets/db/password", SecretLevel::High),
        ("/w/tls/server.key", SecretLevel::Medium),
        ("/w/api_token.json", SecretLevel::Medium),
        ("/w/secrets", SecretLevel::Medium),
        ("/etc/passwd", SecretLevel::Low),
    ];
    for (path, expected) in cases {
        assert_eq!(level(path), Some(expected), "{path}");
    }
}

#[test]
fn what_only_sounds_like_a_secret_is_none() {
    let paths = [
        "/w/secrets.py",
        "/w/credentials.js",
        "/w/tokenizer.json",
        "/w/src/token.rs",
        "/home/u/.ssh/id_ed25519.pub",
        "/w/.env.example",
        "/w/environment.txt",
        "/usr/bin/passwd",
        "/w/home/etc/shadow",
        "/w/.env.d/readme.md",
        "/usr/lib/python3/site-packages/certifi/cacert.pem",
        "/w/.aws/credentials/nested.txt",
        "/",
        "",
    ];
    for path in paths {
        assert_eq!(level(path), None, "{path}");
    }
}

#[test]
fn destinations_are_known_in_every_spelling() {
    let table = Classifier::default();
    let metadata = [
        "169.254.169.254",
        "169.254.169.254:80",
        "::ffff:169.254.169.254",
        "[::ffff:a9fe:a9fe]:80",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "fe80::a9fe:a9fe%eth0",
        "fd00:ec2::254",
        "fd20:ce::254",
        "168.63.129.16",
        "100.100.100.200",
        "METADATA.google.internal.",
        "metadata.google.internal:80",
        "instance-data.ec2.internal",
    ];
    for text in metadata {
        assert_eq!(table.destination(text), Some(Destination::Metadata), "{text}");
    }
    assert_eq!(table.destination("127.1"), Some(Destination::Loopback));
    assert_eq!(table.destination("localhost:80"), Some(Destination::Loopback));
    assert_eq!(table.destination("10.0.0.1"), Some(Destination::Private));
    assert_eq!(table.destination("fd12::1"), Some(Destination::Private));
    assert_eq!(table.destination("example.com"), None);
    assert_eq!(table.destination("metadata.example.com"), None);
    assert_eq!(table.destination("1.1.1.1"), Some(Destination::Public));
}

#[test]
fn users_extend_the_table() {
    let entry = SecretEntry {
        id: "vault".into(),
        level: SecretLevel::High,
        paths: vec![PathPattern::new("our-vault/").expect("a pattern")],
    };
    let table = Classifier {
        secrets: vec![entry],
        not_secret: vec![PathPattern::new("fixtures/").expect("a pattern")],
        metadata_ips: vec!["10.9.8.7".parse().expect("an address")],
        metadata_hosts: vec!["imds.corp".into()],
    };
    assert_eq!(table.secret(b"/srv/our-vault/a.bin").map(|found| found.id), Some("vault"));
    assert_eq!(table.secret(b"/w/fixtures/.env"), None);
    assert_eq!(table.destination("::ffff:10.9.8.7"), Some(Destination::Metadata));
    assert_eq!(table.destination("IMDS.corp"), Some(Destination::Metadata));
}
