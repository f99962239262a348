//! What a change of a real repository consists of.

use crate::world::{World, commit, git, put, since};
use agentprov_review::change::{
    Change, ChangeError, ChangeKind, FileContent, Origin, Repository, Selection, from_diff, from_git,
};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

fn change(clone: &Path, selection: &Selection) -> Result<Change, ChangeError> {
    from_git(&Repository::find(clone).unwrap(), selection)
}

fn summary(change: &Change) -> Vec<(String, ChangeKind, usize, usize)> {
    let row = |file: &agentprov_review::change::ChangedFile| {
        (file.path.clone(), file.kind, file.added().count(), file.removed().count())
    };
    change.files.iter().map(row).collect()
}

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\n\
    oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";

#[test]
fn every_kind_of_file_is_taken_in() {
    let world = World::new();
    let text = "1\n2\n3\n4\n5\n6\n7\n8\n";
    let clone =
        world.repository("one", &[("gone", "a\nb\n"), ("moved", text), ("tool", "x\n"), ("with space \"q", "x\n")]);
    let inner = world.repository("inner", &[("i", "i\n")]);
    std::fs::remove_file(clone.join("gone")).unwrap();
    git(&clone, &["mv", "moved", "t\u{e4}rget"]);
    put(&clone, "t\u{e4}rget", &text.replace('5', "five"));
    std::fs::set_permissions(clone.join("tool"), std::fs::Permissions::from_mode(0o755)).unwrap();
    put(&clone, "with space \"q", "x\r\ny\r\n");
    std::fs::write(clone.join("data.bin"), b"a\0b").unwrap();
    put(&clone, "big", POINTER);
    symlink("tool", clone.join("link")).unwrap();
    git(&clone, &["submodule", "--quiet", "add", &format!("file://{}", inner.display()), "sub"]);
    commit(&clone, "Change");
    let found = change(&clone, &since("HEAD~1")).unwrap();
    let expected = [
        (".gitmodules", ChangeKind::Added, 3, 0),
        ("big", ChangeKind::Added, 3, 0),
        ("data.bin", ChangeKind::Added, 0, 0),
        ("gone", ChangeKind::Deleted, 0, 2),
        ("link", ChangeKind::Added, 1, 0),
        ("sub", ChangeKind::Added, 0, 0),
        ("tool", ChangeKind::Modified, 0, 0),
        ("t\u{e4}rget", ChangeKind::Renamed, 1, 1),
        ("with space \"q", ChangeKind::Modified, 2, 1),
    ];
    let rows = summary(&found);
    let rows: Vec<_> =
        rows.iter().map(|(path, kind, added, removed)| (path.as_str(), *kind, *added, *removed)).collect();
    assert_eq!(rows, expected);
    assert!(matches!(found.files[1].new.content, FileContent::LfsPointer { size: 12345, .. }));
    assert!(matches!(found.files[5].new.content, FileContent::Submodule(_)));
    assert_eq!((found.files[6].old.mode, found.files[6].new.mode), (0o100_644, 0o100_755));
    // The same from the text of the diff, which says nothing of what is inside a binary file.
    let diff = std::process::Command::new("git").arg("-C").arg(&clone).args(["diff", "-M", "HEAD~1", "HEAD"]).output();
    let from_text = from_diff(&diff.unwrap().stdout).unwrap();
    let without_submodule = |rows: Vec<(String, ChangeKind, usize, usize)>| {
        rows.into_iter().filter(|row| row.0 != "sub").collect::<Vec<_>>()
    };
    assert_eq!(without_submodule(summary(&from_text)), without_submodule(summary(&found)));
}

#[test]
fn spans_agree_with_git() {
    let world = World::new();
    let clone = world.repository("one", &[("a", "1\n2\n3\n4\n5\n6\n")]);
    put(&clone, "a", "0\n1\n2\nthree\n4\n6\n7");
    let found = change(&clone, &Selection::Worktree).unwrap();
    let spans: Vec<_> = found.files[0].spans.iter().map(|span| (span.old.clone(), span.new.clone())).collect();
    let numstat = git(&clone, &["diff", "--numstat"]);
    assert_eq!(spans, [(0..0, 0..1), (2..3, 3..4), (4..5, 5..5), (6..6, 6..7)]);
    assert_eq!(numstat, "3\t2\ta");
}

