//! A request that is repeated, with growing pauses, until it is answered well.

use crate::client::config::Backoff;
use crate::types::Time;

/// How the attempts at one request stand.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Attempt {
    /// The number of the one on its way; answers to others are of no interest any more.
    asked: Option<u64>,
    retry_at: Time,
    failures: u32,
}

impl Attempt {
    /// Whether it is to be sent now.
    #[must_use]
    pub fn is_due(&self, now: Time) -> bool {
        self.asked.is_none() && self.retry_at <= now
    }

    /// Whether it is on its way.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// It was sent under this number.
    pub fn sent(&mut self, number: u64) {
        self.asked = Some(number);
    }

    /// Whether the answer with this number is the one that is waited for; it is not waited for any more.
    pub fn ends_with(&mut self, number: u64) -> bool {
        let waited_for = self.asked == Some(number);
        if waited_for {
            self.asked = None;
        }
        waited_for
    }

    /// It failed: not again before the back-off.
    pub fn fail(&mut self, now: Time, backoff: Backoff) {
        self.asked = None;
        self.failures = self.failures.saturating_add(1);
        self.retry_at = now.plus(backoff.after(self.failures));
    }

    /// It was answered well.
    pub fn succeed(&mut self) {
        *self = Attempt::default();
    }

    /// When it is to be sent; `None` while it is on its way.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        if self.asked.is_some() { None } else { Some(self.retry_at) }
    }
}
