//! Hooks put into settings and taken out: golden files before and after, and the way back to the byte.
//!
//! `setup/CASE.before` is a settings file (absent: there is none), `setup/CASE.after` what becomes of it; the program's
//! path stands as `@PROGRAM@`.

use crate::bounded::InTime as _;
use crate::place::{HOOK_PROGRAM, PROGRAM, Place, Said};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Case, agent, scope, settings file below home or project.
const CASES: &[(&str, &str, &str, &str)] = &[
    ("claude-new", "claude", "--user", ".claude/settings.json"),
    ("claude-comments", "claude", "--user", ".claude/settings.json"),
    ("claude-hooks", "claude", "--project", ".claude/settings.json"),
    ("claude-crlf", "claude", "--project", ".claude/settings.json"),
    ("codex-new", "codex", "--project", ".codex/hooks.json"),
    ("codex-hooks", "codex", "--user", ".codex/hooks.json"),
    ("gemini-settings", "gemini", "--user", ".gemini/settings.json"),
    ("gemini-minified", "gemini", "--project", ".gemini/settings.json"),
    ("cursor-new", "cursor", "--user", ".cursor/hooks.json"),
    ("cursor-hooks", "cursor", "--project", ".cursor/hooks.json"),
];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/setup").join(name)
}

fn program() -> String {
    PathBuf::from(HOOK_PROGRAM).canonicalize().expect("it is there").to_str().expect("a plain path").to_owned()
}

fn file_of(place: &Place, scope: &str, file: &str) -> PathBuf {
    let root = if scope == "--user" { place.root().join("home") } else { place.work() };
    std::fs::create_dir_all(place.root().join("home")).expect("a home");
    root.join(file)
}

fn put(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders can be made");
    std::fs::write(path, bytes).expect("a file can be written");
}

#[test]
fn settings_change_as_the_golden_files_say_and_come_back_to_the_byte() {
    let update = std::env::var_os("AGENTPROV_UPDATE_GOLDEN").is_some();
    for (case, agent, scope, file) in CASES {
        let place = Place::new();
        let path = file_of(&place, scope, file);
        let before = std::fs::read(golden(&format!("{case}.before"))).ok();
        if let Some(before) = &before {
            put(&path, before);
        }
        let shown = place.run(["setup", agent, scope, "--dry-run"]).ok();
        assert_eq!(std::fs::read(&path).ok(), before, "{case}: a dry run changes nothing");
        assert!(shown.stdout.contains(&format!("+++ {}", path.display())), "{case}: {}", shown.stdout);

        let said = place.run(["setup", agent, scope]).ok();
        assert!(said.stdout.contains("\n+"), "{case}: the change is shown: {}", said.stdout);
        let after = std::fs::read_to_string(&path).expect("the settings are there");
        let general = after.replace(&program(), "@PROGRAM@");
        let expected = golden(&format!("{case}.after"));
        if update {
            std::fs::write(&expected, &general).expect("a golden file can be written");
        }
        assert_eq!(general, std::fs::read_to_string(&expected).expect("a golden file"), "{case}");

        let again = place.run(["setup", agent, scope]).ok();
        assert!(again.stdout.contains("set up already"), "{case}: {}", again.stdout);
        assert_eq!(std::fs::read_to_string(&path).expect("still there"), after, "{case}: twice is once");

        place.run(["setup", agent, scope, "--remove"]).ok();
        assert_eq!(std::fs::read(&path).ok(), before, "{case}: taken out to the byte");
        let folder = path.parent().expect("a folder");
        assert_eq!(folder.exists(), before.is_some(), "{case}: a folder that was made goes too");
        let nothing = place.run(["setup", agent, scope, "--remove"]).ok();
        assert!(nothing.stdout.contains("no hooks of agentprov"), "{case}: {}", nothing.stdout);
    }
}

#[test]
fn without_its_receipt_a_removal_still_takes_out_only_our_hooks() {
    for (case, agent, scope, file) in CASES {
        let Ok(before) = std::fs::read(golden(&format!("{case}.before"))) else { continue };
        let place = Place::new();
        let path = file_of(&place, scope, file);
        put(&path, &before);
        place.run(["setup", agent, scope]).ok();
        std::fs::remove_dir_all(place.root().join("state")).expect("receipts were there");
        place.run(["setup", agent, scope, "--remove"]).ok();
        let after = std::fs::read_to_string(&path).expect("still there");
        assert!(!after.contains(&program()), "{case}: {after}");
        if *case == "claude-hooks" || *case == "cursor-hooks" || *case == "claude-crlf" {
            assert_eq!(after.as_bytes(), before, "{case}: lists that held something come back to the byte");
        }
    }
}

#[test]
fn what_others_changed_meanwhile_stays() {
    let place = Place::new();
    let path = file_of(&place, "--user", ".claude/settings.json");
    put(&path, b"{\n  \"model\": \"a\"\n}\n");
    place.run(["setup", "claude"]).ok();
    let text = std::fs::read_to_string(&path).expect("there").replace("\"model\": \"a\"", "\"model\": \"b\"");
    std::fs::write(&path, text).expect("it can be changed");
    place.run(["setup", "claude", "--remove"]).ok();
    assert_eq!(std::fs::read_to_string(&path).expect("there"), "{\n  \"model\": \"b\"\n}\n");
}

