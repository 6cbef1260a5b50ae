//! The laboratory.
pub mod bench;
#[cfg(feature = "mutants")]
pub mod campaign;
pub mod check;
pub mod cli;
pub mod disk;
pub mod history;
pub mod matrix;
#[cfg(madsim)]
pub mod network;
mod page;
pub mod reach;
pub mod scenario;
pub mod selftest;
pub mod shrink;
pub mod sweep;
#[cfg(madsim)]
pub mod workload;
#[cfg(madsim)]
pub mod world;
