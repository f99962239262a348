//! Evidence of a change, exported in one clone and taken in another that has nothing of the store.

use crate::bounded::InTime as _;
use crate::place::{Place, Said};
use agentprov_log::VerifierKey;
use agentprov_review::attribution::{Evidence, EvidenceError};
use data_encoding::{BASE64, HEXLOWER};
use serde_json::Value;
use sha2::{Digest, Sha256};

const SCRIPT: &str = "cat > app.py <<'END'
import os
import sqlite3

def find(db, name):
    return db.execute(\"SELECT * FROM users WHERE name = '\" + name + \"'\")
END
";

/// A clone in which a change was recorded, and one without a store, with the key file of the first.
struct Clones {
    recorded: Place,
    other: Place,
}

impl Clones {
    /// `later` is committed over what was recorded, by nobody who was seen.
    fn new(later: Option<&str>) -> Self {
        let recorded = Place::with_git(&[("app.py", "import os\n"), (".gitignore", ".agentprov/\n")]);
        recorded.git(&["branch", "-M", "main"]);
        recorded.git(&["switch", "--quiet", "-c", "topic"]);
        recorded.write("../edit.sh", SCRIPT);
        recorded.run(["record", "-q", "--run", "fix", "--", "sh", "../edit.sh"]).ok();
        if let Some(later) = later {
            recorded.write("app.py", format!("{}{later}", recorded.read("app.py")));
        }
        recorded.git(&["commit", "--quiet", "--all", "-m", "Work"]);
        let other = Place::new();
        let url = format!("file://{}", recorded.work().display());
        recorded.git(&["clone", "--quiet", &url, &other.work().display().to_string()]);
        other.git(&["branch", "--quiet", "main", "origin/main"]);
        std::fs::copy(recorded.data_dir().join("store.pub"), other.root().join("store.pub")).expect("the key");
        Self { recorded, other }
    }

    /// The evidence, which the other clone then has.
    fn export(&self, sign: &[&str]) -> String {
        let arguments = ["attribution", "export", "main..topic", "--output", "../evidence"];
        self.recorded.run(arguments.iter().chain(sign)).ok();
        let text = std::fs::read_to_string(self.recorded.root().join("evidence")).expect("evidence");
        self.give(&text);
        text
    }

    fn give(&self, text: impl AsRef<[u8]>) {
        std::fs::write(self.other.root().join("evidence"), text).expect("a file");
    }

    fn take(&self, arguments: &[&str]) -> Said {
        review(&self.other, &["--evidence", "../evidence"].iter().chain(arguments).copied().collect::<Vec<_>>())
    }

    fn keys(&self) -> Vec<VerifierKey> {
        vec![VerifierKey::parse(self.recorded.read(".agentprov/store.pub").trim()).expect("a key")]
    }
}

const TRUST: [&str; 2] = ["--trust", "../store.pub"];

fn review(place: &Place, arguments: &[&str]) -> Said {
    let mut command = place.command(["review", "main..topic", "--semgrep", "off"].iter().chain(arguments));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PROVENANCE_")) {
        command.env_remove(name);
    }
    Said::of(&command.output_in_time())
}

fn taken(clones: &Clones, arguments: &[&str]) -> Value {
    clones.take(&[arguments, &["--json"]].concat()).ok().json()
}

#[test]
fn two_clones_without_a_shared_store_name_the_same_owners() {
    for later in [None, Some("LIMIT = 10\n")] {
        let clones = Clones::new(later);
        let here = review(&clones.recorded, &["--json"]).ok().json();
        clones.export(&["--sign"]);
        let without = review(&clones.other, &["--json"]).ok().json();
        assert_eq!(without["owners"][0]["owner"], "unknown");
        let there = taken(&clones, &TRUST);
        assert_eq!(there["owners"], here["owners"]);
        assert_eq!(there["owners"][0]["owner"], "sh");
        assert_eq!(there["coverage"], here["coverage"]);
        assert_eq!(there["attribution"]["claims"], here["attribution"]["claims"]);
        assert!(!clones.other.data_dir().exists());
    }
}

