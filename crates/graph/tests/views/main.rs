//! Views over stores that a builder fills.

mod blame;
mod fixture;
mod security;

use fixture::Fixture;

#[test]
fn the_fixture_makes_a_store() {
    let mut fixture = Fixture::quiet();
    assert_eq!(fixture.row().size, 7);
}
