//! Measures how long it takes to read a recorded change of 10,000 lines in 300 files and to say who wrote each line.
//!
//! `cargo run --release -p agentprov-review --example attribution_speed [ROUNDS [OTHER RUNS]]`. It fails where the limit is
//! missed or a line has no owner. Other runs are in the same store, in clones of their own, and write other files.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../../graph/tests/views/fixture.rs"]
mod fixture;
#[allow(dead_code)]
#[path = "../tests/change/world.rs"]
mod world;

use agentprov_review::attribution::{LineStatus, Method, Sources, attribute};
use agentprov_review::change::{Repository, Selection, from_git};
use std::time::{Duration, Instant};
use world::World;

const FILES: usize = 300;
const LINES: usize = 10_000;
const LIMIT: Duration = Duration::from_millis(150);

fn main() {
    let rounds: usize = std::env::args().nth(1).map_or(5, |text| text.parse().unwrap());
    let others: usize = std::env::args().nth(2).map_or(0, |text| text.parse().unwrap());
    let mut world = World::new();
    let base = |file: usize| (0..100).map(|line| format!("file {file} line {line}\n")).collect::<String>();
    let names: Vec<String> = (0..FILES).map(|file| format!("src/part{}/file{file}.rs", file % 10)).collect();
    let files: Vec<(&str, String)> = names.iter().enumerate().map(|(file, name)| (name.as_str(), base(file))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let clone = world.repository("one", &files);
    let agent = world.begin(&clone, &["agent"]);
    let mut left = LINES;
    for (file, (name, text)) in files.iter().enumerate() {
        let share = left / (FILES - file);
        left -= share;
        let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        for line in 0..share {
            lines.insert((line * 7) % lines.len(), format!("added {file} {line}\n"));
        }
        world.write(&agent, agent.process, name, &lines.concat());
    }
    world.end();
    world::commit(&clone, "Work");
    for other in 0..others {
        let folder = clone.with_file_name(format!("other-{other}"));
        world.agent_writes(&folder, &["agent"], &format!("notes/{other}.txt"), &format!("line {other}\n"));
    }
    let reader = world.fixture.reader();
    let mut times = Vec::new();
    for _ in 0..rounds {
        let repository = Repository::find(&clone).unwrap();
        let start = Instant::now();
        let change = from_git(&repository, &Selection::Range("HEAD~1..HEAD".into())).unwrap();
        let read = start.elapsed();
        let sources = Sources { repository: Some(&repository), reader: Some(&reader), ..Sources::default() };
        let attribution = attribute(&change, &sources).unwrap();
        let whole = start.elapsed();
        let lines: Vec<_> = attribution.files.iter().flat_map(|file| &file.lines).collect();
        assert_eq!((change.files.len(), lines.len()), (FILES, LINES));
        let owned = |line: &&&agentprov_review::attribution::LineAttribution| {
            line.status == LineStatus::Owned && attribution.owner(line).unwrap().method == Method::RecordedVersion
        };
        assert_eq!(lines.iter().filter(owned).count(), LINES, "every line has its recorded owner");
        println!("reading the change {read:?}, saying who wrote it {:?}", whole - read);
        times.push(whole - read);
    }
    times.sort_unstable();
    let median = times[times.len() / 2];
    let asked = reader.look_ups() / rounds as u64;
    println!("{others} other runs, {asked} look-ups in postings");
    println!("{LINES} lines in {FILES} files: median {median:?}, limit {LIMIT:?}");
    assert!(median <= LIMIT, "the limit is missed");
}
