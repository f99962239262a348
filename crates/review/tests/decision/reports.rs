//! A review of a small change, from a diff to SARIF.

use crate::waivers::{home, key};
use agentprov_model::EventTime;
use agentprov_review::attribution::{Attribution, Sources, attribute};
use agentprov_review::change::{Change, Payload, from_diff, from_payload};
use agentprov_review::detect::{Builtin, Registry, RulePack};
use agentprov_review::governance::{Outcome, Policy, Waiver, WaiverAction, WaiverFile, Waivers};
use agentprov_review::report::{sarif, workflow_commands};
use agentprov_review::{FindingStatus, Review, analyse};
use serde_json::json;
use std::num::NonZeroUsize;

/// When a review began and ended.
pub(crate) const TIMES: (EventTime, EventTime) = (EventTime::from_nanos(0), EventTime::from_nanos(1));

pub(crate) const DIFF: &str = "--- /dev/null\n+++ b/a b.py\n@@ -0,0 +1,3 @@\n+import sqlite3\n\
    +def find(db, name): return db.execute(\"SELECT * FROM users WHERE name = '\" + name + \"'\")\n\
    +def run(code): return eval(code)  # nosec\n";

fn detectors() -> Registry {
    let mut registry = Registry::default();
    registry.register(Box::new(Builtin::new(RulePack::default_rules().unwrap(), NonZeroUsize::MIN)));
    registry
}

pub(crate) fn review_of(change: &Change, policy: &Policy) -> (Review, Attribution) {
    let attribution = attribute(change, &Sources::default()).unwrap();
    (analyse(change, &attribution, &detectors(), policy), attribution)
}

fn rules(review: &Review) -> Vec<(&str, u32)> {
    review.findings.iter().map(|finding| (finding.finding.rule.as_str(), finding.finding.line.get())).collect()
}

#[test]
fn a_new_file_is_scanned_whole_and_its_author_does_not_silence_the_scan() {
    let change = from_diff(DIFF.as_bytes()).unwrap();
    let (review, _) = review_of(&change, &Policy::default());
    assert!(rules(&review).contains(&("sql-injection-concat", 2)) && rules(&review).contains(&("dangerous-eval", 3)));
    assert!(review.gaps.is_empty(), "{:?}", review.gaps);
    assert_eq!((review.outcome, review.coverage.unknown_line_count), (Outcome::Warn, 3));
    let eval = review.findings.iter().find(|one| one.finding.rule.as_str() == "dangerous-eval").unwrap();
    assert!(eval.finding.suppressed_by_author.is_some());
    assert_eq!(eval.status, FindingStatus::Open);
}

#[test]
fn a_waiver_closes_its_finding_and_no_other() {
    let change = from_diff(DIFF.as_bytes()).unwrap();
    let (review, _) = review_of(&change, &Policy::default());
    let finding = review.findings.iter().find(|one| one.finding.rule.as_str() == "sql-injection-concat").unwrap();
    let waiver = Waiver {
        repository: home(),
        finding: finding.finding_id.clone(),
        action: WaiverAction::Waive,
        reason: "a test".into(),
        by: "jo".into(),
        at: "2026-01-01T00:00:00.000000000Z".into(),
        until: Some("2026-06-30".into()),
    };
    let at = |seconds: i64, signer: u8| {
        let now = EventTime::from_nanos(seconds * 1_000_000_000);
        let words = WaiverFile::new(waiver.sign(&key(1)).unwrap()).words(&[key(signer).verifier()]).unwrap();
        Policy { waivers: Waivers::active_at(words, Some(&home()), now), ..Policy::default() }
    };
    let (waived, _) = review_of(&change, &at(1_780_000_000, 1));
    let open = waived.findings.iter().filter(|one| one.status == FindingStatus::Open).count();
    assert_eq!(open + 1, review.findings.len());
    assert!(!waived.reasons.iter().any(|rule| rule.code == "severity:high"));
    let log = sarif(&waived, &change, None, TIMES);
    let results = log["runs"][0]["results"].as_array().unwrap();
    let suppressed: Vec<_> = results.iter().filter(|one| !one["suppressions"].is_null()).collect();
    assert_eq!(suppressed.len(), 1);
    assert_eq!(suppressed[0]["suppressions"][0]["justification"], "a test (jo)");
    // The day after the last one it counts again, and the review says why.
    let (late, _) = review_of(&change, &at(1_782_864_000, 1));
    assert!(late.reasons.iter().any(|rule| rule.code == "severity:high"));
    assert!(late.findings.iter().any(|one| one.expired_waiver.is_some()));
    // One that is signed by nobody who is believed clears nothing, and the review says how to mend it.
    let (refused, _) = review_of(&change, &at(1_780_000_000, 2));
    assert_eq!(refused.outcome, review.outcome);
    let rule = refused.reasons.iter().find(|rule| rule.code == "severity:high").unwrap();
    assert!(rule.to_clear.contains("does not count") && rule.to_clear.contains("--waiver-key"), "{}", rule.to_clear);
    assert_eq!(refused.refused_waivers.len(), 1);
    let one = refused.findings.iter().find(|one| one.refused_waiver.is_some()).unwrap();
    assert_eq!((&one.finding_id, one.status), (&waiver.finding, FindingStatus::Open));
}

