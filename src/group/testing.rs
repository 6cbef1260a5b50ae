//! Golden scripts for coordinators.
