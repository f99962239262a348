//! HTTP: routes, guards, answers, and their description.

pub mod analyses;
pub mod analytics;
pub mod call;
pub mod dispatch;
pub mod docs_page;
mod findings;
pub mod guard;
pub mod openapi;
pub mod problem;
pub mod query;
mod recordings;
pub mod routes;
pub mod schemas;
pub mod serve;
pub mod service;
