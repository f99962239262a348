//! Random histories in which every writer stamps its lines with a character of its own: whoever is said to own a line has
//! to be the one whose character it bears.

use crate::world::{Agent, World, added, commit, git, put, read, since, try_git};
use agentprov_model::VersionCause;
use agentprov_review::attribution::{Attribution, LineAttribution, LineStatus};
use agentprov_review::change::Selection;
use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::{Path, PathBuf};

const FILES: [&str; 3] = ["src/a.txt", "src/b.txt", "c.txt"];
/// The first character for private use.
const FIRST_STAMP: u32 = 0xE000;

/// A generator of numbers that depend on nothing but the seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

#[derive(Default, Debug)]
struct Score {
    right: usize,
    unknown: usize,
    people: usize,
    reasons: BTreeMap<String, usize>,
    wrong: Vec<String>,
    /// How often each operation changed a history.
    operations: BTreeMap<&'static str, usize>,
}

impl Score {
    fn add(&mut self, other: Self) {
        self.right += other.right;
        self.unknown += other.unknown;
        self.people += other.people;
        self.wrong.extend(other.wrong);
        for (reason, count) in other.reasons {
            *self.reasons.entry(reason).or_default() += count;
        }
        for (operation, count) in other.operations {
            *self.operations.entry(operation).or_default() += count;
        }
    }
}

struct History {
    world: World,
    clones: [PathBuf; 2],
    random: Random,
    /// Runs by stamp; people have none.
    stamps: BTreeMap<char, Option<String>>,
    /// Runs that only change the blanks of others' lines.
    formatters: HashSet<String>,
    root: String,
    log: Vec<String>,
    operations: BTreeMap<&'static str, usize>,
}

impl History {
    fn new(seed: u64) -> Self {
        let world = World::new();
        let first = world.repository("one", &FILES.map(|file| (file, "")));
        let root = git(&first, &["rev-parse", "HEAD"]);
        let second = world.clone_of(&first, "two", &[]);
        git(&first, &["branch", "topic"]);
        git(&second, &["branch", "topic"]);
        let random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let (stamps, formatters) = (BTreeMap::new(), HashSet::new());
        let (log, operations) = (Vec::new(), BTreeMap::new());
        Self { world, clones: [first, second], random, stamps, formatters, root, log, operations }
    }

    fn did(&mut self, operation: &'static str) {
        *self.operations.entry(operation).or_default() += 1;
    }

    fn stamp(&mut self, run: Option<String>) -> char {
        let stamp = char::from_u32(FIRST_STAMP + u32::try_from(self.stamps.len()).unwrap()).unwrap();
        self.stamps.insert(stamp, run);
        stamp
    }

    /// The text with some lines of this stamp in it and some of the others gone.
    fn edited(&mut self, text: &str, stamp: char) -> String {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for _ in 0..1 + self.random.below(3) {
            let at = self.random.below(lines.len() + 1);
            match self.random.below(4) {
                0 if at < lines.len() => {
                    lines.remove(at);
                }
                1 if at < lines.len() => lines[at] = format!("{stamp} {}", self.random.below(6)),
                _ => {
                    for _ in 0..1 + self.random.below(3) {
                        lines.insert(at, format!("{stamp} {}", self.random.below(6)));
                    }
                }
            }
        }
        lines.into_iter().map(|line| line + "\n").collect()
    }

    fn step(&mut self) {
        let clone = self.clones[self.random.below(2)].clone();
        let kind = self.random.below(20);
        self.log.push(format!("{kind} in {}", clone.file_name().unwrap().display()));
        match kind {
            0..=6 => self.agent(&clone),
            7..=8 => self.person(&clone),
            9 => self.formatter(&clone),
            10..=11 => commit(&clone, "Work"),
            // The first commit is where every check begins.
            12 if git(&clone, &["rev-parse", "HEAD"]) == self.root => commit(&clone, "Work"),
            12 => {
                git(&clone, &["add", "-A"]);
                git(&clone, &["commit", "-q", "--amend", "--allow-empty", "-m", "Amended"]);
                self.did("amend");
            }
            13 => self.partly(&clone),
            14 => self.other_branch(&clone),
            15 => self.combine(&clone, "rebase", &["-q"]),
            16 => self.combine(&clone, "cherry-pick", &[]),
            17 => self.combine(&clone, "merge", &["-q", "--no-edit"]),
            18 => self.squash(&clone),
            _ => self.fetch(&clone),
        }
    }