#[test]
fn staged_and_worktree_are_told_apart_and_new_files_count() {
    let world = World::new();
    let clone = world.repository("one", &[("a", "1\n"), (".gitignore", "ignored\n")]);
    put(&clone, "a", "1\nstaged\n");
    git(&clone, &["add", "a"]);
    put(&clone, "a", "1\nstaged\nnot staged\n");
    put(&clone, "new", "n\n");
    put(&clone, "ignored", "i\n");
    let staged = change(&clone, &Selection::Staged).unwrap();
    assert_eq!(summary(&staged), [("a".into(), ChangeKind::Modified, 1, 0)]);
    let worktree = change(&clone, &Selection::Worktree).unwrap();
    assert_eq!(summary(&worktree), [("a".into(), ChangeKind::Modified, 2, 0), ("new".into(), ChangeKind::Added, 1, 0)]);
    // A time that changed is no change.
    git(&clone, &["commit", "-qam", "All"]);
    std::fs::remove_file(clone.join("new")).unwrap();
    let text = std::fs::read(clone.join("a")).unwrap();
    std::fs::write(clone.join("a"), text).unwrap();
    assert!(change(&clone, &Selection::Worktree).unwrap().files.is_empty());
}

#[test]
fn before_the_first_commit_everything_is_new() {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "-q"]);
    put(folder.path(), "a", "1\n");
    git(folder.path(), &["add", "a"]);
    let staged = change(folder.path(), &Selection::Staged).unwrap();
    assert_eq!(summary(&staged), [("a".into(), ChangeKind::Added, 1, 0)]);
    assert!(matches!(staged.origin, Origin::Staged { base: None }));
}

#[test]
fn the_base_is_where_the_branch_left_the_other() {
    let world = World::new();
    let clone = world.repository("one", &[("a", "1\n")]);
    git(&clone, &["switch", "-q", "-c", "topic"]);
    put(&clone, "t", "t\n");
    commit(&clone, "Topic");
    git(&clone, &["switch", "-q", "main"]);
    put(&clone, "m", "m\n");
    commit(&clone, "Main");
    git(&clone, &["switch", "-q", "topic"]);
    for selection in [Selection::Upstream, Selection::Range("main..topic".into()), Selection::Range("main".into())] {
        assert_eq!(summary(&change(&clone, &selection).unwrap()), [("t".into(), ChangeKind::Added, 1, 0)]);
    }
}

#[test]
fn a_clone_without_the_base_is_an_error_with_the_way_out() {
    let world = World::new();
    let source = world.repository("one", &[("a", "1\n")]);
    let base = git(&source, &["rev-parse", "HEAD"]);
    for text in ["2\n", "3\n"] {
        put(&source, "a", text);
        commit(&source, "More");
    }
    let shallow = world.clone_of(&source, "shallow", &["--depth=1"]);
    let selection = Selection::Range(format!("{base}..HEAD"));
    let error = change(&shallow, &selection).unwrap_err();
    assert!(matches!(error, ChangeError::Shallow(_)), "{error}");
    assert!(error.hint().unwrap().contains("fetch-depth: 0"));
    let error = change(&source, &Selection::Range("nowhere..HEAD".into())).unwrap_err();
    assert!(matches!(error, ChangeError::NoCommit(_)), "{error}");
    // The branch that a shallow clone has fetched without the history between.
    git(&source, &["switch", "-q", "-c", "topic", &base]);
    put(&source, "t", "t\n");
    commit(&source, "Topic");
    git(&shallow, &["fetch", "-q", "--depth=1", "origin", "topic:topic"]);
    let error = change(&shallow, &Selection::Range("HEAD..topic".into())).unwrap_err();
    assert!(matches!(error, ChangeError::Shallow(_)), "{error}");
}

#[test]
fn conflicts_and_missing_parents_are_errors() {
    let world = World::new();
    let clone = world.repository("one", &[("a", "1\n")]);
    git(&clone, &["switch", "-q", "-c", "topic"]);
    put(&clone, "a", "topic\n");
    commit(&clone, "Topic");
    git(&clone, &["switch", "-q", "main"]);
    put(&clone, "a", "main\n");
    commit(&clone, "Main");
    let (merged, _) = crate::world::try_git(&clone, &["merge", "topic"]);
    assert!(!merged);
    assert!(matches!(change(&clone, &Selection::Staged), Err(ChangeError::Unmerged(_))));
    let parent = Selection::Parent { commit: "HEAD".into(), parent: 2 };
    assert!(matches!(change(&clone, &parent), Err(ChangeError::NoParent { parent: 2, .. })));
}
