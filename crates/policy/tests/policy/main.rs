//! The crate from outside: rules, the default pack, trials.

mod contract;
mod facts;
mod gate;
mod judging;
mod mistakes;
mod monotone;
mod pack;
mod responses;
mod taint;
