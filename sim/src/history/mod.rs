//! Histories: what clients did and saw, one JSON object a line, whoever wrote it.
//!
//! A test client of any language can write one; `brokerlab check` judges it. The format is told in full in `docs/history.md`.
//!
//! ```text
//!   {"event":"producer","client":"p1","acks":"all","idempotence":true,"max_in_flight":5}
//!   {"event":"send","client":"p1","op":1,"topic":"orders","value":"p1-1"}
//!   {"event":"sent","client":"p1","op":1,"partition":0,"offset":17}
//!   {"event":"read","client":"c1","topic":"orders","partition":0,"records":[[17,"p1-1"]]}
//! ```
//!
//! The order of the lines is the order in which things happened: `send` is written before the client may send, `sent` after it was told.

mod judge;
mod line;
mod writer;

pub use judge::{HistoryError, judge};
pub use line::{Acks, Line, Place};
pub use writer::Writer;