    fn agent(&mut self, clone: &Path) {
        let agent = self.world.begin(clone, &["agent", "--go"]);
        let stamp = self.stamp(Some(agent.run.clone()));
        for _ in 0..1 + self.random.below(3) {
            let file = FILES[self.random.below(FILES.len())];
            let text = self.edited(&read(clone, file).unwrap_or_default(), stamp);
            match self.random.below(3) {
                0 => self.world.replace(&agent, agent.process, file, &text),
                _ => self.world.write(&agent, agent.process, file, &text),
            }
            if self.random.below(6) == 0 {
                self.git_inside(&agent);
            }
        }
        self.world.end();
    }

    /// The agent stores its work away and takes it back, which git does before the recorder's eyes.
    fn git_inside(&mut self, agent: &Agent) {
        let before = FILES.map(|file| read(&agent.clone, file));
        let (stashed, _) = try_git(&agent.clone, &["stash", "-q"]);
        let between = FILES.map(|file| read(&agent.clone, file));
        let process = self.world.fixture.process(agent.process, &["/usr/bin/git", "stash"]);
        self.git_wrote(agent, process, &before, &between);
        if stashed {
            try_git(&agent.clone, &["stash", "pop", "-q"]);
        }
        let after = FILES.map(|file| read(&agent.clone, file));
        let process = self.world.fixture.process(agent.process, &["git", "stash", "pop"]);
        self.git_wrote(agent, process, &between, &after);
    }

    fn git_wrote(
        &mut self,
        agent: &Agent,
        process: agentprov_model::ProcessId,
        before: &[Option<String>; 3],
        after: &[Option<String>; 3],
    ) {
        for (index, file) in FILES.iter().enumerate().filter(|(index, _)| before[*index] != after[*index]) {
            let (before, after) = (before[index].as_deref(), after[index].as_deref());
            self.world.saw(agent, process, file, before, after, VersionCause::Closed);
        }
    }

    fn person(&mut self, clone: &Path) {
        let stamp = self.stamp(None);
        let file = FILES[self.random.below(FILES.len())];
        let text = self.edited(&read(clone, file).unwrap_or_default(), stamp);
        put(clone, file, &text);
    }

    fn formatter(&mut self, clone: &Path) {
        let file = FILES[self.random.below(FILES.len())];
        let Some(text) = read(clone, file).filter(|text| !text.is_empty()) else { return };
        let every = 1 + self.random.below(3);
        let lines = text.lines().enumerate();
        let text: String =
            lines.map(|(at, line)| if at % every == 0 { format!("  {line}\n") } else { format!("{line}\n") }).collect();
        let agent = self.world.begin(clone, &["prettier", "--write", "."]);
        self.formatters.insert(agent.run.clone());
        self.world.write(&agent, agent.process, file, &text);
        self.world.end();
        self.did("formatter");
    }

