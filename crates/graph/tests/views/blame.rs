//! Blame against histories in which every line is written once: whoever wrote it owns it, wherever it went.

use crate::fixture::Fixture;
use agentprov_graph::attempts::attempts;
use agentprov_graph::blame::{LineStatus, blame};
use agentprov_graph::versions::resolve_file;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Lines that stood there before the recording.
const EARLIER: usize = 6;
const WRITERS: usize = 4;

/// What one process does to the file.
#[derive(Clone, Debug)]
enum Edit {
    /// Puts lines of its own before the line at this place.
    Insert { at: usize, count: usize },
    /// Takes lines out.
    Delete { at: usize, count: usize },
    /// Puts lines of its own in the place of others.
    Replace { at: usize, count: usize },
    /// Writes the file again as it is.
    Rewrite,
    /// Writes beside the file and renames over it.
    SaveByRename { at: usize },
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (any::<usize>(), 1usize..5).prop_map(|(at, count)| Edit::Insert { at, count }),
        (any::<usize>(), 1usize..4).prop_map(|(at, count)| Edit::Delete { at, count }),
        (any::<usize>(), 1usize..4).prop_map(|(at, count)| Edit::Replace { at, count }),
        Just(Edit::Rewrite),
        any::<usize>().prop_map(|at| Edit::SaveByRename { at }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn each_line_belongs_to_whoever_wrote_it(
        edits in proptest::collection::vec((0..WRITERS, edit()), 1..14),
        final_newline in any::<bool>(),
    ) {
        let mut fixture = Fixture::new();
        let root = fixture.begin(&["agent"]);
        let writers: Vec<_> = (0..WRITERS).map(|no| fixture.process(root, &["editor", &no.to_string()])).collect();
        let mut owners = BTreeMap::new();
        let mut lines: Vec<String> = (0..EARLIER).map(|no| format!("earlier {no}")).collect();
        let text = |lines: &[String]| {
            let mut text = lines.join("\n");
            if final_newline && !text.is_empty() {
                text.push('\n');
            }
            text
        };
        let path = format!("{}/a.txt", fixture.workspace);
        let beside = format!("{path}.new");
        fixture.pre_image(&path, text(&lines).as_bytes());
        let mut next = 0;
        for (writer, edit) in edits {
            let mut fresh = |count: usize| -> Vec<String> {
                (0..count)
                    .map(|_| {
                        next += 1;
                        let line = format!("line {next}");
                        owners.insert(line.clone(), writers[writer].to_string());
                        line
                    })
                    .collect()
            };
            let place = |at: usize, lines: &[String]| at % (lines.len() + 1);
            match &edit {
                Edit::Insert { at, count } => {
                    let at = place(*at, &lines);
                    lines.splice(at..at, fresh(*count));
                }
                Edit::Delete { at, count } => {
                    let at = place(*at, &lines);
                    lines.drain(at..(at + count).min(lines.len()));
                }
                Edit::Replace { at, count } => {
                    let at = place(*at, &lines);
                    let end = (at + count).min(lines.len());
                    lines.splice(at..end, fresh(*count));
                }
                Edit::Rewrite => {}
                Edit::SaveByRename { at } => {
                    let at = place(*at, &lines);
                    lines.splice(at..at, fresh(1));
                }
            }
            if matches!(edit, Edit::SaveByRename { .. }) {
                fixture.write(writers[writer], &beside, text(&lines).as_bytes());
                fixture.rename(writers[writer], &beside, &path);
            } else {
                fixture.write(writers[writer], &path, text(&lines).as_bytes());
            }
        }
        fixture.end(agentprov_model::Outcome::Exited(0));
        let (reader, run) = (fixture.reader(), fixture.row());
        let known = attempts(&reader, &run).expect("attempts");
        let file = resolve_file(&reader, &run, &known, &"a.txt".into(), None).expect("the file");
        let document = blame(&reader, &run, &file, None).expect("an answer");
        prop_assert_eq!(document.lines.len(), lines.len());
        for (answer, line) in document.lines.iter().zip(&lines) {
            let statement = &answer.statement;
            let owner = statement.owner.as_ref().map(|owner| owner.process_id.clone());
            // Without its newline a last line has other bytes than with it: whoever adds or removes that rewrote it.
            if !final_newline && owner != owners.get(line).cloned() {
                prop_assert!(owner.is_some(), "{line} lost its owner: {statement:?}");
                continue;
            }
            prop_assert_eq!(&owner, &owners.get(line).cloned(), "{} of {:?}: {:?}", line, lines, statement);
            prop_assert_eq!(statement.status == LineStatus::BeforeRun, owner.is_none());
        }
    }
}
