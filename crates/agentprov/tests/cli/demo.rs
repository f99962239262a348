//! The demo ends well: it records, explains, verifies, and refuses the forged copy.

use crate::place::Place;

#[test]
fn the_demo_tells_the_whole_story() {
    let place = Place::new();
    let said = place.run(["demo"]).ok();
    for part in [
        "test: ok",
        "modified  price.sh",
        "sed -i 's/[[:space:]]*$//' price.sh",
        "over a line by",
        "+echo $((amount * rate))",
        "verified run demo",
        "NOT VERIFIED run demo",
        "altered-fact",
    ] {
        assert!(said.stdout.contains(part), "{part:?} is missing in:\n{}{}", said.stdout, said.stderr);
    }
    let metadata =
        said.stdout.contains("169.254.169.254:80 cloud metadata") || said.stdout.contains("skipped the metadata");
    assert!(metadata, "{}", said.stdout);
}

#[test]
fn a_folder_that_is_there_is_refused() {
    let place = Place::new();
    let said = place.run(["demo", "--dir", "."]);
    assert_eq!(said.status, 1);
    assert!(said.stderr.contains("fatal:") && said.stderr.contains("hint:"), "{}", said.stderr);
}