    /// Commits some hunks of a file only.
    fn partly(&mut self, clone: &Path) {
        let file = FILES[self.random.below(FILES.len())];
        let Some(text) = read(clone, file) else { return };
        let head = git_text(clone, &format!("HEAD:{file}"));
        let (old, new): (Vec<&str>, Vec<&str>) =
            (head.split_inclusive('\n').collect(), text.split_inclusive('\n').collect());
        let olds: Vec<&[u8]> = old.iter().map(|line| line.as_bytes()).collect();
        let news: Vec<&[u8]> = new.iter().map(|line| line.as_bytes()).collect();
        let mut staged = String::new();
        let mut at = 0;
        for hunk in agentprov_graph::diff::hunks(&olds, &news) {
            old[at..hunk.before.start].iter().for_each(|line| staged.push_str(line));
            let take = self.random.below(2) == 0;
            let lines = if take { &new[hunk.after.clone()] } else { &old[hunk.before.clone()] };
            lines.iter().for_each(|line| staged.push_str(line));
            at = hunk.before.end;
        }
        old[at..].iter().for_each(|line| staged.push_str(line));
        put(clone, file, &staged);
        git(clone, &["add", file]);
        put(clone, file, &text);
        self.check_selection(clone, &Selection::Staged, &mut Score::default());
        if staged != head && staged != text {
            self.did("partial commit");
        }
        git(clone, &["commit", "-q", "--allow-empty", "-m", "Partly"]);
    }

    fn other_branch(&mut self, clone: &Path) {
        commit(clone, "Before the switch");
        let here = git(clone, &["rev-parse", "--abbrev-ref", "HEAD"]);
        git(clone, &["switch", "-q", if here == "main" { "topic" } else { "main" }]);
    }

    fn combine(&mut self, clone: &Path, command: &'static str, options: &[&str]) {
        commit(clone, "Before the other branch");
        let here = git(clone, &["rev-parse", "--abbrev-ref", "HEAD"]);
        let other = if here == "main" { "topic" } else { "main" };
        let before = git(clone, &["rev-parse", "HEAD"]);
        if !try_git(clone, &[&[command], options, &[other]].concat()).0 {
            try_git(clone, &[command, "--abort"]);
            git(clone, &["reset", "-q", "--hard"]);
        } else if git(clone, &["rev-parse", "HEAD"]) != before {
            self.did(command);
        }
    }

    fn squash(&mut self, clone: &Path) {
        commit(clone, "Before the squash");
        let here = git(clone, &["rev-parse", "--abbrev-ref", "HEAD"]);
        let other = if here == "main" { "topic" } else { "main" };
        if try_git(clone, &["merge", "-q", "--squash", other]).0 {
            if !git(clone, &["diff", "--cached", "--name-only"]).is_empty() {
                self.did("squash");
            }
            git(clone, &["commit", "-q", "--allow-empty", "-m", "Squashed"]);
        } else {
            git(clone, &["reset", "-q", "--hard"]);
        }
    }

    fn fetch(&mut self, clone: &Path) {
        commit(clone, "Before the fetch");
        let other = self.clones.iter().find(|other| *other != clone).unwrap().clone();
        let url = format!("file://{}", other.display());
        git(clone, &["fetch", "-q", &url, "main"]);
        if !try_git(clone, &["merge", "-q", "--no-edit", "FETCH_HEAD"]).0 {
            git(clone, &["reset", "-q", "--hard"]);
        }
    }

    fn check(&mut self, score: &mut Score) {
        for clone in self.clones.clone() {
            self.check_selection(&clone, &Selection::Worktree, score);
            commit(&clone, "End");
            self.check_selection(&clone, &since(&self.root.clone()), score);
        }
    }

    fn check_selection(&mut self, clone: &Path, selection: &Selection, score: &mut Score) {
        let (change, attribution) = self.world.review(clone, selection);
        for (text, line) in added(&change, &attribution) {
            let stamp = text.trim_start().chars().next().unwrap();
            let writer = self.stamps[&stamp].clone();
            self.judge(&text, writer.as_deref(), &attribution, &line, score);
        }
    }

