//! Detection, from the outside.

mod rules;
