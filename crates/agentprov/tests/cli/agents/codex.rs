//! Codex, with a model that plays a script.

use super::npm::{self, Package};
use super::session::{Session, call, roots};
use serde_json::json;

const PACKAGE: Package = Package {
    name: "@openai/codex@0.169.0",
    program: "@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex",
};

const SETTINGS: [(&str, &str); 1] = [("OPENAI_API_KEY", "made-up")];

/// The model is one of which this version knows that it has a tool for patches. Nothing is asked beside the model.
const CONFIG: &str = r#"
model = "gpt-5.5"
model_provider = "scripted"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false

[analytics]
enabled = false

[otel]
exporter = "none"
metrics_exporter = "none"
trace_exporter = "none"

[features]
plugins = false
remote_plugin = false

[model_providers.scripted]
name = "scripted"
base_url = "http://127.0.0.1:1/v1"
wire_api = "responses"
"#;

/// Where the model is stands in the environment, once its server runs.
const STARTED: &str = "program=$1; exec \"$program\" exec --skip-git-repo-check --dangerously-bypass-hook-trust \
    -c model_providers.scripted.base_url=\"\\\"$OPENAI_BASE_URL\\\"\" 'do it'";

impl Session {
    /// None, said on standard output, where something is missing.
    pub(crate) fn codex(test: &str) -> Option<Self> {
        let mut session = Self::new(npm::agent(test, PACKAGE)?, &[], &SETTINGS);
        session.words.splice(0..0, ["sh", "-c", STARTED, "started"].map(str::to_owned));
        let folder = session.place.root().join("home/.codex");
        std::fs::create_dir(&folder).expect("a folder");
        std::fs::write(folder.join("config.toml"), CONFIG).expect("a file can be written");
        session.place.run(["setup", "codex", "--user"]).ok();
        Some(session)
    }

    fn command(&mut self, id: &str, command: &str) -> &mut Self {
        self.step(&[(id, "exec_command", json!({"cmd": command}))])
    }
}

#[test]
fn calls_of_codex_find_their_effects() {
    let Some(mut session) = Session::codex("calls_of_codex_find_their_effects") else { return };
    session.place.write("edit.txt", "one\ntwo\n");
    let patch = "*** Begin Patch\n*** Update File: edit.txt\n@@\n one\n-two\n+three\n*** Add File: added.txt\n+added\n*** End Patch";
    session.command("t-shell", "echo one >shell.txt");
    session.step(&[("t-patch", "apply_patch", json!(patch))]);
    session.command("t-fails", "echo no >fails.txt; exit 3");
    session.command("t-again-1", "echo again >>again.txt").command("t-again-2", "echo again >>again.txt");
    let document = session.reconciled("codex-sequence");
    let files: [(&str, &[&str]); 5] = [
        ("t-shell", &["shell.txt"]),
        ("t-patch", &["added.txt", "edit.txt"]),
        ("t-fails", &["fails.txt"]),
        ("t-again-1", &["again.txt"]),
        ("t-again-2", &["again.txt"]),
    ];
    session.matched(&document, &files);
    assert_eq!(document["counts"]["calls"], 5, "{document:#}");
    let pair = ["t-again-1", "t-again-2"].map(|id| roots(&document, id));
    assert!(pair.iter().all(|roots| roots.len() == 1 && roots[0]["rung"] == "unique_command"), "{pair:#?}");
    assert_ne!(pair[0][0]["process_id"], pair[1][0]["process_id"]);
    for (name, line, owner) in [
        ("shell.txt", 0, "t-shell"),
        ("edit.txt", 1, "t-patch"),
        ("added.txt", 0, "t-patch"),
        ("fails.txt", 0, "t-fails"),
        ("again.txt", 0, "t-again-1"),
        ("again.txt", 1, "t-again-2"),
    ] {
        session.owns(owner, name, line);
    }
}

/// Calls of one answer run at once: different ones keep apart, equal ones can't be told from each other.
#[test]
fn parallel_calls_of_codex_are_never_mixed_up() {
    let Some(mut session) = Session::codex("parallel_calls_of_codex_are_never_mixed_up") else { return };
    session.place.write("read.txt", "text\n");
    let shell = |command: &str| json!({"cmd": command});
    session.step(&[
        ("t-1", "exec_command", shell("sleep 0.3; echo 1 >one.txt")),
        ("t-2", "exec_command", shell("sleep 0.3; echo 2 >two.txt")),
    ]);
    let equal = shell("cat read.txt; sleep 0.5");
    session.step(&[("t-equal-1", "exec_command", equal.clone()), ("t-equal-2", "exec_command", equal)]);
    let document = session.reconciled("codex-parallel");
    session.matched(&document, &[("t-1", &["one.txt"]), ("t-2", &["two.txt"])]);
    for (id, other) in [("t-equal-1", "t-equal-2"), ("t-equal-2", "t-equal-1")] {
        assert_eq!(call(&document, id)["state"], "ambiguous", "{document:#}");
        let roots = roots(&document, id);
        assert!(roots.iter().all(|root| root["alternatives"] == json!([other])), "{document:#}");
    }
}
