//! Turning values into text for people and programs.

mod clock;
mod columns;
mod json;
mod outline;
mod progress;
mod quantity;
mod text;

pub(crate) use clock::Clock;
pub(crate) use columns::Columns;
pub(crate) use json::{json, reindented};
pub(crate) use outline::outline;
pub(crate) use progress::progress_bar;
pub(crate) use quantity::{bytes, count, duration_ns};
pub(crate) use text::{cut, visible};

use anstyle::{AnsiColor, Style};

/// Colours by meaning. `anstream` takes them away where the output is no terminal or NO_COLOR is set.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const UNSURE: Style = AnsiColor::Yellow.on_default();
pub(crate) const TITLE: Style = Style::new().bold();
pub(crate) const QUIET: Style = Style::new().dimmed();

/// The text in a style.
pub(crate) fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}