#[test]
fn sarif_has_what_code_scanning_asks_for() {
    let change = from_diff(DIFF.as_bytes()).unwrap();
    let (review, _) = review_of(&change, &Policy::default());
    let log = sarif(&review, &change, None, TIMES);
    let run = &log["runs"][0];
    assert_eq!((&log["version"], &run["invocations"][0]["executionSuccessful"]), (&json!("2.1.0"), &json!(true)));
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for (place, result) in run["results"].as_array().unwrap().iter().enumerate() {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"], "result {place}");
        assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "a%20b.py");
        let region = &result["locations"][0]["physicalLocation"]["region"];
        assert!(
            region["startLine"].as_u64() >= Some(1) && region["endColumn"].as_u64() >= region["startColumn"].as_u64()
        );
        let hash = result["partialFingerprints"]["primaryLocationLineHash"].as_str().unwrap();
        assert!(hash.ends_with(":1"), "{hash}");
    }
    for rule in rules {
        for text in ["shortDescription", "fullDescription", "help"] {
            assert!(!rule[text]["text"].as_str().unwrap().is_empty(), "{rule}");
        }
        let severity: f64 = rule["properties"]["security-severity"].as_str().unwrap().parse().unwrap();
        assert!((0.1..=10.0).contains(&severity));
        assert!(rule["properties"]["tags"].as_array().unwrap().contains(&json!("security")));
    }
}

#[test]
fn results_beyond_the_limit_are_cut_and_counted() {
    let count = 5100;
    let lines: String = (0..count).map(|n| format!("+x{n} = eval(a{n})\n")).collect();
    let mut text = String::new();
    // A detector keeps a limited number of findings of one file.
    for (file, chunk) in lines.lines().collect::<Vec<_>>().chunks(100).enumerate() {
        let body = chunk.join("\n");
        text += &format!("--- /dev/null\n+++ b/f{file}.py\n@@ -0,0 +1,{} @@\n{body}\n", chunk.len());
    }
    let change = from_diff(text.as_bytes()).unwrap();
    let (review, _) = review_of(&change, &Policy::default());
    assert!(review.findings.len() >= count, "{} findings", review.findings.len());
    let log = sarif(&review, &change, None, TIMES);
    let run = &log["runs"][0];
    assert_eq!(run["results"].as_array().unwrap().len(), 5000);
    let said = run["invocations"][0]["toolExecutionNotifications"].to_string();
    assert!(said.contains(&format!("{} findings", review.findings.len() - 5000)), "{said}");
}

#[test]
fn annotations_stay_within_what_is_shown() {
    let lines: String = (0..30).map(|n| format!("+x{n} = eval(a{n})\n")).collect();
    let change = from_diff(format!("--- /dev/null\n+++ b/a,b.py\n@@ -0,0 +1,30 @@\n{lines}").as_bytes()).unwrap();
    let (review, _) = review_of(&change, &Policy::default());
    let commands = workflow_commands(&review);
    assert_eq!(commands.lines().filter(|line| line.starts_with("::warning file=a%2Cb.py,line=")).count(), 10);
    assert!(commands.lines().last().unwrap().starts_with("::notice title=agentprov review::"));
}

#[test]
fn nothing_to_review_is_no_allow() {
    let (review, _) = review_of(&from_diff(b"\n").unwrap(), &Policy::default());
    assert_eq!((review.outcome, review.coverage.total_lines, review.gaps.len()), (Outcome::Warn, 0, 1));
}

#[test]
fn posted_lines_have_the_owners_that_were_posted_and_nobody_else() {
    let line = |number: u32, agent: &str| {
        json!({"file_path": "a.py", "line_number": number, "change_type": "added", "content": "x = eval(y)",
               "attribution": {"agent_id": agent, "agent_session_id": "s1"}})
    };
    let body = json!({"repo": "o/r", "pr_number": 7, "base_sha": "a", "head_sha": "b",
                      "provenance_data": {"changed_lines": [line(1, "codex"), line(2, "")]}});
    let payload: Payload = serde_json::from_value(body).unwrap();
    let change = from_payload(&payload).unwrap();
    let mut policy = Policy::default();
    policy.block_on_unknown(true);
    let (review, _) = review_of(&change, &policy);
    assert_eq!((review.coverage.attributed_lines, review.coverage.unknown_line_count), (1, 1));
    assert_eq!(review.outcome, Outcome::Block);
    let owners: Vec<&str> = review.owners.iter().map(|row| row.owner.as_str()).collect();
    assert_eq!(owners, ["codex", "unknown"]);
    // A word is not enough where the policy asks for more.
    let strict = Policy { minimum_basis: agentprov_model::Basis::Observed, ..Policy::default() };
    assert_eq!(review_of(&change, &strict).0.coverage.attributed_lines, 0);
}
