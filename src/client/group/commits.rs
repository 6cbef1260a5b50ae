//! Commits: offsets on their way into the group's partition of `__consumer_offsets`, one request after the other.
//!
//! A request is sent only when the one before has ended, so of two commits the later one always wins. For the same reason a commit of mode
//! `Async` is not repeated: its application has gone on, and the repetition of 50 might come after 60. Those that wait in line meanwhile go
//! as one, the last; else an application that commits faster than the coordinator answers would be ever further behind.
//!
//! ```text
//!   the answer                                     stored     what follows
//!   ----------------------------------------------------------------------------------------------------------
//!   none                                           yes        success
//!   COORDINATOR_LOAD_IN_PROGRESS                   no         again
//!   NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE,    perhaps    again, at whoever coordinates now
//!     REQUEST_TIMED_OUT, no answer at all
//!   REBALANCE_IN_PROGRESS                          no         failure; we join again
//!   UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION,         no         failure; our partitions are lost
//!     FENCED_INSTANCE_ID
//!   STALE_MEMBER_EPOCH (newer protocol)            no         again, with the epoch that we have by then
//! ```
//!
//! A commit says in which generation it is made, and a coordinator that has begun another refuses it. So while we join, nothing is sent: what
//! would be committed belongs to a generation that is over, or to none. And what a request of an earlier generation is told about
//! us says nothing about the present one.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::answers::{self, Stored};
use super::attempt::Attempt;
use super::line::{Asked, Ready};
use super::requests::{self, Signature};
use super::{Desk, Membership, Phase, positions};
use crate::mutant::{Mutant, Mutants};
use crate::operation::{Certainty, CommitMode, Completion, OffsetToCommit, OperationId, Outcome};
use crate::types::{Time, TopicPartition};
use crate::wire::{ApiKey, ErrorCode, Response};

/// Who wants a commit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Purpose {
    /// The application; it is told how it ends.
    Asked(OperationId),
    /// `enable.auto.commit`.
    Auto,
}

/// One commit.
#[derive(Hash, Debug)]
pub struct Commit {
    purpose: Purpose,
    mode: CommitMode,
    offsets: Vec<OffsetToCommit>,
    expires: Time,
    attempt: Attempt,
    /// As whom it was sent.
    signed: (Arc<str>, i32),
    /// An attempt may have been stored.
    in_doubt: bool,
    /// What was answered last.
    error: ErrorCode,
    /// Earlier commits that this one makes needless. They end as it does.
    carried: Vec<(OperationId, Vec<OffsetToCommit>)>,
}

impl Commit {
    /// Not sent so far; given up at `expires`.
    #[must_use]
    pub fn new(purpose: Purpose, mode: CommitMode, offsets: Vec<OffsetToCommit>, expires: Time) -> Commit {
        let (attempt, signed) = (Attempt::default(), (Arc::from(""), -1));
        Commit { purpose, mode, offsets, expires, attempt, signed, in_doubt: false, error: ErrorCode::NONE, carried: Vec::new() }
    }

    /// Whether the later one says where this one went on to, and nobody waits for this one.
    fn is_needless_beside(&self, later: &Commit, now: Time) -> bool {
        let waits = |commit: &Commit| commit.mode == CommitMode::Async && commit.attempt.is_due(now);
        let is_told = |offset: &OffsetToCommit| later.offsets.iter().any(|other| other.partition == offset.partition);
        waits(self) && waits(later) && self.offsets.iter().all(is_told)
    }

    /// Planted bug: what was to be committed before partitions were given up is kept until there is another generation to name.
    fn outlives_generations(&self, mutants: Mutants) -> bool {
        mutants.is(Mutant::AutocommitAfterRevoke) && self.purpose == Purpose::Auto && self.mode == CommitMode::Sync
    }
}

/// Commits in the order in which they were asked for. The first is on its way, or to be sent.
#[derive(Hash, Debug, Default)]
pub struct Commits(VecDeque<Commit>);

impl Commits {
    /// Adds one.
    pub fn push(&mut self, commit: Commit) {
        self.0.push_back(commit);
    }

    /// The first goes with the second, if it can.
    fn fold(&mut self, now: Time) {
        while let (Some(first), Some(second)) = (self.0.front(), self.0.get(1))
            && first.is_needless_beside(second, now)
        {
            let first = self.0.pop_front().expect("it is there");
            let second = self.0.front_mut().expect("it is there");
            let mut carried = first.carried;
            if let Purpose::Asked(id) = first.purpose {
                carried.push((id, first.offsets));
            }
            carried.append(&mut second.carried);
            second.carried = carried;
        }
    }

    /// Whether all have ended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// When to come back at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let expiry = self.0.iter().map(|commit| commit.expires).min();
        let retry = self.0.front().and_then(|commit| commit.attempt.deadline());
        expiry.map(|at| retry.filter(|retry| *retry > Time::ZERO).map_or(at, |retry| at.min(retry)))
    }
}

