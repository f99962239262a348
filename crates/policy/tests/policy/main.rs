//! The crate from outside: rules, the default pack, trials.

mod contract;
mod mistakes;
mod monotone;
mod pack;
