//! Storms: for a few seconds nobody agrees on who leads.
//!
//! Most bugs of replication that took years to find need two changes of leaders within the time that one message takes: an answer is still on
//! its way when what it says is no longer so. Faults that are drawn one by one bring that about too seldom. In life it comes as a whole: one cause, a
//! sick switch or an impatient operator, moves leaderships to and fro and makes everything late.
//!
//! ```text
//!   news to b1    ──────late────────────late───────           each broker hears of the cluster with a delay of its own, or at once
//!   b1 ═══ b2     ────────── slow ────────────────           some links between brokers are slow
//!   frames               hold           delay                 single frames of the protocol stay behind
//!   leadership       ▼ ▼          ▼   ▼▼           ▼           of one partition: moved, mostly without anybody dying
//! ```
//!
//! The gaps between the moves are drawn from a millisecond to seconds, each doubling as likely as the next: some lie within one round trip. A storm is
//! made of ordinary faults of the kinds that the scenario allows. It destroys nothing by itself: no disk fails in it and no power is lost.

use brokerlab::types::Duration;

use super::chance::Chance;
use super::expand::{draw_frames, draw_link, draw_partition, log_uniform, moment, weighted};
use super::model::{Chaos, Fault, FaultKind, Scenario, Target};

/// How a leadership moves, with weights: asked for, handed over, taken for dead, dead.
const MOVES: [(&str, u64); 4] = [("elect-preferred", 6), ("restart", 4), ("cut", 2), ("crash", 1)];

/// Moves in one storm at most.
const MOVES_MAX: u64 = 12;

/// One storm in the making.
struct Storm<'s> {
    plan: &'s Scenario,
    kinds: &'s [String],
    partition: (String, u32),
    from: Duration,
    lasts: Duration,
    chance: Chance,
}

/// The faults of all storms of a run.
pub(super) fn draw_storms(plan: &Scenario, chaos: &Chaos, chance: Chance) -> Vec<Fault> {
    let (fewest, most) = chaos.storms;
    let number = chance.about("number").between(u64::from(fewest), u64::from(most));
    let storm = |n: u64| {
        let chance = chance.about("storm").number(n);
        let lasts = log_uniform((Duration::millis(1_000), Duration::millis(8_000)), chance.about("lasts"));
        let partition = draw_partition(plan, chance.about("partition"));
        Storm { plan, kinds: &chaos.kinds, partition, from: moment(plan.duration, chance.about("from")), lasts, chance }
    };
    (0..number).flat_map(|n| storm(n).faults()).filter(|fault| fault.at <= plan.duration).collect()
}

impl Storm<'_> {
    fn faults(&self) -> Vec<Fault> {
        let lasting = self.late_news().chain(self.slow_links()).map(|kind| self.fault(Duration::ZERO, self.lasts, kind));
        let all = lasting.chain(self.stray_frames()).chain(self.moves());
        all.filter(|fault| self.kinds.iter().any(|kind| kind == fault.kind.name())).collect()
    }

    /// A fault that begins so long after the storm.
    fn fault(&self, after: Duration, lasts: Duration, kind: FaultKind) -> Fault {
        Fault { id: String::new(), at: plus(self.from, after), lasts, kind }
    }

    /// Each broker has a delay of its own, or none.
    fn late_news(&self) -> impl Iterator<Item = FaultKind> {
        let chance = self.chance.about("news");
        let late =
            (1..=u64::from(self.plan.cluster.brokers)).filter(move |broker| chance.number(*broker).about("late").one_in(2));
        late.map(move |broker| FaultKind::StaleMetadata {
            target: Target::Node(format!("b{broker}")),
            by: Some(up_to(2_000, chance.number(broker).about("by"))),
        })
    }

    /// One between the leader and a follower, so that the one has records which the other has not; and some others.
    fn slow_links(&self) -> impl Iterator<Item = FaultKind> {
        let (plan, chance, (topic, index)) = (self.plan, self.chance.about("links"), self.partition.clone());
        let concerned = (Target::Leader(topic.clone(), index), Target::FollowerInIsr(topic, index));
        let others = (0..chance.about("number").below(4)).map(move |n| draw_link(plan, chance.number(n).about("link")));
        std::iter::once(concerned).chain(others).zip(0..).map(move |((from, to), n)| {
            let by = up_to(1_000, chance.about("by").number(n));
            FaultKind::SlowLink { from, to, by }
        })
    }

    fn stray_frames(&self) -> impl Iterator<Item = Fault> {
        let chance = self.chance.about("frames");
        (0..chance.about("number").below(4)).map(move |n| {
            let chance = chance.number(n);
            let after = Duration::millis(chance.about("after").below(self.lasts.as_millis()));
            self.fault(after, up_to(4_000, chance.about("lasts")), draw_frames(self.plan, chance.about("frames")))
        })
    }

    /// One after the other until the storm is over.
    fn moves(&self) -> impl Iterator<Item = Fault> {
        let (mut after, chance) = (Duration::ZERO, self.chance.about("move"));
        (0..MOVES_MAX).map_while(move |n| {
            let chance = chance.number(n);
            after = plus(after, up_to(2_000, chance.about("gap")));
            let kind = self.draw_move(weighted(&MOVES, chance.about("kind")));
            (after <= self.lasts).then(|| self.fault(after, up_to(1_500, chance.about("lasts")), kind))
        })
    }

    fn draw_move(&self, kind: &str) -> FaultKind {
        let target = Target::Leader(self.partition.0.clone(), self.partition.1);
        match kind {
            "elect-preferred" => FaultKind::ElectPreferred { target },
            "restart" => FaultKind::Restart { target },
            // It goes on leading, and the controller hears nothing of it.
            "cut" => FaultKind::Cut { from: target, to: Target::Controller, one_way: false },
            "crash" => FaultKind::Crash { target },
            other => unreachable!("{other} moves no leadership"),
        }
    }
}

/// From a millisecond to so many, every doubling equally likely.
fn up_to(millis: u64, chance: Chance) -> Duration {
    log_uniform((Duration::millis(1), Duration::millis(millis)), chance)
}

fn plus(moment: Duration, span: Duration) -> Duration {
    Duration::millis(moment.as_millis() + span.as_millis())
}
