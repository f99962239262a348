//! Detection, from the outside.

#![allow(clippy::unwrap_used)]

mod rules;
