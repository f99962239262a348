//! More rules and worse facts never soften a verdict.

use agentprov_model::{OsBytes, RuleMode, Verdict};
use agentprov_policy::rules::RuleFile;
use agentprov_policy::{PolicyEvent, RuleSet, pack};
use proptest::prelude::*;

fn event() -> impl Strategy<Value = PolicyEvent> {
    let path =
        prop::sample::select(vec!["/w/.env", "/w/a.txt", "/root/.ssh/authorized_keys", "/w/.git/hooks/x", "/w/x.key"]);
    let ip = prop::sample::select(vec!["169.254.169.254", "10.0.0.1", "203.0.113.9", "127.0.0.1", "::ffff:10.0.0.1"]);
    let kind = prop::sample::select(vec!["execve", "file_open", "network_connect", "ptrace", "setuid", "private_cidr"]);
    let args =
        prop::sample::subsequence(vec!["bash", "-c", "pip install x", "sudo", "setuid_root", "http://10.0.0.1/"], 0..6);
    (kind, prop::option::of(path), prop::option::of(ip), args, any::<[bool; 3]>()).prop_map(
        |(kind, path, ip, args, [reads, writes, failed])| PolicyEvent {
            source: "test".into(),
            event_type: kind.into(),
            paths: path.map(OsBytes::from).into_iter().collect(),
            dst: ip.map(str::to_owned),
            dst_ip: ip.and_then(|ip| ip.parse().ok()),
            args: args.into_iter().map(str::to_owned).collect(),
            reads,
            writes,
            failed,
            ..PolicyEvent::default()
        },
    )
}

fn subset(chosen: &[usize]) -> RuleSet {
    let (file, _) = pack::default_file();
    let rules = chosen.iter().filter_map(|&index| file.rules.get(index).cloned()).collect();
    RuleSet::new(RuleFile { rules, classes: file.classes }).expect("compiles")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn one_more_rule_never_softens(
        event in event(),
        rules in prop::sample::subsequence((0..pack::DEFAULT.len()).collect::<Vec<_>>(), 0..8),
        more in 0..pack::DEFAULT.len(),
        at_front in any::<bool>(),
    ) {
        let mut extended = rules.clone();
        extended.insert(if at_front { 0 } else { rules.len() }, more);
        extended.dedup();
        let (fewer, more) = (subset(&rules), subset(&extended));
        for mode in [RuleMode::Detect, RuleMode::Enforce] {
            let (before, after) = (fewer.judge(&event, mode), more.judge(&event, mode));
            prop_assert!(after.verdict >= before.verdict);
            prop_assert!(after.intended >= before.intended);
            prop_assert!(after.severity >= before.severity);
        }
    }

    #[test]
    fn worse_facts_never_soften(event in event()) {
        let rules = pack::default_rules().expect("the pack");
        let before = rules.judge(&event, RuleMode::Enforce).verdict;
        let tainted = PolicyEvent { tainted: true, ..event.clone() };
        prop_assert!(rules.judge(&tainted, RuleMode::Enforce).verdict >= before);
        let mut secret = event.clone();
        secret.paths.push(OsBytes::from("/home/u/.aws/credentials"));
        prop_assert!(rules.judge(&secret, RuleMode::Enforce).verdict >= before);
    }

    #[test]
    fn the_verdict_is_that_of_the_strictest_match_and_detect_never_acts(event in event()) {
        let rules = pack::default_rules().expect("the pack");
        let enforced = rules.judge(&event, RuleMode::Enforce);
        let strictest = enforced.matched_rules().iter().map(|rule| rule.verdict).max().unwrap_or(Verdict::Allow);
        prop_assert_eq!(enforced.verdict, strictest);
        prop_assert!(rules.judge(&event, RuleMode::Detect).verdict <= Verdict::Audit);
    }
}