#[test]
fn hooks_of_another_path_are_replaced_and_foreign_ones_beside_them_kept() {
    let place = Place::new();
    let path = file_of(&place, "--user", ".claude/settings.json");
    let old = r#"{"type": "command", "command": "/gone/agentprov", "args": ["hook", "claude"], "timeout": 5}"#;
    let theirs = r#"{"type": "command", "command": "notify-send"}"#;
    put(&path, format!("{{\"hooks\": {{\"Stop\": [{{\"hooks\": [{old}, {theirs}]}}]}}}}\n").as_bytes());
    let doctor = place.run(["doctor"]).ok().stdout;
    assert!(doctor.contains("hooks call /gone/agentprov, which is not there"), "{doctor}");
    place.run(["setup", "claude"]).ok();
    let text = std::fs::read_to_string(&path).expect("there");
    assert!(!text.contains("/gone/"), "{text}");
    assert!(text.contains(&format!("{{\"hooks\": [{theirs}]}}")), "{text}");
    assert_eq!(text.matches(&program()).count(), 30, "{text}");
}

#[test]
fn a_link_to_the_settings_stays_a_link_and_permissions_stay() {
    let place = Place::new();
    let link = file_of(&place, "--user", ".gemini/settings.json");
    let real = place.root().join("dotfiles/gemini.json");
    put(&real, b"{}\n");
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o600)).expect("permissions can be set");
    std::fs::create_dir_all(link.parent().expect("a folder")).expect("a folder");
    std::os::unix::fs::symlink("../../dotfiles/gemini.json", &link).expect("a link");
    let said = place.run(["setup", "gemini"]).ok();
    assert!(said.stdout.contains("is a link to"), "{}", said.stdout);
    assert!(link.is_symlink());
    assert!(std::fs::read_to_string(&real).expect("there").contains("BeforeTool"));
    assert_eq!(real.metadata().expect("there").permissions().mode() & 0o777, 0o600);
    place.run(["setup", "gemini", "--remove"]).ok();
    assert_eq!(std::fs::read(&real).expect("there"), b"{}\n");
    std::fs::remove_file(&real).expect("it can be removed");
    let dangling = place.run(["setup", "gemini"]);
    assert_eq!((dangling.status, real.exists()), (1, false), "{}", dangling.stderr);
}

#[test]
fn broken_settings_are_refused_with_their_place_and_left_alone() {
    let cases: [(&[u8], &str); 4] = [
        (b"{\n  \"hooks\": {,}\n}", ":2:13: expected a key"),
        (b"{\n  \"hooks\": []\n}", ":2:12: 'hooks' is expected to be an object"),
        (b"{\"hooks\": {\"Stop\": 3}}", ":1:20: 'hooks.Stop' is expected to be a list"),
        (b"{\"a\":\n\"\xff\"}", ":2:2: this byte is not UTF-8"),
    ];
    for (bytes, reason) in cases {
        let place = Place::new();
        let path = file_of(&place, "--user", ".claude/settings.json");
        put(&path, bytes);
        let said = place.run(["setup", "claude"]);
        assert_eq!(said.status, 1);
        assert!(said.stderr.contains(&format!("{}{reason}", path.display())), "{}", said.stderr);
        assert_eq!(std::fs::read(&path).expect("there"), bytes);
    }
}

#[test]
fn doctor_says_whether_hooks_are_alive() {
    let place = Place::new();
    let none = place.run(["doctor", "--json"]).ok().json();
    assert_eq!(none["agents"][0]["state"], "limited");
    // A copy of the program's place that can be taken away.
    let copy = place.root().join("bin/agentprov");
    std::fs::create_dir_all(copy.parent().expect("a folder")).expect("a folder");
    std::fs::hard_link(PROGRAM, &copy).or_else(|_| std::fs::copy(PROGRAM, &copy).map(|_| ())).expect("a copy");
    let mut command = std::process::Command::new(&copy);
    std::fs::create_dir_all(place.root().join("home")).expect("a home");
    Said::of(&place.surround(command.args(["setup", "codex"])).output_in_time()).ok();
    let agents = place.run(["doctor", "--json"]).ok().json()["agents"].clone();
    assert_eq!((&agents[0]["name"], &agents[0]["state"]), (&"codex hooks".into(), &"ok".into()), "{agents}");
    put(&place.root().join("home/.codex/config.toml"), b"[features]\nhooks = false\n");
    let agents = place.run(["doctor", "--json"]).ok().json()["agents"].clone();
    assert_eq!(agents[0]["state"], "limited", "{agents}");
    std::fs::remove_file(&copy).expect("it can be taken away");
    let agents = place.run(["doctor", "--json"]).ok().json()["agents"].clone();
    assert_eq!(agents[0]["state"], "missing", "{agents}");
    assert_eq!(agents[0]["way_out"], "agentprov setup codex --user");
    let file = place.root().join("home/.codex/hooks.json");
    put(&file, b"{\"hooks\": [1,}");
    let agents = place.run(["doctor", "--json"]).ok().json()["agents"].clone();
    assert_eq!(agents[0]["way_out"], "repair the file, then: agentprov setup codex --user");
    std::fs::remove_file(&file).and_then(|()| std::fs::create_dir(&file)).expect("a folder in its place");
    let doctor = place.run(["doctor"]).ok().stdout;
    assert!(doctor.contains("make it readable, then: agentprov setup codex --user"), "{doctor}");
}
