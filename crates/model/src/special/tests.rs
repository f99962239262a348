use super::*;

fn entry(path: &str) -> Option<(String, Severity)> {
    ClassTable::builtin().path(&OsBytes::from(path)).map(|found| (found.entry, found.severity))
}

#[test]
fn secrets_are_found_by_segment() {
    let cases = [
        ("/home/u/.ssh/id_ed25519", "ssh_private_key", Severity::High),
        ("/home/u/.ssh/deploy", "ssh_private_key", Severity::High),
        ("/home/u/.ssh/config", "ssh_public_files", Severity::Low),
        ("/home/u/.AWS/Credentials", "aws_credentials", Severity::High),
        ("/home/u/.aws/sso/cache/ab.json", "aws_credentials", Severity::High),
        ("/etc/shadow", "system_password_file", Severity::High),
        ("/etc/passwd", "passwd", Severity::Low),
        ("/proc/77/environ", "process_environment", Severity::High),
        (".env", "dotenv", Severity::High),
        ("app/.env.production", "dotenv", Severity::High),
        ("/w/server.key", "key_material", Severity::Medium),
        ("/w/id_rsa", "ssh_private_key", Severity::High),
        ("/w/client_secret.json", BY_NAME, Severity::Medium),
        ("/run/secrets/db", "mounted_secret", Severity::High),
        ("/h/p/Default/Cookies", "browser_secrets", Severity::High),
        ("/w/credentials", BY_NAME, Severity::Medium),
        ("/w/secrets", BY_NAME, Severity::Medium),
        ("/home/u/.SSH/ID_RSA", "ssh_private_key", Severity::High),
        ("/home/u/.ssh/authorized_keys", "ssh_public_files", Severity::Low),
        ("/home/u/.kube/config", "kubeconfig", Severity::High),
        ("/home/u/.config/gcloud/application_default_credentials.json", "gcloud_credentials", Severity::High),
        ("/w/.npmrc", "developer_token", Severity::High),
        ("./.env", "dotenv", Severity::High),
        ("/etc/./shadow", "system_password_file", Severity::High),
    ];
    for (path, id, severity) in cases {
        assert_eq!(entry(path), Some((id.to_owned(), severity)), "{path}");
    }
}

const BY_NAME: &str = builtin::BY_NAME;

#[test]
fn look_alikes_are_no_secrets() {
    for path in [
        "/w/secrets.py",
        "/w/src/credentials.js",
        "/w/token.rs",
        "/home/u/.ssh/id_rsa.pub",
        "/w/.env.example",
        "/w/environment",
        "/w/.environment",
        "/etc/ssl/certs/x.pem",
        "/w/site/cacert.pem",
        "/backup/etc/shadow",
        "/w/secretary.txt",
        "/w/cookies",
        "/w/notes.txt",
        "/w/tokenizer.json",
        "/usr/bin/passwd",
        "/usr/share/doc/passwd.conf",
        "/w/.env.d/readme.md",
        "/usr/lib/python3/site-packages/certifi/cacert.pem",
        "/w/.aws/credentials/nested.txt",
        "",
        "/",
    ] {
        assert_eq!(entry(path), None, "{path}");
    }
}

#[test]
fn users_add_and_exempt() {
    let path = |id: &str, pattern: &str, severity| PathEntry {
        id: id.into(),
        pattern: pattern.parse().expect("a pattern"),
        severity,
    };
    let table = ClassTable::with(ClassExtension {
        paths: vec![path("mine", "vault/*.txt", Some(Severity::Medium)), path("fixture", "tests/fixtures/", None)],
        networks: vec![NetworkEntry {
            id: "lab".into(),
            network: "203.0.113.0/24".parse().expect("a network"),
            class: DestinationClass::Private,
        }],
        hosts: vec![HostEntry { id: "corp".into(), host: "*.Corp.example".into(), class: DestinationClass::Private }],
    });
    assert_eq!(table.path(&"/w/vault/a.txt".into()).map(|found| found.entry), Some("mine".into()));
    assert_eq!(table.path(&"/w/tests/fixtures/.env".into()), None);
    assert_eq!(table.path(&"/w/.env".into()).map(|found| found.entry), Some("dotenv".into()));
    assert_eq!(table.address("203.0.113.9".parse().expect("an address")).0, DestinationClass::Private);
    assert_eq!(table.host("git.corp.EXAMPLE.").0, DestinationClass::Private);
    assert_eq!(table.host("corp.example").0, DestinationClass::Named);
}

#[test]
fn patterns_are_checked_and_written_back() {
    for bad in ["", "/", "*", "a//b", "../x"] {
        assert!(bad.parse::<PathPattern>().is_err(), "{bad:?} was accepted");
    }
    for good in [".ssh/id_*", "/etc/shadow", ".aws/cli/cache/", "=Cookies"] {
        assert_eq!(good.parse::<PathPattern>().map(|pattern| pattern.to_string()), Ok(good.to_owned()));
    }
}

#[test]
fn destinations_in_every_notation() {
    use DestinationClass::*;
    let cases = [
        ("169.254.169.254", Metadata),
        ("169.254.169.254:80", Metadata),
        ("[::ffff:169.254.169.254]:80", Metadata),
        ("64:ff9b::a9fe:a9fe", Metadata),
        ("2002:a9fe:a9fe::1", Metadata),
        ("2852039166", Metadata),
        ("0xa9fea9fe", Metadata),
        ("0251.0376.0251.0376", Metadata),
        ("fd00:ec2::254", Metadata),
        ("fe80::a9fe:a9fe%eth0", Metadata),
        ("100.100.100.200", Metadata),
        ("192.0.0.192", Metadata),
        ("metadata.google.internal.", Metadata),
        ("metadata.google.internal:80", Metadata),
        ("instance-data.ec2.internal", Metadata),
        ("metadata.azure.internal", Metadata),
        ("metadata.example.com", Named),
        ("[::ffff:a9fe:a9fe]:80", Metadata),
        ("169.254.43518", Metadata),
        ("fd20:ce::254", Metadata),
        ("168.63.129.16", Metadata),
        ("1.+1", Named),
        ("Metadata", Metadata),
        ("127.1", Loopback),
        ("[::1]:443", Loopback),
        ("localhost:8080", Loopback),
        ("10.2.3.4:22", Private),
        ("fd12::1", Private),
        ("100.64.3.4", Cgnat),
        ("169.254.1.1", LinkLocal),
        ("224.0.0.1", Multicast),
        ("203.0.113.5", Reserved),
        ("2606:4700::1111", Public),
        ("example.org:443", Named),
        ("10.0.0.1.example.org", Named),
    ];
    for (text, class) in cases {
        let destination = Destination::parse(text);
        assert_eq!(ClassTable::builtin().destination(&destination).0, class, "{text}: {destination:?}");
    }
}

#[test]
fn networks_contain_what_they_say() {
    let network: Network = "10.0.0.0/8".parse().expect("a network");
    assert!(network.contains("10.255.0.1".parse().expect("an address")));
    assert!(!network.contains("11.0.0.1".parse().expect("an address")));
    let everything: Network = "0.0.0.0/0".parse().expect("a network");
    assert!(everything.contains("8.8.8.8".parse().expect("an address")));
    assert!("10.0.0.0/33".parse::<Network>().is_err());
}
