//! Scenario files.
pub mod chance;
pub mod model;
