//! Leaving in order: commit, give up, say so.
//!
//! Whoever says that it leaves is replaced at once; whoever falls silent only when its session is over. A static member says nothing: that it
//! will come back is what its instance id is for (KIP-345). In the newer protocol it says just that.
//! Nothing is repeated, and a coordinator that cannot be found is not looked for: the end of the session does the same, only later.

use super::attempt::Attempt;
use super::line::{Asked, Ready};
use super::requests::{self, Signature};
use super::{Desk, Membership, Phase};
use crate::operation::{Completion, OperationId, Outcome};
use crate::types::Time;
use crate::wire::ApiKey;

/// How a member is going.
#[derive(Hash, Debug)]
pub struct Leaving {
    /// Who is to be told when it is done.
    goers: Vec<(OperationId, Ending)>,
    stage: Stage,
    /// Done then at the latest.
    pub until: Time,
}

/// Why it goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ending {
    /// The application unsubscribes.
    Unsubscribe,
    /// The client is closed.
    Stop,
}

#[derive(Hash, Debug)]
enum Stage {
    /// Commits are on their way.
    GivingUp,
    /// LeaveGroup is to be sent, or on its way.
    Telling(Attempt),
    Done,
}

impl Ending {
    /// The outcome that says that it is done.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Ending::Unsubscribe => Outcome::Unsubscribed,
            Ending::Stop => Outcome::Stopped,
        }
    }
}

impl Membership {
    /// The application goes: what it was handed is processed.
    pub fn begin_to_leave(&mut self, operation: OperationId, ending: Ending, desk: &mut Desk<'_>) {
        if let Phase::Leaving(leaving) = &mut self.phase {
            leaving.goers.push((operation, ending));
            return;
        }
        if matches!(self.phase, Phase::In | Phase::Applying { .. } | Phase::GivingUp { .. }) {
            self.commit_before_they_go(|_| true, desk);
        }
        desk.places.suspend(&self.owned.partitions);
        let until = desk.now.plus(self.patience());
        self.phase = Phase::Leaving(Leaving { goers: vec![(operation, ending)], stage: Stage::GivingUp, until });
    }

    /// Goes on with leaving.
    pub(super) fn leave(&mut self, desk: &mut Desk<'_>) {
        let says_so = self.is_counted_in() && self.line.is_known();
        let Phase::Leaving(leaving) = &mut self.phase else { return };
        let is_over = leaving.until <= desk.now;
        if matches!(leaving.stage, Stage::GivingUp) && (is_over || self.commits.is_empty()) {
            leaving.stage = if says_so { Stage::Telling(Attempt::default()) } else { Stage::Done };
            self.tell_loss(desk);
            self.revoke(self.owned.partitions.clone(), desk);
        }
        self.tell_coordinator(desk);
        let Phase::Leaving(leaving) = &mut self.phase else { return };
        if is_over || matches!(leaving.stage, Stage::Done) {
            for (id, ending) in std::mem::take(&mut leaving.goers) {
                desk.out.complete(Completion { id, outcome: ending.outcome() });
            }
            self.be_nobody();
        }
    }

    fn tell_coordinator(&mut self, desk: &mut Desk<'_>) {
        let Phase::Leaving(Leaving { stage, .. }) = &mut self.phase else { return };
        let Stage::Telling(attempt) = stage else { return };
        if attempt.is_asked() {
            return;
        }
        let api = if self.config.is_modern() { ApiKey::ConsumerGroupHeartbeat } else { ApiKey::LeaveGroup };
        match self.line.ready(api, desk.now, desk.out) {
            Ready::NotYet if self.line.is_known() && !self.member.is_empty() => {}
            Ready::Version(version) if !self.member.is_empty() => {
                let number = self.line.next_number();
                attempt.sent(number);
                if !self.say_that_we_leave(version, number, "the consumer unsubscribes", desk) {
                    self.end_leaving();
                }
            }
            Ready::NotYet | Ready::Version(_) | Ready::Unsupported => *stage = Stage::Done,
        }
    }

    fn end_leaving(&mut self) {
        if let Phase::Leaving(leaving) = &mut self.phase {
            leaving.stage = Stage::Done;
        }
    }

    /// Whether the coordinator counts us in, as far as we know, and wants to know when we go.
    pub(super) fn is_counted_in(&self) -> bool {
        match self.config.is_modern() {
            true => self.generation >= 0 || self.talk.is_asking(),
            false => self.config.instance.is_none() && !self.member.is_empty(),
        }
    }

    /// False if that version cannot say it.
    pub(super) fn say_that_we_leave(&mut self, version: i16, number: u64, reason: &str, desk: &mut Desk<'_>) -> bool {
        if self.config.is_modern() {
            return self.say_goodbye(version, number, desk);
        }
        let who = Signature { config: &self.config, member: &self.member, generation: self.generation };
        let request = requests::leave(who, version, reason);
        self.line.send(request, version, None, Asked::Leave(number), desk.now, desk.out)
    }

    pub(super) fn on_leave(&mut self, number: u64) {
        if let Phase::Leaving(Leaving { stage, .. }) = &mut self.phase
            && let Stage::Telling(attempt) = stage
            && attempt.ends_with(number)
        {
            *stage = Stage::Done;
        }
    }

    fn be_nobody(&mut self) {
        self.phase = Phase::Out;
        self.topics.clear();
        self.forget_id();
        self.talk.forget();
        (self.generation, self.rejoin) = (-1, true);
        (self.lost, self.led, self.complaint) = (None, None, None);
    }
}
