//! Signed claims on single lines: taken in another clone, and in no other place than that which was signed.

use crate::place::{Place, Said};
use agentprov_attest::Envelope;
use agentprov_log::VerifierKey;
use agentprov_review::attribution::{LINE_CLAIM_TYPE, LineClaims};
use serde_json::{Value, json};

/// A clone in which a change was recorded, and one without a store, with the key file and the claims of the first.
struct Clones {
    recorded: Place,
    other: Place,
    claims: String,
}

impl Clones {
    fn new() -> Self {
        let recorded = Place::with_git(&[("app.py", "import os\n"), (".gitignore", ".agentprov/\n")]);
        recorded.git(&["branch", "-M", "main"]);
        recorded.git(&["switch", "--quiet", "-c", "topic"]);
        recorded.record("fix", "printf 'import os\\nimport sys\\nprint(sys.argv)\\n' > app.py");
        recorded.git(&["commit", "--quiet", "--all", "-m", "Work"]);
        let export = ["attribution", "export", "main..topic", "--format", "line-claims", "--output", "../claims"];
        recorded.run(export).ok();
        let other = Place::new();
        let url = format!("file://{}", recorded.work().display());
        recorded.git(&["clone", "--quiet", &url, &other.work().display().to_string()]);
        other.git(&["branch", "--quiet", "main", "origin/main"]);
        std::fs::copy(recorded.data_dir().join("store.pub"), other.root().join("store.pub")).expect("the key");
        let claims = std::fs::read_to_string(recorded.root().join("claims")).expect("claims");
        Self { recorded, other, claims }
    }

    fn take(&self, claims: &str, more: &[&str]) -> Said {
        std::fs::write(self.other.root().join("claims"), claims).expect("a file");
        let words = ["review", "main..topic", "--semgrep", "off", "--json", "--evidence", "../claims"];
        let mut command = self.other.command(words.iter().chain(more));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PROVENANCE_")) {
            command.env_remove(name);
        }
        Said::of(&command.output().expect("the program runs"))
    }

    fn refused(&self, claims: &str, why: &str) {
        let said = self.take(claims, &TRUST);
        assert!(said.status == 3 && said.stderr.contains(why), "{} {}", said.status, said.stderr);
    }

    fn keys(&self) -> Vec<VerifierKey> {
        vec![VerifierKey::parse(self.recorded.read(".agentprov/store.pub").trim()).expect("a key")]
    }
}

const TRUST: [&str; 2] = ["--trust", "../store.pub"];

fn of(document: &Value) -> (u64, u64, u64, &Value) {
    let count = |name: &str| document["coverage"][name].as_u64().expect("a count");
    let coverage = ("attributed_lines", "derived_lines", "asserted_lines");
    (count(coverage.0), count(coverage.1), count(coverage.2), &document["attribution"]["claims"][0]["author"]["name"])
}

#[test]
fn claims_of_a_trusted_key_name_the_same_owners_and_those_of_others_only_say_so() {
    let clones = Clones::new();
    assert_eq!(clones.claims.lines().count(), 2);
    let document = clones.take(&clones.claims, &TRUST).ok().json();
    assert_eq!(of(&document), (2, 2, 0, &json!("sh")), "{document}");
    assert_eq!(document["attribution"]["claims"][0]["method"], "signed_claim");
    let document = clones.take(&clones.claims, &[]).ok().json();
    assert_eq!(of(&document), (2, 0, 2, &json!("sh")), "{document}");
    // Each stands alone.
    let second = format!("{}\n", clones.claims.lines().nth(1).expect("two claims"));
    let document = clones.take(&second, &TRUST).ok().json();
    assert_eq!(of(&document), (1, 1, 0, &json!("sh")), "{document}");
    assert_eq!(document["attribution"]["files"][0]["lines"][0]["status"], "unknown");
}

