//! What files hold: pre-images, versions, and the rules for keeping them.

pub(crate) mod git;
pub(crate) mod ignore;
pub(crate) mod job;
pub(crate) mod policy;
pub(crate) mod read;
pub(crate) mod states;
pub(crate) mod watch;
pub(crate) mod worker;
