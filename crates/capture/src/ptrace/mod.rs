//! The back-end `ptrace`: a seccomp filter stops the calls that matter, ptrace reads them and their results.

pub(crate) mod call;
pub(crate) mod errand;
pub(crate) mod exec;
pub(crate) mod files;
pub(crate) mod filter;
pub(crate) mod names;
pub(crate) mod network;
pub(crate) mod paths;
pub(crate) mod privilege;
pub(crate) mod process;
pub(crate) mod serve;
pub(crate) mod stops;
pub(crate) mod syscalls;
pub(crate) mod tracer;
