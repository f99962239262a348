//! Owners of lines that were recorded once, after git has moved them about.

use crate::world::{World, added, commit, git, owner, put, since};
use agentprov_review::attribution::{LineSide, LineStatus, Method, Sources, blame};
use agentprov_review::change::{Repository, Selection};

const AGENT: &[&str] = &["/usr/bin/claude", "-p", "work"];

fn rows(rows: &[(String, String)]) -> Vec<(&str, &str)> {
    rows.iter().map(|(text, owner)| (text.as_str(), owner.as_str())).collect()
}

/// A repository in which a run has written and somebody has committed.
fn committed() -> (World, std::path::PathBuf, String) {
    let mut world = World::new();
    let clone = world.repository("one", &[("a.py", "x = 1\ny = 2\nz = 3\n"), ("b.py", "b\n")]);
    git(&clone, &["switch", "-q", "-c", "topic"]);
    let agent = world.agent_writes(&clone, AGENT, "a.py", "x = 1\ny = 20\nadded\nz = 3\n");
    commit(&clone, "Work");
    (world, clone, agent.run)
}

#[test]
fn a_commit_of_what_was_recorded_has_the_run_as_owner() {
    let (mut world, clone, run) = committed();
    let owners = world.owners(&clone, &since("main"));
    assert_eq!(rows(&owners), [("y = 20", run.as_str()), ("added", run.as_str())]);
    let (_, attribution) = world.review(&clone, &since("main"));
    let lines = &attribution.files[0].lines;
    let removed: Vec<_> = lines.iter().filter(|line| line.side == LineSide::Removed).collect();
    assert_eq!((removed.len(), owner(&attribution, removed[0])), (1, run));
    let claim = attribution.owner(&lines[0]).unwrap();
    assert_eq!((claim.method, claim.author.name()), (Method::RecordedVersion, "claude-code"));
}

#[test]
fn rebase_squash_cherry_pick_and_amend_keep_owners() {
    let (mut world, clone, run) = committed();
    let expected = [("y = 20", run.as_str()), ("added", run.as_str())];
    git(&clone, &["commit", "-q", "--amend", "-m", "Other words"]);
    assert_eq!(rows(&world.owners(&clone, &since("main"))), expected, "amend");
    git(&clone, &["switch", "-q", "main"]);
    put(&clone, "a.py", "top\nx = 1\ny = 2\nz = 3\n");
    commit(&clone, "Upstream");
    git(&clone, &["switch", "-q", "topic"]);
    git(&clone, &["rebase", "-q", "main"]);
    assert_eq!(rows(&world.owners(&clone, &since("main"))), expected, "rebase");
    git(&clone, &["switch", "-q", "-c", "picked", "main"]);
    git(&clone, &["cherry-pick", "topic"]);
    assert_eq!(rows(&world.owners(&clone, &since("main"))), expected, "cherry-pick");
    git(&clone, &["switch", "-q", "-c", "squashed", "main~1"]);
    git(&clone, &["merge", "-q", "--squash", "topic"]);
    git(&clone, &["commit", "-q", "-m", "Squash"]);
    let owners = world.owners(&clone, &since("main~1"));
    assert_eq!(rows(&owners), [("top", "-"), ("y = 20", run.as_str()), ("added", run.as_str())], "squash");
}

#[test]
fn saving_a_file_unchanged_makes_nobody_an_owner() {
    let mut world = World::new();
    let clone = world.repository("one", &[("a.py", "x = 1\n")]);
    git(&clone, &["branch", "topic"]);
    put(&clone, "a.py", "x = 1\nby a person\n");
    let agent = world.begin(&clone, AGENT);
    // An editor writes a file beside it and renames that over it, though nothing has changed; then it adds a line.
    world.replace(&agent, agent.process, "a.py", "x = 1\nby a person\n");
    world.replace(&agent, agent.process, "a.py", "x = 1\nby a person\nby the agent\n");
    world.end();
    commit(&clone, "Work");
    let owners = world.owners(&clone, &since("topic"));
    assert_eq!(rows(&owners), [("by a person", "-"), ("by the agent", agent.run.as_str())]);
}

