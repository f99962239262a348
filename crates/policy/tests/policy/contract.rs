//! Rule files and events as the contract has them.

use agentprov_model::{RuleMode, Verdict};
use agentprov_policy::{load, trial};

const CONTRACT: &str = r#"
rules:
  - id: metadata
    match:
      source: tetragon
      event_type: network_connect
      dst_ip: 169.254.169.254
    decision: quarantine
    reason: metadata IP access
    controls: [ASI03]
  - id: private
    match: {private_cidr: true}
    decision: deny
    reason: private
  - id: paths
    match:
      path_contains: [".env", id_rsa]
      args_contains: [secret]
    decision: kill
    reason: secret
    mode: detect
"#;

fn verdicts(mode: RuleMode, lines: &str) -> Vec<(Verdict, Verdict, String)> {
    let rules = load::from_text("rules.yaml", CONTRACT).expect("the contract's form loads");
    let mut rows = Vec::new();
    trial::test(lines.as_bytes(), &rules, mode, |row| {
        if let trial::TrialRow::Judged(judged) = row {
            rows.push((judged.decision, judged.intended, judged.rule_id.clone()));
        }
        Ok(())
    })
    .expect("memory can be read");
    rows
}

#[test]
fn the_contracts_rule_files_load_unchanged() {
    let lines = concat!(
        r#"{"source":"tetragon","event_type":"network_connect","dst_ip":"169.254.169.254"}"#,
        "\n",
        r#"{"source":"falco","event_type":"network_connect","dst_ip":"10.1.2.3"}"#,
        "\n",
        r#"{"source":"x","event_type":"file_open","path":"/w/.env"}"#,
        "\n",
        r#"{"source":"x","event_type":"execve","args":["cat","secret"]}"#,
        "\n",
        r#"{"source":"x","event_type":"execve","args":["ls"]}"#,
        "\n",
    );
    let expected = [
        (Verdict::Quarantine, Verdict::Quarantine, "metadata"),
        (Verdict::Deny, Verdict::Deny, "private"),
        (Verdict::Audit, Verdict::Kill, "paths"),
        (Verdict::Audit, Verdict::Kill, "paths"),
        (Verdict::Allow, Verdict::Allow, ""),
    ];
    let got = verdicts(RuleMode::Enforce, lines);
    let got: Vec<_> = got.iter().map(|(verdict, intended, rule)| (*verdict, *intended, rule.as_str())).collect();
    assert_eq!(got, expected);
    assert!(verdicts(RuleMode::Detect, lines).iter().all(|(verdict, ..)| *verdict <= Verdict::Audit));
}

#[test]
fn every_line_has_a_row_and_bad_ones_say_why() {
    let rules = load::from_text("rules.yaml", CONTRACT).expect("loads");
    let lines = b"{\"event_type\":\"execve\"}\n\nnot json\n[1]\n{\"source\":\"x\"}\n\xff\xfe\n{\"event_type\":\"execve\",\"args\":3}\n{\"event_type\":\"execve\",\"colour\":1}";
    let mut rows = Vec::new();
    trial::test(lines.as_slice(), &rules, RuleMode::Enforce, |row| {
        rows.push(serde_json::to_string(&row).expect("serialises"));
        Ok(())
    })
    .expect("memory can be read");
    assert_eq!(rows.len(), 7, "{rows:#?}");
    assert!(rows[0].starts_with(r#"{"decision":"allow","event":{"event_type":"execve"},"reason":"","rule_id":"","#));
    for (row, (line, part)) in rows[1..6].iter().zip([
        (3, "not JSON"),
        (4, "JSON object"),
        (5, "no 'event_type'"),
        (6, "not JSON"),
        (7, "'args'"),
    ]) {
        assert!(row.contains(&format!(r#""line":{line}"#)) && row.contains(part), "{row}");
    }
    assert!(rows[6].contains(r#""ignored_keys":["colour"]"#), "{}", rows[6]);
}

#[test]
fn the_digest_follows_what_the_rules_say_and_not_how_they_are_written() {
    let digest = |text: &str| load::from_text("r", text).expect("loads").digest().to_owned();
    let base = digest(CONTRACT);
    assert_eq!(base.len(), 64);
    assert_eq!(base, digest(&format!("# a comment\n{CONTRACT}")));
    assert_ne!(base, digest(&CONTRACT.replace("decision: deny", "decision: kill")));
    assert_ne!(base, digest(&format!("{CONTRACT}\nclassify:\n  metadata_ips: [10.9.9.9]\n")));
}
