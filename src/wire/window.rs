//! How many requests of one connection an actor is given before it has answered them.
//!
//! Kafka's broker takes one request at a time from a connection, whatever it is. So a producer that has five requests on their way to a leader
//! gets them replicated one after the other, each by a round trip of its own to every follower, though the next four lie in the leader's
//! receive buffer all the while. Here a leader may have up to [`WINDOW`] Produce requests of a connection open at once: the batches of those
//! that wait for followers travel to them together. Everything else is given alone.
//!
//! ```text
//!   what a request takes of the window         Produce: 1        anything else: all of it
//!
//!   arrived   P1 P2 P3 M4 P5                   given  P1 P2 P3 │ M4 │ P5
//!                                                     └─ together   └─ alone, when all before it is answered
//! ```
//!
//! That is what producers have at most on their way by default (`max.in.flight.requests.per.connection`), and what a log remembers of a
//! producer to recognise repetitions. Order is kept: requests are given, records appended and answers sent in the order in which the
//! requests came. Memory is bounded as before, since an open Produce request is no more than its answer: its records are in the log.

use super::ApiKey;

/// What all open requests of a connection may take together.
pub const WINDOW: u32 = 5;

/// What a request takes of its connection's window while it is open. The frame may be anything.
#[must_use]
pub fn weight(frame: &[u8]) -> u32 {
    let key = frame.first_chunk().map(|key| i16::from_be_bytes(*key));
    if key == Some(ApiKey::Produce.code()) { 1 } else { WINDOW }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_produce_requests_share_the_window() {
        assert_eq!(weight(&[0, 0, 0, 9]), 1);
        assert_eq!(weight(&[0, 1, 0, 9]), WINDOW, "a fetch");
        assert_eq!(weight(&[0]), WINDOW, "not even a request");
    }
}
