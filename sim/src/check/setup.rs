//! What the judge must know before the first event: who takes part, and with which promises.

use brokerlab::types::{BrokerId, Duration};

/// The run as the judge sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setup {
    /// The participants; a node's number in events is its index here.
    pub nodes: Vec<NodeSetup>,
    /// Ids of the checks without which the run proves nothing (`R11`, `B1` ...).
    pub must_exercise: Vec<String>,
    /// False: follow the run, so that its end is known, but check nothing. The trace is the same either way.
    pub enabled: bool,
    /// How records may be dated.
    pub dating: Dating,
    /// How clients get on while faults last; `None`: nothing is promised.
    pub pace: Option<Pace>,
    /// How the members of consumer groups behave. Of other groups nothing is expected that depends on it.
    pub groups: Vec<GroupSetup>,
}

/// How clients get on while faults last: so many writes in so much time, for each producer and wherever the time begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// Writes that are acknowledged, at least.
    pub acknowledged: usize,
    /// In any stretch of time of this length.
    pub within: Duration,
}

/// What the members of a consumer group do: that decides which row of the guarantee matrix the group stands in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupSetup {
    /// Group id.
    pub id: String,
    /// When they commit.
    pub commits: Commits,
    /// Where they begin when nothing is committed.
    pub reset: Reset,
}

/// When members commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Commits {
    /// When they have processed what they commit: records may come again after a rebalance, none is left out.
    AfterProcessing,
    /// By and by, what earlier polls brought; each poll is processed before the next. The same promise.
    Automatic,
    /// Before they process: none comes again, but some may be left out (at most once).
    BeforeProcessing,
}

/// How records may be dated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dating {
    /// The wall clock when the run begins, in milliseconds since 1970.
    pub epoch_ms: i64,
    /// How far ahead of the leader's clock a record may be dated, in the most generous topic.
    pub ahead_max_ms: i64,
}

impl Dating {
    /// Nobody knows the clocks (a history from outside, a real cluster): nothing counts as dated ahead.
    pub const ANY: Dating = Dating { epoch_ms: i64::MAX, ahead_max_ms: 0 };
}

/// One participant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeSetup {
    /// `b1`, `c1`, `p1` ...
    pub name: String,
    /// What it is.
    pub kind: NodeKind,
}

/// The kinds of participants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NodeKind {
    /// A broker.
    Broker(BrokerId),
    /// A controller.
    Controller,
    /// A producer and what it asks for: that decides which row of the guarantee matrix its records stand in.
    Producer {
        /// 0, 1, or -1 for all.
        acks: i16,
        /// Whether its retries are recognised.
        idempotent: bool,
        /// Requests in flight per connection.
        in_flight: u32,
    },
    /// A consumer.
    Consumer {
        /// The laboratory's own: it reads everything once more after healing.
        laboratory: bool,
        /// Where it goes on when its place is gone.
        reset: Reset,
    },
    /// A member of a group.
    Member {
        /// Where it goes on when nothing is committed, or its place is gone.
        reset: Reset,
    },
    /// Anything that makes no promise and is made none.
    Other,
}

/// Where a consumer goes on when its place is gone: `auto.offset.reset`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reset {
    /// At the first record that is kept.
    Earliest,
    /// At the end.
    #[default]
    Latest,
    /// Nowhere: its polls fail.
    Nowhere,
}

impl NodeSetup {
    /// A participant of that name and kind.
    #[must_use]
    pub fn new(name: &str, kind: NodeKind) -> NodeSetup {
        NodeSetup { name: name.to_string(), kind }
    }
}
