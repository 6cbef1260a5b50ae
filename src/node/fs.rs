//! Disk over std::fs.
