//! Heartbeats, and the two ways to be silent.
//!
//! ```text
//!   heartbeat.interval.ms    the member shows that it lives, and hears whether a rebalance is on
//!   session.timeout.ms       nothing was heard for so long: the coordinator is somewhere else, or nowhere
//!   max.poll.interval.ms     the application has not polled for so long: it hangs, and the member leaves for it
//! ```
//!
//! Heartbeats go on by themselves, whatever the application does; else a long pause between two polls would look like a death. What they
//! cannot tell is whether the application still works. Hence the third limit: then the member leaves, its partitions go to others at
//! once, and the application learns with its next poll that they are lost. A static member does not leave, as a restart would not make it
//! leave either; it falls silent.

use super::attempt::Attempt;
use super::config::GroupConfig;
use super::line::{Asked, Ready};
use super::requests::{self, Signature};
use super::{Desk, Membership, Phase};
use crate::types::{Duration, Time};
use crate::wire::{ApiKey, ErrorCode, Response};

/// When to speak, and when it was last heard.
#[derive(Hash, Debug, Default)]
pub struct Pulse {
    attempt: Attempt,
    next: Time,
    heard: Time,
}

impl Pulse {
    /// A new generation has begun; heartbeats of earlier ones do not count.
    pub fn restart(&mut self, now: Time, interval: Duration) {
        *self = Pulse { attempt: Attempt::default(), next: now.plus(interval), heard: now };
    }

    /// We are no longer who we were: what a heartbeat on its way is told, says nothing about who we will be.
    pub fn forget(&mut self) {
        self.attempt = Attempt::default();
    }

    /// The coordinator has said that it counts us among the living.
    pub fn hear(&mut self, now: Time) {
        self.heard = now;
    }

    /// The moments to come.
    #[must_use]
    pub fn deadline(&self, config: &GroupConfig, polled_at: Time, is_polling: bool) -> [Option<Time>; 3] {
        let next = (!self.attempt.is_asked()).then_some(self.next);
        let poll = (!is_polling).then(|| polled_at.plus(config.poll_interval_max));
        [next, Some(self.heard.plus(config.session_timeout)), poll]
    }
}

impl Membership {
    /// Whether the coordinator expects to hear of us.
    pub(super) fn is_beating(&self) -> bool {
        match self.phase {
            Phase::Preparing { .. }
            | Phase::Leading { .. }
            | Phase::Syncing { .. }
            | Phase::Applying { .. }
            | Phase::In
            | Phase::GivingUp { .. } => true,
            // While JoinGroup waits for the others, it is the sign of life itself.
            Phase::Out | Phase::Joining(_) | Phase::Entering | Phase::Leaving(_) | Phase::Fenced(_) => false,
        }
    }

    /// When a heartbeat is due, or somebody has been silent for too long.
    pub(super) fn pulse_deadline(&self, is_polling: bool) -> [Option<Time>; 3] {
        match self.is_beating() {
            true => self.pulse.deadline(&self.config, self.polled_at, is_polling),
            false => [None; 3],
        }
    }

    /// Sends a heartbeat if it is time to; looks whether somebody has been silent for too long.
    pub(super) fn beat(&mut self, desk: &mut Desk<'_>) {
        if !self.is_beating() {
            return;
        }
        if !desk.is_polling && self.polled_at.plus(self.config.poll_interval_max) <= desk.now {
            return self.leave_for_the_application(desk);
        }
        if self.pulse.heard.plus(self.config.session_timeout) <= desk.now {
            self.pulse.heard = desk.now;
            self.pulse.attempt = Attempt::default();
            self.line.forget(desk.now);
        }
        if self.pulse.next > desk.now || self.pulse.attempt.is_asked() {
            return;
        }
        let Ready::Version(version) = self.line.ready(ApiKey::Heartbeat, desk.now, desk.out) else { return };
        let number = self.line.next_number();
        let request = requests::heartbeat(Signature { config: &self.config, member: &self.member, generation: self.generation });
        if self.line.send(request, version, None, Asked::Heartbeat(number), desk.now, desk.out) {
            self.pulse.attempt.sent(number);
        } else {
            self.pulse.next = desk.now.plus(self.config.heartbeat_interval);
            self.complaint = Some(ErrorCode::UNSUPPORTED_VERSION);
        }
    }

    pub(super) fn leave_for_the_application(&mut self, desk: &mut Desk<'_>) {
        let api = if self.config.is_modern() { ApiKey::ConsumerGroupHeartbeat } else { ApiKey::LeaveGroup };
        if self.is_counted_in()
            && let Ready::Version(version) = self.line.ready(api, desk.now, desk.out)
        {
            let number = self.line.next_number();
            // Whether it arrives does not matter: the coordinator will miss our heartbeats.
            self.say_that_we_leave(version, number, "the application has not polled for max.poll.interval.ms", desk);
        }
        self.lose(ErrorCode::UNKNOWN_MEMBER_ID);
    }

    pub(super) fn on_heartbeat(&mut self, number: u64, response: Option<Response>, desk: &mut Desk<'_>) {
        if !self.pulse.attempt.ends_with(number) {
            return;
        }
        self.pulse.next = desk.now.plus(self.common.retry_backoff.first);
        let Some(Response::Heartbeat(response)) = response else { return };
        match ErrorCode(response.error_code) {
            ErrorCode::NONE => self.heard_well(desk.now),
            ErrorCode::REBALANCE_IN_PROGRESS => {
                self.heard_well(desk.now);
                // Between JoinGroup and SyncGroup we are in the middle of one.
                self.rejoin |= matches!(self.phase, Phase::In | Phase::Applying { .. } | Phase::Preparing { .. });
            }
            error => {
                if !self.on_common_error(desk.now, error) && !error.is_retriable() {
                    self.pulse.next = desk.now.plus(self.config.heartbeat_interval);
                    self.complaint = Some(error);
                }
            }
        }
    }

    fn heard_well(&mut self, now: Time) {
        self.line.trust();
        self.pulse.heard = now;
        self.pulse.next = now.plus(self.config.heartbeat_interval);
    }
}