impl Membership {
    /// Positions are committed every so often, if so configured: those before anything of this poll is handed out.
    pub(super) fn commit_now_and_then(&mut self, desk: &mut Desk<'_>) {
        let Some(interval) = self.config.auto_commit else { return };
        let is_in = matches!(self.phase, Phase::In) && self.lost.is_none();
        let is_early = !desk.is_polling && self.common.mutants.is(Mutant::CommitBeforeProcessing);
        if is_in && (desk.is_polling || is_early) && self.auto_commit_at <= desk.now && self.commits.is_empty() {
            self.auto_commit_at = desk.now.plus(interval);
            self.commit_own(CommitMode::Async, desk.now.plus(self.common.api_timeout), |_| true, desk);
            if is_early && !self.commits.is_empty() {
                desk.out.fact(Mutant::CommitBeforeProcessing.acted());
            }
        }
    }

    /// Positions are committed before the partitions go, if so configured.
    pub(super) fn commit_before_they_go(&mut self, gone: impl Fn(&TopicPartition) -> bool, desk: &mut Desk<'_>) {
        if self.config.auto_commit.is_some() && self.lost.is_none() {
            self.commit_own(CommitMode::Sync, desk.now.plus(self.patience()), gone, desk);
        }
    }

    fn commit_own(&mut self, mode: CommitMode, expires: Time, wanted: impl Fn(&TopicPartition) -> bool, desk: &Desk<'_>) {
        let offsets = positions(desk.places, |partition| self.owned.partitions.contains(partition) && wanted(partition));
        if !offsets.is_empty() {
            self.commits.push(Commit::new(Purpose::Auto, mode, offsets, expires));
        }
    }

    /// Ends what cannot be sent any more, and sends what is first in the line if it is time to.
    pub(super) fn send_commit(&mut self, desk: &mut Desk<'_>) {
        loop {
            self.end_hopeless_commits(desk);
            self.let_newer_pass(desk);
            self.commits.fold(desk.now);
            let Some(first) = self.commits.0.front() else { return };
            if !first.attempt.is_due(desk.now) || self.holds_back(first) {
                return;
            }
            let sent = match self.line.ready(ApiKey::OffsetCommit, desk.now, desk.out) {
                Ready::NotYet => return,
                Ready::Unsupported => false,
                Ready::Version(version) => self.send_first(version, desk),
            };
            if sent {
                return;
            }
            let commit = self.commits.0.pop_front().expect("it is the first");
            end(commit, Err(ErrorCode::UNSUPPORTED_VERSION), desk);
        }
    }

    fn holds_back(&self, commit: &Commit) -> bool {
        commit.outlives_generations(self.common.mutants) && self.commit_refusal().is_some()
    }

    /// Planted bug: a commit that is to be repeated does not hold up those behind it.
    fn let_newer_pass(&mut self, desk: &mut Desk<'_>) {
        let waits = |commit: &Commit| !commit.attempt.is_asked() && !commit.attempt.is_due(desk.now);
        let is_behind = self.commits.0.front().is_some_and(|first| first.mode == CommitMode::Async && waits(first))
            && self.commits.0.get(1).is_some_and(|next| next.attempt.is_due(desk.now));
        if is_behind && self.common.mutants.is(Mutant::OffsetCommitRegressesByReorder) {
            self.commits.0.rotate_left(1);
            desk.out.fact(Mutant::OffsetCommitRegressesByReorder.acted());
        }
    }

    fn send_first(&mut self, version: i16, desk: &mut Desk<'_>) -> bool {
        let number = self.line.next_number();
        let first = self.commits.0.front_mut().expect("the caller has looked");
        let who = Signature { config: &self.config, member: &self.member, generation: self.generation };
        let request = requests::commit(who, &first.offsets);
        first.signed = (Arc::clone(&self.member), self.generation);
        first.attempt.sent(number);
        self.line.send(request, version, None, Asked::Commit(number), desk.now, desk.out)
    }

    fn end_hopeless_commits(&mut self, desk: &mut Desk<'_>) {
        let refusal = self.commit_refusal();
        let (now, mutants) = (desk.now, self.common.mutants);
        let is_hopeless = |commit: &Commit| {
            let is_refused = refusal.is_some() && !commit.attempt.is_asked() && !commit.outlives_generations(mutants);
            commit.offsets.is_empty() || commit.expires <= now || is_refused
        };
        // A line of what remains, in the same order.
        for _ in 0..self.commits.0.len() {
            let mut commit = self.commits.0.pop_front().expect("as many as there were");
            if !is_hopeless(&commit) {
                self.commits.0.push_back(commit);
                continue;
            }
            commit.in_doubt |= commit.attempt.is_asked();
            let error = refusal.filter(|_| !commit.attempt.is_asked()).unwrap_or(commit.error);
            let result = if commit.offsets.is_empty() { Ok(()) } else { Err(error) };
            end(commit, result, desk);
        }
    }

