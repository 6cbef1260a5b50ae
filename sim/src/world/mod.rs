//! World.
pub mod chance;
pub mod clock;
pub mod heap;
