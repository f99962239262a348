//! Rule files: what stands in them, how they are read, and what they say about an event.

mod fields;
mod matcher;
mod parse;
mod set;
pub mod spec;
mod traits;

pub use parse::{RuleFile, parse};
pub use set::{Judgement, RuleSet};
