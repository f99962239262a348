//! Changes at random places: whatever is touched, `verify` refuses it, and says what kind of change it was.

use crate::bounded::InTime as _;
use crate::place::Place;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Changes of each kind.
const ROUNDS: u64 = 12;

/// Numbers that are the same in every run of the test (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// A store with two runs, and copies of it to change.
struct Victim {
    place: Place,
    original: PathBuf,
    facts: u64,
}

impl Victim {
    fn new() -> Self {
        let place = Place::new();
        let script = "i=0; while [ $i -lt 12 ]; do echo $i >f$i; i=$((i + 1)); done; cat f1 f2 >g";
        place.record("one", script).ok();
        place.record("two", "echo 3 >c").ok();
        let facts = place.facts("one").len() as u64;
        let original = place.root().join("original");
        copy(&place.data_dir(), &original);
        Self { place, original, facts }
    }

    fn restore(&self) {
        std::fs::remove_dir_all(self.place.data_dir()).expect("the changed copy can go");
        copy(&self.original, &self.place.data_dir());
    }

    fn sql(&self, text: &str) {
        let database = self.place.data_dir().join("store.db");
        let output = Command::new("sqlite3").arg(database).arg(text).output_in_time();
        assert!(output.status.success(), "{text}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn query(&self, text: &str) -> String {
        let database = self.place.data_dir().join("store.db");
        let output = Command::new("sqlite3").arg(database).arg(text).output_in_time();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Flips one bit of a blob that a query finds.
    fn flip(&self, table: &str, column: &str, condition: &str, random: &mut Random) {
        let hex = self.query(&format!("SELECT hex({column}) FROM {table} WHERE {condition}"));
        let mut bytes = data_encoding::HEXUPPER.decode(hex.as_bytes()).expect("hex");
        let at = random.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 << random.below(8);
        let hex = data_encoding::HEXUPPER.encode(&bytes);
        self.sql(&format!("UPDATE {table} SET {column} = X'{hex}' WHERE {condition}"));
    }

    /// What `verify --all` finds: its status, and the outcomes of everything that failed or is open.
    fn verdict(&self) -> (i32, Vec<String>) {
        let said = self.place.run(["verify", "--all", "--json"]);
        let document: serde_json::Value = serde_json::from_str(&said.stdout)
            .unwrap_or_else(|error| panic!("no report ({error}): {} {}", said.stdout, said.stderr));
        let mut outcomes = Vec::new();
        let runs = document["runs"].as_array().cloned().unwrap_or_default();
        for checks in std::iter::once(&document["checks"]).chain(runs.iter().map(|run| &run["checks"])) {
            for check in checks.as_array().into_iter().flatten().filter(|check| check["state"] == "fail") {
                let findings = check["findings"].as_array().cloned().unwrap_or_default();
                outcomes.extend(findings.iter().filter_map(|finding| finding["outcome"].as_str().map(str::to_owned)));
            }
        }
        (said.status, outcomes)
    }
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp runs").success());
}

/// Makes `ROUNDS` changes of a kind; each must be refused with one of the reasons.
fn refuse(victim: &Victim, kind: &str, reasons: &[&str], mut change: impl FnMut(&mut Random)) {
    let mut random = Random(kind.bytes().map(u64::from).sum());
    for round in 0..ROUNDS {
        victim.restore();
        change(&mut random);
        let (status, found) = victim.verdict();
        assert_eq!(status, 1, "{kind}, round {round}: {found:?}");
        assert!(found.iter().any(|outcome| reasons.contains(&outcome.as_str())), "{kind}, round {round}: {found:?}");
    }
}

#[test]
fn changes_at_random_places_are_refused_with_their_own_reason() {
    let victim = Victim::new();
    assert_eq!(victim.verdict().0, 0, "the untouched store verifies");
    let base = "(SELECT no << 40 FROM run WHERE id = 'one')";
    let facts = victim.facts;
    let at = |seq: u64| format!("pos = {base} + {seq}");

    refuse(&victim, "flip a bit of a fact", &["altered-fact"], |random| {
        let place = at(random.below(facts));
        victim.flip("fact", "body", &place, random);
    });
    refuse(&victim, "delete a fact", &["missing-body", "truncated"], |random| {
        victim.sql(&format!("DELETE FROM fact WHERE {}", at(random.below(facts))));
    });
    refuse(&victim, "swap two facts", &["reordered"], |random| {
        let (one, other) = (random.below(facts / 2), facts / 2 + random.below(facts / 2));
        victim.sql(&format!(
            "CREATE TEMP TABLE held AS SELECT body FROM fact WHERE {one};
             UPDATE fact SET body = (SELECT body FROM fact WHERE {other}) WHERE {one};
             UPDATE fact SET body = (SELECT body FROM held) WHERE {other}",
            one = at(one),
            other = at(other)
        ));
    });
    refuse(&victim, "duplicate a fact", &["duplicate"], |random| {
        let (one, other) = (random.below(facts / 2), facts / 2 + random.below(facts / 2));
        let body = format!("(SELECT body FROM fact WHERE {})", at(one));
        victim.sql(&format!("UPDATE fact SET body = {body} WHERE {}", at(other)));
    });
    refuse(&victim, "cut the tail", &["truncated"], |random| {
        let from = 1 + random.below(facts - 1);
        victim.sql(&format!("DELETE FROM fact WHERE pos >= {base} + {from} AND pos < {base} + (1 << 40)"));
    });
    refuse(&victim, "flip a bit of a leaf hash", &["altered-fact", "broken-link"], |random| {
        victim.flip("leaf", "hashes", &format!("pos = {base}"), random);
    });
    refuse(
        &victim,
        "flip a bit of the ledger",
        &["altered-fact", "broken-link", "malformed", "split-view"],
        |random| {
            let entry = random.below(4);
            victim.flip("ledger", "body", &format!("seq = {entry}"), random);
        },
    );
    refuse(&victim, "drop a ledger entry", &["truncated", "missing-body", "broken-link", "rollback"], |random| {
        victim.sql(&format!("DELETE FROM ledger WHERE seq = {}", random.below(4)));
    });
    let heads = ["invalid-signature", "malformed", "unknown-key", "unsigned", "subject-mismatch"];
    refuse(&victim, "change a letter of a head", &heads, |random| {
        let length: u64 =
            victim.query("SELECT length(checkpoint) FROM run WHERE id = 'one'").parse().expect("a number");
        let at = 1 + random.below(length - 1);
        victim.sql(&format!(
            "UPDATE run SET checkpoint = substr(checkpoint, 1, {at} - 1) ||
             CASE substr(checkpoint, {at}, 1) WHEN 'x' THEN 'y' ELSE 'x' END || substr(checkpoint, {at} + 1) WHERE id = 'one'"
        ));
    });
    refuse(&victim, "claim another size without a signature", &["unsigned"], |random| {
        let size = [-1, i64::MAX, 1 << 40, 1 << 30][random.below(4) as usize];
        victim.sql(&format!("UPDATE run SET checkpoint = '', size = {size} WHERE id = 'one'"));
    });
    refuse(&victim, "put a byte that is no text into a head", &heads, |random| {
        let length: u64 =
            victim.query("SELECT length(checkpoint) FROM run WHERE id = 'one'").parse().expect("a number");
        let mut head = victim.query("SELECT hex(checkpoint) FROM run WHERE id = 'one'");
        let at = random.below(length) as usize * 2;
        head.replace_range(at..at + 2, "FF");
        victim.sql(&format!("UPDATE run SET checkpoint = CAST(X'{head}' AS TEXT) WHERE id = 'one'"));
    });
    refuse(&victim, "change a blob", &["corrupt-content", "missing-content"], |random| {
        let found = Command::new("find").arg(victim.place.data_dir().join("blobs")).args(["-type", "f"]).output();
        let text = String::from_utf8_lossy(&found.expect("find runs").stdout).into_owned();
        let mut blobs: Vec<&str> = text.lines().collect();
        blobs.sort_unstable();
        let blob = blobs[random.below(blobs.len() as u64) as usize];
        let mut bytes = std::fs::read(blob).expect("readable");
        std::fs::remove_file(blob).expect("it can go");
        if random.below(3) > 0 {
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] ^= 1 << random.below(8);
            std::fs::write(blob, bytes).expect("it can be written");
        }
    });
}
