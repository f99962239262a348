//! Mistakes in rule files are found, with their place and what to do.

use agentprov_policy::diagnostic::Level;
use agentprov_policy::rules::parse;

fn first(text: &str) -> String {
    let (_, diagnostics) = parse("r.yaml", text);
    diagnostics.first().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn mistakes_name_their_place_and_a_way_out() {
    let cases = [
        (
            "rules:\n  - id: a\n    match: {evnt_type: execve}\n    decision: deny\n",
            "r.yaml:3:13: error: unknown key 'evnt_type' in match; did you mean 'event_type'?",
        ),
        (
            "rules:\n  - id: a\n    match: {event_type: execve}\n    decision: block\n",
            "r.yaml:4:15: error: 'block' is no value of 'decision'; known are: allow, audit, deny, quarantine, kill",
        ),
        (
            "rules:\n  - id: a\n    match: {event_type: execve}\n    decision: deny\n    mode: enforced\n",
            "r.yaml:5:11: error: 'enforced' is no value of 'mode'; did you mean 'enforce'?",
        ),
        ("rules:\n  - match: {event_type: execve}\n    decision: deny\n", "r.yaml:2:5: error: the rule has no id"),
        ("rules:\n  - id: a\n    decision: deny\n", "r.yaml:2:5: error: rule 'a' has no condition"),
        ("rules:\n  - id: a\n    match: {event_type: execve}\n", "r.yaml:2:5: error: rule 'a' has no decision"),
        (
            "rules:\n  - id: a\n    match: {args_regex: '('}\n    decision: deny\n",
            "r.yaml:3:25: error: '(' is no regular expression",
        ),
        (
            "rules:\n  - id: a\n    match: {cidr: 10.0.0.0/40}\n    decision: deny\n",
            "r.yaml:3:19: error: '10.0.0.0/40' in 'cidr' is not an address range",
        ),
        (
            "rules:\n  - id: a\n    match: {port: [80, 9-1]}\n    decision: deny\n",
            "r.yaml:3:24: error: '9-1' in 'port'",
        ),
        (
            "rules:\n  - id: a\n    match: {tainted: false}\n    decision: deny\n",
            "r.yaml:3:22: error: 'tainted' can only be true",
        ),
        (
            "rules:\n  - id: a\n    match: {path_contains: ['']}\n    decision: deny\n",
            "r.yaml:3:29: error: an empty text in 'path_contains' matches everything",
        ),
        (
            "rules:\n  - id: a\n    match: {event_type: []}\n    decision: deny\n",
            "r.yaml:3:25: error: 'event_type' is an empty list",
        ),
        (
            "rules:\n  - id: a\n    match: {event_type: execv}\n    decision: deny\n",
            "r.yaml:3:25: warning: nothing reports events of type 'execv'; did you mean 'execve'?",
        ),
        (
            "rules:\n  - id: a\n    match: {event_type: execve}\n    decision: audit\n    response: kill\n",
            "error: the response 'kill' is stronger than the decision 'audit'",
        ),
        (
            "rules:\n  - id: a\n    match: {event_type: execve, except: {outcome: failed}}\n    decision: deny\n",
            "unknown key 'outcome' in except",
        ),
        (
            "rules:\n  - id: a\n    match: {user: root}\n    decision: deny\n",
            "'root' in 'user' is not a numeric user id",
        ),
        ("ruels: []\n", "r.yaml:1:1: error: unknown key 'ruels' in a rule file; did you mean 'rules'?"),
        ("rules: [\n", "error: this is not YAML"),
        ("a: &x 1\nb: *x\n", "aliases are not supported"),
        ("", "warning: the file has no rules"),
    ];
    for (text, expected) in cases {
        let got = first(text);
        assert!(got.contains(expected), "{text}\n  gives    {got}\n  expected {expected}");
    }
}

#[test]
fn two_rules_do_not_share_an_id_and_a_key_is_not_given_twice() {
    let rule = "  - id: a\n    match: {event_type: execve}\n    decision: deny\n";
    assert!(first(&format!("rules:\n{rule}{rule}")).starts_with("r.yaml:5:5: error: a second rule has the id 'a'"));
    let (_, found) = parse("r", "rules:\n  - id: a\n    id: b\n    match: {event_type: execve}\n    decision: deny\n");
    assert_eq!(found[0].message, "'id' is given twice");
}

#[test]
fn documents_lists_and_single_rules_are_all_rule_files() {
    let rule = |id: &str| format!("id: {id}\nmatch: {{event_type: execve}}\ndecision: deny\n");
    let (file, found) = parse("r", &format!("{}---\n{}", rule("a"), rule("b")));
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(file.rules.len(), 2);
    let (file, found) = parse("r", "- {id: a, match: {port: 80}, decision: audit}\n");
    assert!(found.is_empty() && file.rules.len() == 1, "{found:?}");
}

#[test]
fn deep_or_broken_texts_end_in_a_diagnostic() {
    let deep = "[".repeat(20_000);
    let (_, found) = parse("r", &deep);
    assert!(found.iter().any(|diagnostic| diagnostic.level == Level::Error), "{found:?}");
    let (_, found) = parse("r", &format!("rules: {}{}", "[".repeat(60), "]".repeat(60)));
    assert!(found.iter().any(|diagnostic| diagnostic.message.contains("nested deeper")), "{found:?}");
}
