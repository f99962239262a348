//! Detection, from the outside.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod evasion;
mod hostile;
mod mutation;
mod outside;
mod pack;
mod rules;
mod service;

use agentprov_review::detect::{Builtin, RulePack};
use std::num::NonZeroUsize;

fn engine() -> Builtin {
    engine_on(1)
}

fn engine_on(threads: usize) -> Builtin {
    Builtin::new(RulePack::default_rules().unwrap(), NonZeroUsize::new(threads).unwrap())
}
