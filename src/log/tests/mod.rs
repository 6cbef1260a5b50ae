//! Tests of the log as a whole: golden scripts, random sequences against a model, and what neither tells well.

mod by_time;
mod cleaning;
mod memory_disk;
mod random;
mod random_compaction;
mod reading;
mod rotten_epochs;
mod scripts;
