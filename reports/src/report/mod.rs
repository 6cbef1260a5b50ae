//! The report: one HTML file that explains a recorded run.
//!
//! Made from the recording alone, in one pass; a run that failed elsewhere can be explained without running anything. The file needs no
//! network, no script and no other file, and the same recording gives the same bytes. Whatever stands in the recording may come from
//! anywhere, so every text is escaped where it enters the page, and the page forbids itself to load or to run anything.
//!
//! ```text
//!   recording ──▶ model                       page ──▶ HTML
//!                 ├ names                     ├ story, findings, checks
//!                 ├ beats (roots)             ├ lanes
//!                 ├ lives (spans)             ├ charts
//!                 ├ replicas (spans, steps)   ├ group_charts
//!                 ├ groups (spans, steps)     └ sheet   plotters, one time axis for all
//!                 └ clients
//! ```
//!
//! Its size is bounded whatever the length of the run: series keep a few points per pixel, stories their weightiest beats, lists their
//! first entries, and each says how much it leaves out.

pub mod beats;
mod charts;
pub mod clients;
mod group_charts;
pub mod group_words;
pub mod groups;
mod lanes;
pub mod lives;
pub mod model;
pub mod names;
mod page;
pub mod replicas;
mod roots;
mod sheet;
pub mod spans;
pub mod steps;
mod tables;
#[cfg(test)]
mod tests;

use std::io::BufRead;

use crate::recording::{Recording, RecordingError};

pub use model::Model;

/// The report of a recording, as HTML.
///
/// # Errors
/// When the recording is damaged.
pub fn html<R: BufRead>(recording: &mut Recording<R>) -> Result<String, RecordingError> {
    Ok(page::page(&Model::read(recording)?))
}