#[test]
fn nothing_of_a_claim_can_be_altered() {
    let clones = Clones::new();
    let line = clones.claims.lines().next().expect("a claim");
    let envelope = Envelope::parse(line.as_bytes()).expect("an envelope");
    let text = String::from_utf8(envelope.payload.clone()).expect("text");
    let said: Value = serde_json::from_str(&text).expect("a claim");
    let fields = said.as_object().expect("fields");
    assert!(["repository", "commit", "path", "line", "sha256", "author"].iter().all(|name| fields.contains_key(*name)));
    for (name, value) in fields {
        let other = match (name.as_str(), value) {
            ("repository", _) => json!(format!("git:{}", "b".repeat(40))),
            ("author", _) => json!({"kind": "human", "name": "jo"}),
            ("basis", _) => json!("derived"),
            ("key", _) => continue,
            (_, Value::Number(number)) => json!(number.as_u64().expect("a line") + 1),
            (_, value) => json!(value.as_str().expect("text").replace(['a', '0'], "1") + "1"),
        };
        let altered = text.replacen(&format!("{name:?}:{value}"), &format!("{name:?}:{other}"), 1);
        assert_ne!(altered, text, "{name}");
        let line = Envelope { payload: altered.into_bytes(), ..envelope.clone() }.to_json().expect("JSON");
        let opened = LineClaims::open("x", format!("{line}\n").as_bytes(), &clones.keys());
        assert!(opened.is_err(), "{name}");
    }
    for at in 0..line.len() {
        for with in [b'A', b'b', b' '] {
            let mut bytes = format!("{line}\n").into_bytes();
            if bytes[at] != with {
                bytes[at] = with;
                assert!(LineClaims::open("x", &bytes, &clones.keys()).is_err(), "byte {at} as {with}");
            }
        }
    }
    clones.refused(&clones.claims.replace("\"sig\":\"", "\"sig\":\"AAAA"), "line 1");
    clones.refused(clones.claims.trim_end(), "cut");
    // Another key's signature over the same words is not that of the key in them.
    let forger = agentprov_log::SignerKey::from_seed("forger", &[7; 32]).expect("a key");
    let forged = Envelope::sign(LINE_CLAIM_TYPE, envelope.payload, &forger).to_json().expect("JSON");
    clones.refused(&format!("{forged}\n"), "no key");
}

#[test]
fn a_claim_does_not_move_to_another_commit_line_or_repository() {
    let clones = Clones::new();
    // Another commit with the same content.
    clones.other.git(&["commit", "--quiet", "--amend", "-m", "Other words"]);
    clones.refused(&clones.claims, "none of its claims");
    clones.other.git(&["reset", "--quiet", "--hard", "origin/topic"]);
    // The same words in another line of a later commit are another line.
    clones.other.write("more.py", "import sys\n");
    clones.other.write("app.py", "import os\nprint(sys.argv)\nimport sys\n");
    clones.other.git(&["add", "--all"]);
    clones.other.git(&["commit", "--quiet", "-m", "Shuffle"]);
    let document = clones.take(&clones.claims, &TRUST).ok().json();
    assert_eq!(document["coverage"]["derived_lines"], 1, "{document}");
    let more =
        document["attribution"]["files"].as_array().expect("files").iter().find(|file| file["path"] == "more.py");
    assert_eq!(more.expect("the file")["lines"][0]["status"], "unknown");
    // A history that begins otherwise is another repository.
    clones.other.git(&["switch", "--quiet", "--orphan", "fresh"]);
    clones.other.write("app.py", "import os\n");
    clones.other.git(&["add", "app.py"]);
    clones.other.git(&["commit", "--quiet", "-m", "Another"]);
    clones.other.git(&["branch", "-M", "main"]);
    clones.other.git(&["switch", "--quiet", "-C", "topic"]);
    clones.other.write("app.py", "import os\nimport sys\n");
    clones.other.git(&["commit", "--quiet", "--all", "-m", "Work"]);
    clones.refused(&clones.claims, "another repository");
}
