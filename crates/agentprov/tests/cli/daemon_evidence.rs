//! A posted diff, and the evidence that comes with it from the clone in which the change was recorded.

use crate::bounded::InTime as _;
use crate::place::{PROGRAM, Place};
use crate::service::Daemon;
use serde_json::{Value, json};
use std::process::Command;

/// A clone in which a change was recorded, and the host of a service that has nothing of it but a key.
struct Hosts {
    recorded: Place,
    service: Place,
}

impl Hosts {
    fn new() -> Self {
        let recorded = Place::with_git(&[("app.py", "import os\nprint(os.name)\n"), (".gitignore", ".agentprov/\n")]);
        recorded.git(&["branch", "-M", "main"]);
        recorded.git(&["switch", "--quiet", "-c", "topic"]);
        recorded.record("fix", "printf 'import os\\nimport pickle\\n' > app.py; printf 'all = 1' > new.py");
        recorded.git(&["add", "--all"]);
        recorded.git(&["commit", "--quiet", "-m", "Work"]);
        recorded.run(["attribution", "export", "main..topic", "--sign", "--output", "../evidence"]).ok();
        let service = Place::new();
        std::fs::copy(recorded.data_dir().join("store.pub"), service.root().join("trusted.pub")).expect("the key");
        Self { recorded, service }
    }

    fn evidence(&self) -> String {
        std::fs::read_to_string(self.recorded.root().join("evidence")).expect("evidence")
    }

    /// The change as a forge or a hook would post it, with so many lines of context.
    fn change(&self, context: &str, evidence: &[String]) -> Value {
        let diff = self.recorded.git(&["diff", context, "main..topic"]);
        let commit = |name: &str| self.recorded.git(&["rev-parse", name]).trim().to_owned();
        json!({
            "repo": "org/name", "pr_number": 7, "base_sha": commit("main"), "head_sha": commit("topic"),
            "diff": diff, "evidence": evidence,
        })
    }
}

fn posted(daemon: &Daemon, change: &Value) -> Value {
    let (status, accepted) = daemon.post("", change);
    assert_eq!(status, 202, "{accepted}");
    daemon.decided(accepted["analysis_id"].as_str().expect("an id"))
}

fn coverage(shown: &Value) -> (&Value, &Value) {
    assert_eq!(shown["status"], "completed", "{shown}");
    let coverage = &shown["risk_summary"]["coverage"];
    (&coverage["total_lines"], &coverage["attributed_lines"])
}

fn verified(daemon: &Daemon) -> Value {
    let path = "/v1/analytics/summary?metric=verified_coverage&basis=all_runs";
    daemon.get(path).1["result"]["total"]["numerator"].clone()
}

#[test]
fn evidence_of_a_trusted_key_shows_who_wrote_the_lines_of_a_posted_diff() {
    let hosts = Hosts::new();
    let daemon = Daemon::start_with(&hosts.service, &["--trust", "../trusted.pub"], &[]);
    // Two lines came and one went.
    let alone = posted(&daemon, &hosts.change("-U1000", &[]));
    assert_eq!(coverage(&alone), (&json!(3), &json!(0)), "{alone}");
    assert_eq!(alone["findings_total"], 1, "{alone}");
    assert_eq!(verified(&daemon), json!(0));
    let shown = posted(&daemon, &hosts.change("-U1000", &[hosts.evidence()]));
    assert_eq!(coverage(&shown), (&json!(3), &json!(3)), "{shown}");
    assert_eq!(verified(&daemon), json!(3));
    let id = shown["analysis_id"].as_str().expect("an id");
    let finding = daemon.get(&format!("/v1/analysis/{id}/findings")).1["findings"][0].clone();
    let agent = finding["attribution"]["agent_id"].as_str().unwrap_or_default();
    assert!(agent.contains("sh"), "{finding}");

    // Who trusts the same key comes to the same decision from the input that was kept.
    let bundle = daemon.get(&format!("/v1/analysis/{id}/bundle")).1;
    let statement = hosts.service.write("decision.json", bundle["statement"].to_string());
    let mut command = Command::new(PROGRAM);
    command.args(["verify", "--statement"]).arg(statement);
    let output = hosts.service.surround(&mut command).output_in_time();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn evidence_without_trust_is_a_claim_and_evidence_that_does_not_hold_is_refused() {
    let hosts = Hosts::new();
    let daemon = Daemon::start(&hosts.service);
    let shown = posted(&daemon, &hosts.change("-U1000", &[hosts.evidence()]));
    assert_eq!((coverage(&shown), verified(&daemon)), ((&json!(3), &json!(3)), json!(0)));
    // What is posted in part can't be compared with what was recorded: the whole new file can, the other can't.
    let part = posted(&daemon, &hosts.change("-U0", &[hosts.evidence()]));
    assert_eq!(coverage(&part), (&json!(3), &json!(1)), "{part}");

    let tampered = hosts.evidence().replacen('A', "B", 1);
    let (status, problem) = daemon.post("", &hosts.change("-U1000", &[hosts.evidence(), tampered]));
    assert_eq!((status, &problem["detail"][0]["loc"]), (422, &json!(["body", "evidence", 1])), "{problem}");
    let mut other = hosts.change("-U1000", &[hosts.evidence()]);
    other["head_sha"] = json!("c".repeat(40));
    other["diff"] = json!("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n");
    let (status, problem) = daemon.post("", &other);
    assert_eq!((status, &problem["detail"][0]["loc"]), (422, &json!(["body", "evidence"])), "{problem}");
    other["diff"] = json!("nonsense");
    let (status, problem) = daemon.post("", &other);
    assert_eq!((status, &problem["detail"][0]["loc"]), (422, &json!(["body", "diff"])), "{problem}");
}