#[test]
fn an_unsigned_file_proves_what_the_contents_show() {
    let clones = Clones::new(None);
    clones.export(&[]);
    let there = taken(&clones, &TRUST);
    assert_eq!(there["coverage"]["observed_lines"], 4);
    // Here the content at head was not recorded: which line came with which fact is the exporter's word.
    let clones = Clones::new(Some("LIMIT = 10\n"));
    clones.export(&[]);
    let there = taken(&clones, &TRUST);
    assert_eq!(there["coverage"]["asserted_lines"], 4);
    assert_eq!(there["attribution"]["claims"][0]["method"], "evidence_file");
}

#[test]
fn without_trust_a_claim_is_asserted() {
    let clones = Clones::new(None);
    for sign in [&[][..], &["--sign"]] {
        clones.export(sign);
        let there = taken(&clones, &[]);
        assert_eq!(there["coverage"]["asserted_lines"], 4);
        let said_in = there["attribution"]["claims"][0]["said_in"].as_str().expect("where it is said");
        assert!(said_in.contains("not trusted") && said_in.contains(&clones.keys()[0].to_string()), "{said_in}");
        std::fs::write(clones.other.root().join("policy.yaml"), "minimum_basis: derived\nunknown_lines: {block: 1}\n")
            .expect("a policy");
        assert_eq!(clones.take(&["--config", "../policy.yaml"]).status, 1);
        assert_eq!(clones.take(&["--config", "../policy.yaml", "--trust", "../store.pub"]).status, 0);
    }
}

#[test]
fn any_byte_that_is_another_is_refused() {
    let clones = Clones::new(None);
    let keys = clones.keys();
    for sign in [&[][..], &["--sign"]] {
        let text = clones.export(sign).into_bytes();
        assert!(Evidence::open("e", &text, &keys).is_ok());
        for place in 0..text.len() {
            let mut altered = text.clone();
            altered[place] ^= 1 << (place % 8);
            assert!(Evidence::open("e", &altered, &keys).is_err(), "byte {place} of {}", text.len());
        }
        for end in (0..text.len()).step_by(97).chain([text.len() - 1]) {
            let refused = Evidence::open("e", &text[..end], &keys);
            assert!(matches!(refused, Err(EvidenceError::Truncated(_))), "{end}: {refused:?}");
        }
        let mut altered = text.clone();
        altered[text.len() / 2] ^= 1;
        for (wrong, why) in [(altered, "altered"), (text[..text.len() / 2].to_vec(), "cut")] {
            clones.give(wrong);
            let said = clones.take(&TRUST);
            assert!(said.status == 3 && said.stderr.contains(why), "{} {}", said.status, said.stderr);
            assert!(!said.stdout.contains("outcome"));
        }
    }
}

/// Writes an unsigned file anew after a change, with the digest that it then has.
fn forged(text: &str, change: impl FnOnce(&mut String)) -> String {
    let (_, evidence) = text.trim_end().split_once(",\"evidence\":").expect("evidence");
    let mut evidence = evidence.strip_suffix('}').expect("the end").to_owned();
    change(&mut evidence);
    let digest = HEXLOWER.encode(&Sha256::digest(&evidence));
    format!("{{\"digest\":\"sha256:{digest}\",\"evidence\":{evidence}}}\n")
}

#[test]
fn a_forged_fact_is_refused_and_a_forged_line_is_no_more_than_a_claim() {
    let clones = Clones::new(Some("LIMIT = 10\n"));
    let text = clones.export(&[]);
    assert_eq!(forged(&text, |_| ()), text);
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let body = document["evidence"]["logs"][0]["facts"][0]["body"].as_str().expect("a body");
    let fact = String::from_utf8(BASE64.decode(body.as_bytes()).expect("base64")).expect("text");
    let other = BASE64.encode(fact.replacen("\"sh\"", "\"zz\"", 1).as_bytes());
    assert_ne!(other, body);
    clones.give(forged(&text, |evidence| *evidence = evidence.replacen(body, &other, 1)));
    let said = clones.take(&TRUST);
    assert!(said.status == 3 && said.stderr.contains("not proved"), "{} {}", said.status, said.stderr);
    // The line that nobody was seen to write is given to the run.
    clones.give(forged(&text, |evidence| {
        let longer = evidence.replacen("\"last\":5", "\"last\":6", 1);
        assert_ne!(longer, *evidence);
        *evidence = longer;
    }));
    let coverage = &taken(&clones, &TRUST)["coverage"];
    assert_eq!((&coverage["asserted_lines"], &coverage["observed_lines"]), (&5.into(), &0.into()));
}

