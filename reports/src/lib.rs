//! The recorded run: what happened, in order, with causes, and how it was judged.
//!
//! This crate owns the format ([`event`], [`recording`], [`verdict`]) and renders it for people ([`report`]). The laboratory writes it;
//! checkers read the events as they come, reports read the file. Nothing here calls the broker's logic: only its types, facts and
//! commands are named.

pub mod event;
pub mod group;
pub mod recording;
pub mod report;
#[cfg(test)]
mod testing;
pub mod verdict;
