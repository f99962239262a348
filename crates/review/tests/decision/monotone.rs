//! One more finding, unknown line, contradiction or gap never softens an outcome, whatever the policy.

use crate::waivers::key;
use agentprov_attest::Envelope;
use agentprov_review::change::RepositoryId;
use agentprov_review::governance::{Counts, Limits, Outcome, Policy, PullRequestSignals, Waiver, WaiverAction, decide};
use agentprov_review::{Category, Severity};
use proptest::prelude::*;

const CATEGORIES: [&str; 3] = ["sqli", "code_execution", "secrets"];

fn limits() -> impl Strategy<Value = Limits> {
    (prop::option::of(0_u64..4), prop::option::of(0_u64..4)).prop_map(|(warn, block)| Limits { warn, block })
}

fn policy() -> impl Strategy<Value = Policy> {
    let lists =
        (prop::collection::vec(limits(), 4), prop::collection::vec(limits(), 3), prop::collection::vec(limits(), 6));
    lists.prop_map(|(severities, categories, others)| Policy {
        severity: Severity::ALL.into_iter().zip(severities).collect(),
        category: CATEGORIES.iter().map(|name| (*name).to_owned()).zip(categories).collect(),
        unknown_lines: others[0],
        contradictions: others[1],
        coverage_gaps: others[2],
        policy_changes: others[3],
        bot_block_overrides: others[4],
        force_push_after_approval: others[5],
        ..Policy::default()
    })
}

/// Something that can be found in a change.
#[derive(Clone, Debug)]
enum Fault {
    Finding(Severity, &'static str),
    UnknownLine,
    Contradiction,
    Gap,
    PolicyChange,
    Override,
    ForcePush,
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        (prop::sample::select(&Severity::ALL[..]), prop::sample::select(&CATEGORIES[..]))
            .prop_map(|(severity, category)| Fault::Finding(severity, category)),
        Just(Fault::UnknownLine),
        Just(Fault::Contradiction),
        Just(Fault::Gap),
        Just(Fault::PolicyChange),
        Just(Fault::Override),
        Just(Fault::ForcePush),
    ]
}

fn count(counts: &mut Counts, fault: &Fault) {
    match fault {
        Fault::Finding(severity, category) => counts.finding(*severity, &Category::new(*category)),
        Fault::UnknownLine => counts.unknown_lines += 1,
        Fault::Contradiction => counts.contradicted_lines += 1,
        Fault::Gap => counts.gaps += 1,
        Fault::PolicyChange => counts.policy_changes += 1,
        Fault::Override => counts.signals.bot_block_overrides += 1,
        Fault::ForcePush => counts.signals.force_push_after_approval += 1,
    }
}

fn outcome(policy: &Policy, counts: &Counts) -> Outcome {
    decide(policy, counts).iter().map(|rule| rule.outcome).max().unwrap_or_default()
}

proptest! {
    #[test]
    fn one_more_fault_never_softens_an_outcome(policy in policy(), faults in prop::collection::vec(fault(), 0..12)) {
        let mut counts = Counts::default();
        let mut before = outcome(&policy, &counts);
        let mut fired: Vec<String> = Vec::new();
        for fault in &faults {
            count(&mut counts, fault);
            let now = outcome(&policy, &counts);
            prop_assert!(now >= before, "{fault:?} turned {before} into {now}");
            let codes: Vec<String> = decide(&policy, &counts).into_iter().map(|rule| rule.code).collect();
            prop_assert!(fired.iter().all(|code| codes.contains(code)), "{fault:?} silenced a rule");
            prop_assert_eq!(decide(&policy, &counts).first().map(|rule| rule.outcome).unwrap_or_default(), now);
            (before, fired) = (now, codes);
        }
    }
}

/// A line of a file of waivers that no believed key signed as it stands.
#[derive(Clone, Copy, Debug)]
enum Bad {
    Unsigned,
    Stripped,
    OtherKey,
    Altered,
    Moved,
    Spaced,
}

const BAD: [Bad; 6] = [Bad::Unsigned, Bad::Stripped, Bad::OtherKey, Bad::Altered, Bad::Moved, Bad::Spaced];

