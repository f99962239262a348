use super::*;
use agentprov_model::CallResult;
use proptest::prelude::*;

fn shown(text: &str) -> String {
    String::from_utf8_lossy(&Redactor::new().text(text.as_bytes()).text).into_owned()
}

/// Secrets are put together at run time, so that no scanner of this repository takes them for real ones.
fn made(prefix: &str, length: usize) -> String {
    let letters = "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xYz";
    format!("{prefix}{}", letters.chars().cycle().take(length).collect::<String>())
}

#[test]
fn every_known_shape_is_taken_out() {
    let cases = [
        ("github_token", made("ghp_", 36)),
        ("github_token", made("github_pat_", 60)),
        ("gitlab_token", made("glpat-", 20)),
        ("anthropic_key", made("sk-ant-api03-", 60)),
        ("openai_key", made("sk-proj-", 60)),
        ("aws_access_key", "AKIAABCDEFGHIJKLMNOP".to_owned()),
        ("google_api_key", made("AIza", 35)),
        ("slack_token", made("xoxb-", 30)),
        ("stripe_key", made("sk_live_", 24)),
        ("npm_token", made("npm_", 36)),
        ("pypi_token", made("pypi-", 80)),
        ("huggingface_token", made("hf_", 34)),
        ("jwt", format!("{}.{}.{}", made("eyJ", 20), made("eyJ", 30), made("", 30))),
        ("private_key", "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----".to_owned()),
    ];
    for (rule, secret) in cases {
        let text = format!("curl -d '{secret}' x");
        let redacted = Redactor::new().text(text.as_bytes());
        let shown = String::from_utf8_lossy(&redacted.text).into_owned();
        assert!(!shown.contains(&secret), "{rule}: {shown}");
        assert!(shown.contains(&format!("[redacted:{rule}]")), "{rule}: {shown}");
        assert_eq!(redacted.receipts, [(rule, 1)], "{shown}");
    }
}

#[test]
fn what_stands_around_a_secret_stays() {
    assert_eq!(shown("https://bob:hunter22@example.org/x"), "https://bob:[redacted:url_password]@example.org/x");
    assert_eq!(shown("Authorization: Bearer abc.def"), "Authorization: Bearer [redacted:authorization]");
    assert_eq!(shown("DB_PASSWORD=hunter22 run"), "DB_PASSWORD=[redacted:secret_assignment] run");
}

#[test]
fn ordinary_texts_are_left_alone() {
    for text in [
        "python3 app.py --tokenize yes",
        "git clone https://example.org/a/b.git",
        "sk-learn",
        "secrets.py",
        "--max-tokens=100",
        "cargo build --release",
        "ssh://git@example.org:22/x",
        "token=",
    ] {
        assert_eq!(shown(text), text);
    }
}

#[test]
fn the_value_after_a_secret_flag_is_taken_out_with_a_receipt() {
    let mut what = What::ProcessExec(ProcessExec {
        generation: 1,
        path: None,
        exe: None,
        argv: ["login", "--token", "s3cr3t", "--verbose"].map(OsBytes::from).to_vec(),
        argv_cut: None,
        cwd: None,
        result: CallResult::Ok(0),
        commands: Vec::new(),
        trace: None,
    });
    let receipts = Redactor::new().redact(&mut what);
    let What::ProcessExec(exec) = what else { unreachable!("it was an exec") };
    assert_eq!(exec.argv, ["login", "--token", "[redacted:secret_flag]", "--verbose"].map(OsBytes::from));
    assert_eq!(receipts.len(), 1);
    assert_eq!((receipts[0].rule.as_str(), receipts[0].place.as_str()), ("secret_flag", "argv[2]"));
}

proptest! {
    #[test]
    fn redacting_twice_changes_nothing_more(text in ".{0,200}") {
        let once = shown(&text);
        prop_assert_eq!(shown(&once), once);
    }

    #[test]
    fn any_bytes_are_fine(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Redactor::new().text(&bytes);
    }
}

/// Both ways of looking must find the same: a word that a rule needs and that its matches lack would let a secret through.
#[test]
fn few_texts_are_redacted_like_many() {
    let few = Redactor::for_few_texts();
    let secrets = [
        made("ghp_", 36),
        made("github_pat_", 60),
        made("glpat-", 20),
        made("glsoat-", 20),
        made("sk-ant-api03-", 60),
        made("sk-proj-", 60),
        "ASIAABCDEFGHIJKLMNOP".to_owned(),
        made("AIza", 35),
        made("ya29.", 30),
        made("GOCSPX-", 28),
        made("xoxp-", 30),
        made("https://hooks.slack.com/services/", 30),
        made("rk_test_", 24),
        made("npm_", 36),
        made("pypi-", 80),
        made("cio", 32),
        made("hf_", 34),
        format!("{}.{}", made("SG.", 22), made("", 43)),
        format!("doo_v1_{}", "0a".repeat(32)),
        format!("dapi{}", "0a".repeat(16)),
        made("dckr_pat_", 27),
        made("hvb.", 24),
        format!("123456789:AA{}", made("", 33)),
        format!("{}.{}.{}", made("eyJ", 20), made("eyJ", 30), made("", 30)),
        format!("AccountKey={}", made("", 40)),
        "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----".to_owned(),
        "https://bob:hunter22@example.org/x".to_owned(),
        "Proxy-Authorization: Basic abcdef".to_owned(),
        "X-Goog-Api-Key: abcdef".to_owned(),
        "PRIVATE-TOKEN: abcdef".to_owned(),
        "--client-secret hunter22".to_owned(),
        "--passphrase=hunter22".to_owned(),
        "refresh-token='hunter22'".to_owned(),
        "MY_API_KEY=hunter22".to_owned(),
        "accesskey=hunter22".to_owned(),
    ];
    for secret in secrets {
        let text = format!("run {secret} x");
        let many = Redactor::new().text(text.as_bytes());
        assert!(!many.receipts.is_empty(), "{secret} is known");
        assert_eq!(few.text(text.as_bytes()), many, "{secret}");
    }
}

proptest! {
    #[test]
    fn no_text_is_redacted_otherwise_by_the_short_look(
        words in proptest::collection::vec(
            prop_oneof![
                Just("token".to_owned()), Just("=".to_owned()), Just("--password ".to_owned()), Just("://".to_owned()),
                Just("Authorization: ".to_owned()), Just("Bearer ".to_owned()), Just("sk-".to_owned()), Just("@".to_owned()),
                Just("AKIA".to_owned()), Just("_key".to_owned()), Just(":".to_owned()), "[A-Za-z0-9_. -]{0,40}",
            ],
            0..12,
        ),
    ) {
        let text = words.concat();
        prop_assert_eq!(Redactor::for_few_texts().text(text.as_bytes()), Redactor::new().text(text.as_bytes()));
    }
}