    fn judge(
        &self,
        text: &str,
        writer: Option<&str>,
        attribution: &Attribution,
        line: &LineAttribution,
        score: &mut Score,
    ) {
        let run = |id: &agentprov_review::attribution::ClaimId| {
            attribution.claim(*id).deed.as_ref().map(|deed| deed.run_id.clone()).unwrap_or_default()
        };
        let owner = line.claims.first().map(run).filter(|_| line.status == LineStatus::Owned);
        match (owner, writer) {
            (None, None) => score.people += 1,
            (None, Some(_)) => {
                let reason = line.reason.clone().unwrap_or_else(|| "several may have written it".into());
                *score.reasons.entry(reason).or_default() += 1;
                score.unknown += 1;
            }
            (Some(owner), Some(writer)) if owner == writer => score.right += 1,
            // Whoever formats a line is shown together with whoever wrote it, if that was seen.
            (Some(owner), writer) if self.formatters.contains(&owner) => {
                let earlier: Vec<String> = line.earlier.iter().map(run).collect();
                let agents: Vec<&String> = earlier.iter().filter(|run| !self.formatters.contains(*run)).collect();
                match writer {
                    Some(writer) if agents.iter().any(|agent| *agent == writer) => score.right += 1,
                    None => score.people += 1,
                    Some(_) => score.unknown += 1,
                }
            }
            (Some(owner), writer) => {
                score.wrong.push(format!("'{text}' is by {writer:?}, said to be by {owner}: {:?}", self.log));
            }
        }
    }
}

/// Contents exactly as git has them.
fn git_text(clone: &Path, name: &str) -> String {
    let output = std::process::Command::new("git").arg("-C").arg(clone).args(["cat-file", "blob", name]).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

/// Histories in a run of all tests.
const HISTORIES: u64 = 200;
/// Histories where time does not matter: `cargo xtask test --full`.
const FULL_HISTORIES: u64 = 2_000;
/// What may lose the owner of a line; histories without one of them would show less than they seem to.
const OPERATIONS: [&str; 7] = ["amend", "cherry-pick", "formatter", "merge", "partial commit", "rebase", "squash"];

fn played(seed: u64) -> Score {
    let mut history = History::new(seed);
    for _ in 0..14 {
        history.step();
    }
    let mut score = Score::default();
    history.check(&mut score);
    score.wrong.iter_mut().for_each(|wrong| wrong.insert_str(0, &format!("seed {seed}: ")));
    score.operations = history.operations;
    score
}

/// The sum over the seeds, on every processor.
fn played_all(seeds: Range<u64>) -> Score {
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut total = Score::default();
    std::thread::scope(|scope| {
        let seeds = &seeds;
        let share = move |thread: usize| seeds.clone().skip(thread).step_by(threads);
        let start = |thread| scope.spawn(move || share(thread).map(played).collect::<Vec<_>>());
        let workers: Vec<_> = (0..threads).map(start).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).for_each(|score| total.add(score));
    });
    total
}

#[test]
fn nobody_is_said_to_have_written_what_another_stamped() {
    let number =
        |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let usual = if std::env::var_os("AGENTPROV_TEST_FULL").is_some() { FULL_HISTORIES } else { HISTORIES };
    let histories = number("AGENTPROV_ORACLE_HISTORIES", usual);
    let first = number("AGENTPROV_ORACLE_SEED", 1);
    let Score { right, unknown, people, reasons, wrong, operations } = played_all(first..first + histories);
    eprintln!("{histories} histories: {right} right, {unknown} unknown, {people} people's, {} wrong", wrong.len());
    reasons.iter().for_each(|(reason, count)| eprintln!("{count:5} {reason}"));
    eprintln!("{operations:?}");
    assert!(wrong.is_empty(), "{} lines have a wrong owner:\n{}", wrong.len(), wrong.join("\n"));
    assert!(right > 0 && people > 0, "the histories have no lines of both kinds");
    let share = 100.0 * unknown as f64 / (right + unknown) as f64;
    assert!(share < 2.0, "{share:.1} % of recorded lines have no owner");
    if histories >= HISTORIES {
        let missing: Vec<_> = OPERATIONS.iter().filter(|name| !operations.contains_key(*name)).collect();
        assert!(missing.is_empty(), "the histories have no {missing:?}");
    }
}
