//! What the existing service's rules find, ours find: the same lines, whole or as the fragments that its clients post.
//!
//! Its rules are restated here from what they are documented to do: a line with an upper-case SQL word and a
//! concatenation or formatting, the words `eval(` and `exec(`, and imports of five modules.

use super::engine;
use agentprov_review::LineSet;
use agentprov_review::detect::{Detector, GapReason, ScanFile};
use regex::Regex;

/// Extension, line, and whether ours are to find it; a line that they rightly do not report says `false`.
const CORPUS: &[(&str, &str, bool)] = &[
    ("py", r#"query = "SELECT * FROM users WHERE id = " + user_id"#, true),
    ("py", r#"    cursor.execute("SELECT name FROM users WHERE id = %s" % user_id)"#, true),
    ("py", r#"        cursor.execute("DELETE FROM users WHERE name = '{}'".format(name))"#, true),
    ("py", r#"cursor.execute("INSERT INTO users VALUES ('" + name + "')")"#, true),
    ("py", r#"sql = "UPDATE users SET name = '" + name + "' WHERE id = 1""#, true),
    ("py", r#"    "SELECT * FROM users WHERE name = '" + name"#, true),
    ("py", r#"    return db.run("SELECT * FROM a WHERE b = " + str(b),"#, true),
    ("py", r#"# "SELECT * FROM users WHERE id = " + user_id"#, false),
    ("js", r#"const q = "SELECT * FROM users WHERE id = " + id;"#, true),
    ("js", r#"  db.query('SELECT * FROM users WHERE name = \'' + name + '\'', done);"#, true),
    ("js", r#"    .then(() => db.query("DELETE FROM users WHERE id = " + id))"#, true),
    ("ts", r#"const q: string = "SELECT * FROM users WHERE id = " + id;"#, true),
    ("ts", r#"  return this.db.query("UPDATE users SET a = " + a + " WHERE id = 1");"#, true),
    ("go", r#"query := "SELECT * FROM users WHERE id = " + id"#, true),
    ("go", r#"	rows, err := db.Query("SELECT * FROM users WHERE id = " + id)"#, true),
    ("go", r#"	query := fmt.Sprintf("SELECT * FROM users WHERE id = %s", id)"#, true),
    ("java", r#"String q = "SELECT * FROM users WHERE id = " + id;"#, true),
    ("java", r#"    stmt.executeQuery("DELETE FROM users WHERE id = " + id);"#, true),
    ("cs", r#"var q = "SELECT * FROM Users WHERE Id = " + id;"#, true),
    ("cs", r#"var q = string.Format("SELECT * FROM Users WHERE Id = {0}", id);"#, true),
    ("py", "result = eval(expression)", true),
    ("py", "    return [eval(x) for x in y]", true),
    ("py", "value = eval('1 + 1')", true),
    ("py", "if eval(condition):", true),
    ("js", "const v = eval(code);", true),
    ("js", "  if (eval(code)) {", true),
    ("ts", "const v = eval(code) as number;", true),
    ("py", "exec(code)", true),
    ("py", "    exec(compile(source, name, 'exec'), scope)", true),
    ("js", "exec('ls ' + folder, done);", true),
    ("js", "  exec(command, (error, out) => {", true),
    ("ts", "child_process.exec(command);", true),
    ("js", "const m = pattern.exec(text);", false),
    ("py", "import pickle", true),
    ("py", "import os", true),
    ("py", "import os.path as p", true),
    ("py", "    import subprocess", true),
    ("py", "from subprocess import run, PIPE", true),
    ("py", "from os import (", true),
    ("py", "import tempfile, json", true),
    ("py", "import shlex", true),
];

fn service_rules() -> Vec<(&'static str, Regex)> {
    let words = "SELECT|INSERT|UPDATE|DELETE";
    [
        (
            "sql-injection-concat",
            format!(r#"\b(?:{words})\b.*(?:["']\s*[+%]|\.format\()|(?:Sprintf|Format)\(\s*"(?:{words})\b"#),
        ),
        ("dangerous-eval", r"\beval\s*\(".to_owned()),
        ("dangerous-exec", r"\bexec\s*\(".to_owned()),
        ("PY001", r"^\s*(?:import|from)\s+(?:pickle|subprocess|os|tempfile|shlex)".to_owned()),
    ]
    .map(|(rule, pattern)| (rule, Regex::new(&pattern).unwrap()))
    .into()
}

fn found(path: String, code: &str, rule: &str, fragment: bool) -> bool {
    let mut file = ScanFile::whole(path, format!("{code}\n").into_bytes(), LineSet::all());
    file.fragment = fragment;
    let scan = engine().scan(&[file]);
    assert!(!fragment || scan.gaps.iter().any(|gap| gap.reason == GapReason::Fragment));
    scan.findings.iter().any(|finding| finding.rule.as_str() == rule)
}

#[test]
fn ours_find_what_the_services_rules_find() {
    let rules = service_rules();
    let mut lost = Vec::new();
    for (extension, code, wanted) in CORPUS {
        let hits: Vec<_> = rules.iter().filter(|(_, regex)| regex.is_match(code)).map(|(rule, _)| *rule).collect();
        assert!(!hits.is_empty(), "the service finds nothing in {code}");
        // The last word of `compile(..., 'exec')` is one of the service's, too.
        for rule in hits {
            for fragment in [false, true] {
                if found(format!("a.{extension}"), code, rule, fragment) != *wanted {
                    lost.push(format!("{rule}, fragment: {fragment}, wanted: {wanted}: {code}"));
                }
            }
        }
    }
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}