fn line(bad: Option<Bad>, finding: usize, action: WaiverAction, day: u8) -> String {
    let name = crate::waivers::finding(NAMES[finding]);
    let good = Waiver { finding: name, ..crate::waivers::waiver(action, day) };
    let signed = good.sign(&key(1)).unwrap();
    let envelope = || Envelope::parse(signed.as_bytes()).unwrap();
    match bad {
        None => signed,
        Some(Bad::Unsigned) => serde_json::to_string(&good).unwrap(),
        Some(Bad::Stripped) => Envelope { signatures: Vec::new(), ..envelope() }.to_json().unwrap(),
        Some(Bad::OtherKey) => good.sign(&key(2)).unwrap(),
        Some(Bad::Altered) => {
            let payload = serde_json::to_vec(&Waiver { until: Some("2099-01-01".into()), ..good }).unwrap();
            Envelope { payload, ..envelope() }.to_json().unwrap()
        }
        Some(Bad::Moved) => Waiver { repository: RepositoryId::Nowhere, ..good }.sign(&key(1)).unwrap(),
        Some(Bad::Spaced) => signed.replacen(':', ": ", 1),
    }
}

const NAMES: [&str; 3] = ["a", "b", "c"];

fn open_outcome(policy: &Policy, lines: &[String]) -> (Outcome, usize) {
    let waivers = crate::waivers::held(&lines.join("\n"), &[key(1).verifier()]);
    let mut counts = Counts::default();
    let open = NAMES.iter().filter(|name| waivers.get(&crate::waivers::finding(name)).is_none());
    let open = open.inspect(|_| counts.finding(Severity::High, &Category::from_static("sqli"))).count();
    (outcome(policy, &counts), open)
}

fn action() -> impl Strategy<Value = WaiverAction> {
    prop::sample::select(vec![WaiverAction::Waive, WaiverAction::Suppress, WaiverAction::Reopen])
}

proptest! {
    /// Lines that no believed key signed never soften an outcome, wherever they stand among good ones.
    #[test]
    fn a_waiver_that_does_not_hold_clears_nothing(
        policy in policy(),
        good in prop::collection::vec((0_usize..3, action(), 1_u8..29), 0..6),
        bad in prop::collection::vec((prop::sample::select(&BAD[..]), 0_usize..3, action(), 1_u8..29, 0_usize..8), 1..6),
    ) {
        let mut lines: Vec<String> = good.iter().map(|(name, action, day)| line(None, *name, *action, *day)).collect();
        let mut before = open_outcome(&policy, &lines);
        for (bad, name, action, day, at) in bad {
            lines.insert(at.min(lines.len()), line(Some(bad), name, action, day));
            let now = open_outcome(&policy, &lines);
            prop_assert!(now.0 >= before.0 && now.1 >= before.1, "{bad:?} of {name}: {before:?} became {now:?}");
            before = now;
        }
    }
}

#[test]
fn an_override_warns_and_never_takes_a_block_back() {
    let mut policy = Policy::default();
    policy.block_on_unknown(true);
    let mut counts = Counts { unknown_lines: 1, ..Counts::default() };
    assert_eq!(outcome(&policy, &counts), Outcome::Block);
    counts.finding(Severity::High, &Category::from_static("sqli"));
    counts.signals = PullRequestSignals { bot_block_overrides: 1, force_push_after_approval: 1 };
    assert_eq!(outcome(&policy, &counts), Outcome::Block);
    let mild = Policy::default();
    assert_eq!(outcome(&mild, &counts), Outcome::Warn);
    assert_eq!(outcome(&mild, &Counts::default()), Outcome::Allow);
}

#[test]
fn every_fired_rule_says_how_to_clear_it() {
    let policy = Policy { unknown_lines: Limits::WARN, ..Policy::default() };
    let mut counts =
        Counts { unknown_lines: 2, gaps: 1, contradicted_lines: 1, policy_changes: 1, ..Counts::default() };
    Severity::ALL.into_iter().for_each(|severity| counts.finding(severity, &Category::from_static("x")));
    let rules = decide(&policy, &counts);
    let codes: Vec<&str> = rules.iter().map(|rule| rule.code.as_str()).collect();
    let expected =
        ["severity:critical", "unknown_lines", "severity:high", "coverage_gap", "contradiction", "policy_change"];
    assert_eq!(codes, expected);
    assert!(rules.iter().all(|rule| !rule.to_clear.is_empty() && rule.count >= rule.threshold));
}