#[test]
fn partial_staging_gives_owners_to_what_was_staged() {
    let mut world = World::new();
    let clone = world.repository("one", &[("a.py", "1\n2\n3\n4\n5\n6\n7\n8\n")]);
    let agent = world.agent_writes(&clone, AGENT, "a.py", "1\nfirst\n2\n3\n4\n5\n6\n7\nlast\n8\n");
    // What `git add -p` leaves in the index when the second hunk is declined.
    put(&clone, "a.py", "1\nfirst\n2\n3\n4\n5\n6\n7\n8\n");
    git(&clone, &["add", "a.py"]);
    put(&clone, "a.py", "1\nfirst\n2\n3\n4\n5\n6\n7\nlast\n8\nmine\n");
    let owners = world.owners(&clone, &Selection::Staged);
    assert_eq!(rows(&owners), [("first", agent.run.as_str())]);
    let (change, attribution) = world.review(&clone, &Selection::Staged);
    let (_, line) = &added(&change, &attribution)[0];
    assert_eq!(attribution.owner(line).unwrap().method, Method::PreservedLine);
    let owners = world.owners(&clone, &Selection::Worktree);
    assert_eq!(rows(&owners), [("first", agent.run.as_str()), ("last", agent.run.as_str()), ("mine", "-")]);
}

#[test]
fn lines_pass_through_people_formatters_and_renames() {
    let mut world = World::new();
    let clone = world.repository("one", &[("a.py", "x\n")]);
    let agent = world.agent_writes(&clone, AGENT, "a.py", "x\nagent 1\nagent 2\n");
    put(&clone, "a.py", "x\nagent 1\nhuman\nagent 2\n");
    let formatted = world.begin(&clone, &["black", "."]);
    world.replace(&formatted, formatted.process, "a.py", "x\n  agent 1\nhuman\nagent 2\n");
    world.end();
    commit(&clone, "First");
    git(&clone, &["mv", "a.py", "c.py"]);
    put(&clone, "c.py", "x\n  agent 1\nhuman\nagent 2\nend\n");
    commit(&clone, "All");
    let owners = world.owners(&clone, &since("HEAD~2"));
    let (agent, formatter) = (agent.run.as_str(), formatted.run.as_str());
    assert_eq!(rows(&owners)[1..], [("  agent 1", formatter), ("human", "-"), ("agent 2", agent), ("end", "-")]);
    let (change, attribution) = world.review(&clone, &since("HEAD~2"));
    let lines = added(&change, &attribution);
    let (_, line) = lines.iter().find(|(text, _)| text == "  agent 1").unwrap();
    let earlier: Vec<_> = line.earlier.iter().map(|id| attribution.claim(*id).deed.clone().unwrap().run_id).collect();
    assert_eq!(earlier, [agent]);
}

#[test]
fn what_git_brings_into_a_recorded_work_tree_is_not_written_by_it() {
    let mut world = World::new();
    let clone = world.repository("one", &[("a.py", "x\n")]);
    let agent = world.begin(&clone, AGENT);
    let git_process = world.fixture.process(agent.process, &["git", "merge", "other"]);
    world.write(&agent, git_process, "a.py", "x\nfrom elsewhere\n");
    world.write(&agent, agent.process, "a.py", "x\nfrom elsewhere\nown\n");
    world.end();
    commit(&clone, "All");
    let owners = world.owners(&clone, &since("HEAD~1"));
    assert_eq!(rows(&owners), [("from elsewhere", "-"), ("own", agent.run.as_str())]);
}

