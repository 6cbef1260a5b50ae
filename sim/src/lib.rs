//! The laboratory.
pub mod check;
pub mod disk;
pub mod fault;
pub mod network;
pub mod scenario;
pub mod workload;
pub mod world;
