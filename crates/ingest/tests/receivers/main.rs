//! Receivers: golden pairs, and whatever strangers may send.

mod golden;
mod strangers;
