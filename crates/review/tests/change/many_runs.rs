//! What a review asks of a store does not grow with the runs that have nothing to do with the change.

use crate::world::{World, commit, git, since};
use agentprov_review::attribution::{Sources, attribute};
use agentprov_review::change::{Repository, from_git};
use std::path::{Path, PathBuf};

/// Runs in folders of their own, and in the clone itself, that write other files.
fn strangers(world: &mut World, clone: &Path, from: usize, count: usize) {
    for number in from..from + count {
        let folder: PathBuf = clone.with_file_name(format!("stranger-{number}"));
        let text = format!("line of {number}\n");
        world.agent_writes(&folder, &["agent"], &format!("notes/{number}.txt"), &text);
        world.agent_writes(clone, &["agent"], &format!("other-{number}.txt"), &text);
    }
}

/// How often the postings of a run were asked, and how many added lines have an owner.
fn work(world: &mut World, clone: &Path, base: &str) -> (u64, usize) {
    let repository = Repository::find(clone).unwrap();
    let reader = world.fixture.reader();
    let change = from_git(&repository, &since(base)).unwrap();
    let before = reader.look_ups();
    let sources = Sources { repository: Some(&repository), reader: Some(&reader), ..Sources::default() };
    let attribution = attribute(&change, &sources).unwrap();
    let lines = attribution.files.iter().flat_map(|file| &file.lines);
    (reader.look_ups() - before, lines.filter(|line| attribution.owner(line).is_some()).count())
}

#[test]
fn runs_that_hold_nothing_of_a_change_are_not_opened() {
    let mut world = World::new();
    let clone =
        world.repository("one", &[("a.py", "x = 1\ny = 2\n"), ("src/b.py", "b\n"), (".gitignore", "other-*\n")]);
    git(&clone, &["switch", "-q", "-c", "topic"]);
    strangers(&mut world, &clone, 0, 2);
    world.agent_writes(&clone, &["agent"], "a.py", "x = 1\ny = 20\nadded\n");
    // A content that no run has, between what two runs have.
    world.agent_writes(&clone, &["agent"], "src/b.py", "b\nc\n");
    crate::world::put(&clone, "src/b.py", "b\nc\nby hand\n");
    commit(&clone, "Work");
    let few = work(&mut world, &clone, "main");
    // Two lines of a.py come and one goes, one of src/b.py is recorded, and one was typed.
    assert_eq!(few.1, 4);
    assert!(few.0 > 0);
    strangers(&mut world, &clone, 2, 30);
    assert_eq!(work(&mut world, &clone, "main"), few);
    // A run that wrote one of the files is asked.
    world.agent_writes(&clone, &["agent"], "src/b.py", "b\nc\nby hand\nmore\n");
    commit(&clone, "More");
    let (more, owned) = work(&mut world, &clone, "main");
    assert!(more > few.0 && owned == 5, "{more} {owned}");
}

#[test]
fn what_a_removed_run_wrote_has_no_owner() {
    let mut world = World::new();
    let clone = world.repository("one", &[("a.py", "x = 1\n")]);
    git(&clone, &["switch", "-q", "-c", "topic"]);
    let agent = world.agent_writes(&clone, &["agent"], "a.py", "x = 1\ny = 2\n");
    commit(&clone, "Work");
    assert_eq!(work(&mut world, &clone, "main").1, 1);
    let store = world.fixture.reader().store().clone();
    store.writer().unwrap().remove_run(&agent.run.parse().unwrap(), "jo", "a test").unwrap();
    assert_eq!(work(&mut world, &clone, "main").1, 0);
}