#[test]
fn another_clone_has_the_same_owners_and_another_project_has_none() {
    let (mut world, clone, run) = committed();
    let other = world.clone_of(&clone, "two", &["-b", "topic"]);
    git(&other, &["fetch", "-q", "origin", "main:main"]);
    assert_eq!(rows(&world.owners(&other, &since("main"))), [("y = 20", run.as_str()), ("added", run.as_str())]);
    put(&other, "a.py", "x = 1\ny = 20\nadded\nmore\nz = 3\n");
    let owners = world.owners(&other, &Selection::Worktree);
    assert_eq!(rows(&owners), [("more", "-")]);
    let stranger = world.repository("three", &[("a.py", "q\n")]);
    put(&stranger, "a.py", "q\nadded\n");
    assert_eq!(rows(&world.owners(&stranger, &Selection::Worktree)), [("added", "-")]);
}

#[test]
fn words_of_commits_are_claims_and_contradictions_are_shown() {
    let (mut world, clone, run) = committed();
    put(&clone, "b.py", "b\nunseen\n");
    git(&clone, &["add", "-A"]);
    git(&clone, &["commit", "-q", "--amend", "-m", "Work\n\nCo-authored-by: Codex <noreply@openai.com>"]);
    let (change, attribution) = world.review(&clone, &since("main"));
    let lines = added(&change, &attribution);
    let unseen = &lines.iter().find(|(text, _)| text == "unseen").unwrap().1;
    let claim = attribution.owner(unseen).unwrap();
    assert_eq!((claim.method, claim.author.name()), (Method::CommitTrailer, "codex"));
    let seen = &lines.iter().find(|(text, _)| text == "added").unwrap().1;
    assert_eq!((owner(&attribution, seen), seen.contradicted, seen.claims.len()), (run, true, 2));
}

#[test]
fn a_merge_has_the_owners_of_both_sides() {
    let (mut world, clone, run) = committed();
    git(&clone, &["switch", "-q", "-c", "second", "main"]);
    let second = world.agent_writes(&clone, &["codex"], "a.py", "x = 1\ny = 2\nz = 3\nsecond\n");
    commit(&clone, "Second");
    git(&clone, &["merge", "-q", "-m", "Merge", "topic"]);
    let (first, second) = (run.as_str(), second.run.as_str());
    assert_eq!(rows(&world.owners(&clone, &since("main"))), [("y = 20", first), ("added", first), ("second", second)]);
    let parent = Selection::Parent { commit: "HEAD".into(), parent: 2 };
    assert_eq!(rows(&world.owners(&clone, &parent)), [("second", second)]);
}

#[test]
fn blame_follows_lines_across_runs_and_commits() {
    let (mut world, clone, run) = committed();
    put(&clone, "a.py", "x = 1\ny = 20\nadded\nz = 3\nhand\n");
    git(&clone, &["mv", "a.py", "moved.py"]);
    commit(&clone, "More\n\nAgent-ID: aider");
    let repository = Repository::find(&clone).unwrap();
    let reader = world.fixture.reader();
    let sources = Sources { repository: Some(&repository), reader: Some(&reader), ..Sources::default() };
    let blamed = blame(&repository, &sources, &"moved.py".into(), "HEAD").unwrap();
    let lines = &blamed.attribution.files[0].lines;
    let owners: Vec<String> = lines.iter().map(|line| owner(&blamed.attribution, line)).collect();
    assert_eq!(owners, ["-", &run, &run, "-", "aider"]);
    assert_eq!(lines[0].status, LineStatus::Unknown);
    let subjects: Vec<String> =
        lines.iter().map(|line| git(&clone, &["log", "-1", "--format=%s", line.commit.as_ref().unwrap()])).collect();
    assert_eq!(subjects, ["Begin", "Work", "Work", "Begin", "More"]);
}

#[test]
fn line_ends_that_a_checkout_turned_do_not_hide_the_owner() {
    let mut world = World::new();
    let clone = world.repository("one", &[("a.bat", "x\n")]);
    git(&clone, &["config", "core.autocrlf", "true"]);
    let agent = world.agent_writes(&clone, AGENT, "a.bat", "x\r\nagent\r\n");
    commit(&clone, "Work");
    assert_eq!(rows(&world.owners(&clone, &since("HEAD~1"))), [("agent", agent.run.as_str())]);
}
