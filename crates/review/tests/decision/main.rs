//! Decisions on changes, and the forms in which they leave.
#![allow(clippy::unwrap_used)]

mod monotone;
mod reports;
mod sarif_schema;
mod waivers;
