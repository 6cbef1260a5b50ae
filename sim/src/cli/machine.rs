//! What a command can learn of the machine that it runs on: its own time and memory. Runs never see any of it.

use std::time::Instant;

/// Real time.
#[expect(clippy::disallowed_methods, reason = "the command measures its own speed")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Processor time of this process so far, where the system tells it in the way of Linux; else 0.
pub(super) fn cpu_seconds() -> f64 {
    cpu_seconds_of(std::process::id())
}

/// Processor time of a process so far.
pub(super) fn cpu_seconds_of(process: u32) -> f64 {
    let ticks = std::fs::read_to_string(format!("/proc/{process}/stat")).ok().and_then(|stat| {
        // The name of the program, in parentheses, may hold anything; the fields are counted behind it.
        let fields: Vec<u64> = stat.rsplit_once(')')?.1.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
        Some(fields.get(11)? + fields.get(12)?)
    });
    ticks.unwrap_or(0) as f64 / 100.0
}

/// The most memory that this process ever used, in megabytes, where the system tells it in the way of Linux; else 0.
pub(super) fn peak_megabytes() -> u64 {
    megabytes_of(std::process::id(), "VmHWM:")
}

/// What the system says of a process's memory, in megabytes.
pub(super) fn megabytes_of(process: u32, key: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}
