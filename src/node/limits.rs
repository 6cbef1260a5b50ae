//! How many files this process may hold open, of which every connection is one.
//!
//! A process that runs out of them does not only turn clients away: it cannot open a segment either, and a broker that cannot open its
//! files ends as one whose disk has failed. So the soft limit is raised as far as the system allows, and connections may take only a
//! part of it.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Connections to a controller at most: only brokers talk to it, each over a few lines. They come out of what is kept for logs.
pub const CONTROLLER_CONNECTIONS_MAX: usize = 256;
/// Of the files that may be open, those kept for logs: a quarter, and at least so many.
const KEPT_FOR_LOGS_MIN: u64 = 256;

/// Raises the limit as far as this process may, and tells it; `None`: there is none.
#[must_use]
pub fn raise_open_files() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If the system refuses, what was allowed so far still is.
    let _ = setrlimit(Resource::Nofile, limit);
    getrlimit(Resource::Nofile).current
}

/// How many connections each of `brokers` brokers in this process may accept, if `wanted` are wished for.
#[must_use]
pub fn connections(wanted: usize, open_files: Option<u64>, brokers: usize) -> usize {
    let Some(open_files) = open_files else { return wanted };
    let free = open_files.saturating_sub((open_files / 4).max(KEPT_FOR_LOGS_MIN));
    let share = usize::try_from(free).unwrap_or(usize::MAX) / brokers.max(1);
    wanted.min(share.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_keep_their_part() {
        assert_eq!(connections(20_000, None, 3), 20_000);
        assert_eq!(connections(20_000, Some(20_000), 1), 15_000);
        assert_eq!(connections(20_000, Some(20_000), 3), 5_000);
        assert_eq!(connections(100, Some(20_000), 3), 100);
        assert_eq!(connections(20_000, Some(100), 3), 1);
    }

    #[test]
    fn the_limit_is_at_least_what_it_was() {
        let before = getrlimit(Resource::Nofile).current;
        assert!(raise_open_files().is_none_or(|now| before.is_some_and(|before| now >= before)));
    }
}
