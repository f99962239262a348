//! Views of telemetry: events, bindings, batches, correlations and windows, as the contract has them.

mod batches;
mod bindings;
mod correlations;
mod late;
mod list;
mod row;
mod windows;

pub use batches::{BatchRow, Batches, batches};
pub use bindings::{BindingFilter, BindingRow, bindings};
pub use correlations::{CorrelationRow, Correlations, correlations};
pub use list::{EventFilter, TelemetryEvents, events};
pub use row::EventDocument;
pub use windows::{WindowFilter, WindowRow, Windows, windows};