#[test]
fn evidence_of_another_change_is_refused() {
    let clones = Clones::new(None);
    let stranger = Clones::new(Some("print('elsewhere')\n"));
    let text = stranger.export(&["--sign"]);
    // The base is the same content; only a file whose contents are others makes it foreign.
    let text_of_none = Place::with_git(&[("other.txt", "a\n")]);
    text_of_none.git(&["branch", "-M", "main"]);
    text_of_none.git(&["switch", "--quiet", "-c", "topic"]);
    text_of_none.record("r", "echo b >> other.txt").ok();
    text_of_none.git(&["add", "other.txt"]);
    text_of_none.git(&["commit", "--quiet", "-m", "Work"]);
    let foreign = text_of_none.run(["attribution", "export", "main..topic", "--sign"]).ok().stdout;
    clones.give(&foreign);
    let said = clones.take(&TRUST);
    assert!(said.status == 3 && said.stderr.contains("another change"), "{} {}", said.status, said.stderr);
    // One refused file in a folder ends the review.
    let folder = clones.other.root().join("folder");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("a"), clones.export(&["--sign"])).expect("a file");
    let arguments = ["--evidence", "../folder", "--trust", "../store.pub"];
    assert_eq!(review(&clones.other, &arguments).status, 0);
    std::fs::write(folder.join("b"), &foreign).expect("a file");
    assert_eq!(review(&clones.other, &arguments).status, 3);
    // Lines of a content that stands in another version of the file do not count.
    clones.give(text);
    let said = clones.take(&[&TRUST[..], &["--json"]].concat()).ok().json();
    assert_eq!(said["owners"][0]["owner"], "unknown");
    assert!(said["attribution"]["notices"][0].as_str().is_some_and(|notice| notice.contains("another content")));
}

#[test]
fn there_is_no_evidence_without_recordings() {
    let place = Place::with_git(&[("a", "a\n")]);
    let said = place.run(["attribution", "export", "HEAD..HEAD"]);
    assert!(said.status == 1 && said.stderr.contains("no recordings"), "{} {}", said.status, said.stderr);
}

#[test]
fn who_removed_a_line_travels_with_the_step_that_removed_it() {
    let clones = Clones::new(None);
    clones.recorded.git(&["branch", "--quiet", "--force", "main", "topic"]);
    clones.other.git(&["branch", "--quiet", "--force", "main", "topic"]);
    clones.recorded.record("cut", "grep -v sqlite3 app.py > app.new; cat app.new > app.py; rm app.new").ok();
    clones.recorded.git(&["commit", "--quiet", "--all", "-m", "Cut"]);
    clones.export(&["--sign"]);
    let here = review(&clones.recorded, &["--json"]).ok().json();
    let removed = |document: &Value| document["owners"][0]["removed"].clone();
    assert_eq!((here["owners"][0]["owner"].as_str(), removed(&here)), (Some("sh"), 1.into()));
    // The same line is taken out by somebody else, with another line beside it.
    let text = clones.other.read("app.py");
    clones.other.write("app.py", text.replace("import sqlite3\n", "").replace("import os\n", ""));
    clones.other.git(&["commit", "--quiet", "--all", "-m", "Mine"]);
    let there = taken(&clones, &TRUST);
    assert_eq!((there["owners"][0]["owner"].as_str(), removed(&there)), (Some("unknown"), 2.into()));
    clones.other.git(&["fetch", "--quiet", "origin"]);
    clones.other.git(&["reset", "--quiet", "--hard", "origin/topic"]);
    let there = taken(&clones, &TRUST);
    assert_eq!(there["owners"], here["owners"]);
}
