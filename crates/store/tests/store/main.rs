//! The store as its users see it: appends, writers at once, look-ups, schema, damage.

mod append;
mod damage;
mod fixture;
mod look_up;
mod packs;
mod queue;
mod schema;
mod version_runs;