    /// These are being given up: what has not been committed of them by now must not be committed under a later epoch.
    pub(super) fn end_commits_of(&mut self, gone: &BTreeSet<TopicPartition>, desk: &mut Desk<'_>) {
        let concerns = |commit: &Commit| commit.offsets.iter().any(|offset| gone.contains(&offset.partition));
        let (over, others): (Vec<Commit>, Vec<Commit>) = std::mem::take(&mut self.commits.0).into_iter().partition(concerns);
        self.commits.0 = others.into();
        for mut commit in over {
            commit.in_doubt |= commit.attempt.is_asked();
            end(commit, Err(ErrorCode::REBALANCE_IN_PROGRESS), desk);
        }
    }

    /// Why nothing can be committed at the moment.
    fn commit_refusal(&self) -> Option<ErrorCode> {
        if !self.is_subscribed() {
            return None;
        }
        match self.phase {
            Phase::In | Phase::Preparing { .. } | Phase::Applying { .. } | Phase::GivingUp { .. } | Phase::Leaving(_) => {
                self.lost
            }
            Phase::Joining(_) | Phase::Leading { .. } | Phase::Syncing { .. } => Some(ErrorCode::REBALANCE_IN_PROGRESS),
            Phase::Out | Phase::Entering => Some(self.lost.unwrap_or(ErrorCode::UNKNOWN_MEMBER_ID)),
            Phase::Fenced(error) => Some(error),
        }
    }

    pub(super) fn on_commit(&mut self, number: u64, response: Option<Response>, desk: &mut Desk<'_>) {
        let Some(first) = self.commits.0.front_mut() else { return };
        if !first.attempt.ends_with(number) {
            return;
        }
        let stored = match &response {
            Some(Response::OffsetCommit(response)) => answers::stored(response, &first.offsets),
            Some(_) | None => Stored { error: ErrorCode::NETWORK_EXCEPTION, partly: true },
        };
        first.in_doubt |= stored.partly || is_doubtful(stored.error);
        first.error = stored.error;
        let is_present = first.signed == (Arc::clone(&self.member), self.generation) && self.is_subscribed();
        self.on_commit_error(stored.error, is_present, desk.now);
        let mut commit = self.commits.0.pop_front().expect("it was there");
        let repeats = commit.mode == CommitMode::Sync || self.common.mutants.is(Mutant::OffsetCommitRegressesByReorder);
        let is_stale = stored.error == ErrorCode::STALE_MEMBER_EPOCH;
        let is_overtaken = is_stale && commit.signed.1 != self.generation;
        if repeats && is_overtaken {
            self.commits.0.push_front(commit);
        } else if repeats && (is_stale || stored.error.is_retriable()) {
            commit.attempt.fail(desk.now, self.common.retry_backoff);
            self.commits.0.push_front(commit);
        } else {
            end(commit, stored.error.ok(), desk);
        }
    }

    fn on_commit_error(&mut self, error: ErrorCode, is_present: bool, now: Time) {
        match error {
            ErrorCode::NONE => self.line.trust(),
            ErrorCode::REBALANCE_IN_PROGRESS => self.rejoin |= is_present,
            ErrorCode::REQUEST_TIMED_OUT => self.line.forget(now),
            ErrorCode::STALE_MEMBER_EPOCH => self.talk.hasten(now),
            ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::ILLEGAL_GENERATION | ErrorCode::FENCED_INSTANCE_ID if !is_present => {}
            error => {
                self.on_common_error(now, error);
            }
        }
    }
}

/// Whether the coordinator may have stored the offsets all the same.
fn is_doubtful(error: ErrorCode) -> bool {
    matches!(
        error,
        ErrorCode::NOT_COORDINATOR
            | ErrorCode::COORDINATOR_NOT_AVAILABLE
            | ErrorCode::REQUEST_TIMED_OUT
            | ErrorCode::NETWORK_EXCEPTION
            | ErrorCode::UNKNOWN_SERVER_ERROR
    )
}

fn end(commit: Commit, result: Result<(), ErrorCode>, desk: &mut Desk<'_>) {
    let certainty = if commit.in_doubt { Certainty::Indefinite } else { Certainty::Definite };
    let own = match commit.purpose {
        Purpose::Asked(id) => Some((id, commit.offsets)),
        Purpose::Auto => None,
    };
    for (id, offsets) in commit.carried.into_iter().chain(own) {
        let outcome = match result {
            Ok(()) => Outcome::Committed { offsets },
            Err(error) => Outcome::Failed { code: error.code(), certainty },
        };
        desk.out.complete(Completion { id, outcome });
    }
}
