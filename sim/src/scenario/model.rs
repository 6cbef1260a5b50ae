//! A scenario as a value: what runs, on what, what goes wrong, what is expected.
//!
//! A *scenario* may contain chance (`[chaos]`, ranges in `[swarm]`); a *plan* is a scenario in which a seed has decided everything
//! that is discrete: every fault stands in `faults`, every setting is a value. Both are this type and the same file format.
//! What is continuous (latencies, the fate of each frame and sector) is weather: a hash of the seed and of what it is about.

use std::collections::BTreeMap;

use brokerlab::types::Duration;

pub use super::group::{CommitPolicy, Group};

/// A scenario or plan.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Scenario {
    /// Stem of its file: `leader-crash`. It is part of the identity of a run.
    pub name: String,
    /// The claim of the lesson.
    pub title: String,
    /// What the reader should learn.
    pub lesson: String,
    /// Default seed of `run`; in a plan the seed of the weather.
    pub seed: u64,
    /// Length of the fault phase.
    pub duration: Duration,
    /// Checks that must have had something to see, else the verdict is UNKNOWN.
    pub must_exercise: Vec<String>,
    /// How clients get on while faults last; `None`: nothing is promised.
    pub progress: Option<Progress>,
    /// What every seed must bring.
    pub expect: Expect,
    /// A planted bug, by slug.
    pub mutant: Option<String>,
    /// The nodes.
    pub cluster: Cluster,
    /// Topics, created before the fault phase begins.
    pub topics: Vec<Topic>,
    /// Writers.
    pub producers: Vec<Producer>,
    /// Readers.
    pub consumers: Vec<Consumer>,
    /// Groups of consumers.
    pub groups: Vec<Group>,
    /// What goes wrong, in order of `at`.
    pub faults: Vec<Fault>,
    /// Network weather.
    pub network: Network,
    /// Disk weather.
    pub disk: DiskWeather,
    /// Random faults to be decided by the seed; `None` in a plan.
    pub chaos: Option<Chaos>,
}

/// What a scenario promises to its producers for as long as faults last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Writes of each producer that are acknowledged, at least.
    pub acknowledged: u32,
    /// In any stretch of time of this length.
    pub within: Duration,
}

/// What a scenario expects.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Expect {
    /// Accepted verdicts by name; empty means PASS.
    pub verdicts: Vec<String>,
    /// The property that fails first; `None`: any, or none.
    pub property: Option<String>,
    /// Facts (and world facts, and counts of the judgement such as `lost`) by name, at least this often.
    pub facts: BTreeMap<String, u64>,
    /// The same, at most this often.
    pub at_most: BTreeMap<String, u64>,
    /// Facts and counts that no seed may bring.
    pub never: Vec<String>,
}

/// The nodes of the cluster: brokers `b1`.. and controllers `c1`.., all on port 9092.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Cluster {
    /// Number of brokers.
    pub brokers: u32,
    /// Kafka's broker and controller properties for all of them.
    pub config: BTreeMap<String, String>,
    /// Clock drift of each node lies within plus or minus this many parts per million.
    pub drift_ppm_max: u32,
}

/// A topic.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Topic {
    /// Name.
    pub name: String,
    /// Number of partitions.
    pub partitions: u32,
    /// Replicas of each.
    pub replicas: u32,
    /// Kafka's topic properties.
    pub config: BTreeMap<String, String>,
}

/// A producer that writes unique records: steadily until the fault phase ends, or at moments of its own.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Producer {
    /// Node name: `p1`.
    pub name: String,
    /// Topic.
    pub topic: String,
    /// Time between two records; nothing if it writes at moments of its own.
    pub every: Duration,
    /// Its own moments, from the begin of the fault phase, in order; empty: it writes steadily.
    pub at: Vec<Duration>,
    /// Records at most; `None`: as many as fit.
    pub records: Option<u64>,
    /// Size of a value.
    pub value_bytes: u32,
    /// A fixed partition; `None`: the producer's partitioner decides.
    pub partition: Option<u32>,
    /// Number of distinct keys; 0 means no key.
    pub keys: u32,
    /// Kafka's producer properties.
    pub config: BTreeMap<String, String>,
}

/// A consumer that reads a topic while it grows.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Consumer {
    /// Node name: `r1`.
    pub name: String,
    /// Topic; all its partitions are assigned.
    pub topic: String,
    /// Time between two polls.
    pub every: Duration,
    /// Kafka's consumer properties.
    pub config: BTreeMap<String, String>,
}

/// One fault.
#[derive(Clone, PartialEq, Debug)]
pub struct Fault {
    /// Permanent: survives the deletion of others. Chance that concerns this fault is keyed by it.
    pub id: String,
    /// When, from the begin of the fault phase.
    pub at: Duration,
    /// How long.
    pub lasts: Duration,
    /// What.
    pub kind: FaultKind,
}

/// The kinds of faults.
#[derive(Clone, PartialEq, Debug)]
pub enum FaultKind {
    /// `crash`: kill -9; started again after `for`.
    Crash {
        /// Whom.
        target: Target,
    },
    /// `power-loss`: the kernel dies too; unsynced sectors are lost or not, each on its own.
    PowerLoss {
        /// Whom.
        target: Target,
    },
    /// `power-loss-at-operation`: power is lost at the n-th disk operation after `at`, possibly in the middle of a step.
    PowerLossAtOperation {
        /// Whom.
        target: Target,
        /// Which operation, from 1.
        nth: u64,
    },
    /// `outage`: all brokers that run are killed at once (kill -9). Nothing is lost by that; everything in memory is.
    Outage,
    /// `crash-loop`: kill -9, started again after `for`, killed again after `every`, and so on.
    CrashLoop {
        /// Whom.
        target: Target,
        /// How many crashes.
        times: u64,
        /// Time from a start to the next crash.
        every: Duration,
    },
    /// `failed-sync`: a sync says EIO once; what it covered stays visible and never reaches the medium, and the next sync says OK.
    FailedSync {
        /// Whose disk.
        target: Target,
        /// Of files whose path contains this.
        path: String,
        /// Which sync, from 1.
        nth: u64,
    },
    /// `io-error`: operations on a disk say EIO.
    IoError {
        /// Whose disk.
        target: Target,
        /// What fails.
        operation: DiskOperation,
        /// On files whose path contains this.
        path: String,
        /// From which operation on, from 1.
        nth: u64,
        /// How many in a row.
        times: u64,
    },
    /// `full-disk`: no space is left.
    FullDisk {
        /// Whose disk.
        target: Target,
        /// Bytes that still fit.
        room: u64,
    },
    /// `bit-rot`: bits turn in durable sectors of logs.
    BitRot {
        /// Whose disk.
        target: Target,
        /// How many.
        flips: u64,
    },
    /// `wipe-disk`: the process is killed and comes back after `for`, with an empty disk.
    WipeDisk {
        /// Whom.
        target: Target,
    },
    /// `clock-jump`: the wall clock is off for `for`, then right again.
    ClockJump {
        /// Whose.
        target: Target,
        /// By how much.
        by: Duration,
        /// It shows too little instead of too much.
        back: bool,
    },
    /// `clock-skew`: the monotonic clock runs too fast for `for`.
    ClockSkew {
        /// Whose.
        target: Target,
        /// Parts per million.
        ppm: u32,
        /// Too slow instead of too fast.
        slow: bool,
    },
    /// `pause`: the process is frozen for `for`.
    Pause {
        /// Whom.
        target: Target,
    },
    /// `restart`: stopped in order (leaders handed over), started again after `for`.
    Restart {
        /// Whom.
        target: Target,
    },
    /// `isolate`: cut from every other node.
    Isolate {
        /// Whom.
        target: Target,
        /// Clients still reach it.
        except_clients: bool,
    },
    /// `cut`: the link between two nodes.
    Cut {
        /// One end.
        from: Target,
        /// The other.
        to: Target,
        /// Only what flows from `from` to `to` is cut.
        one_way: bool,
    },
    /// `slow-link`: everything between two nodes takes this much longer.
    SlowLink {
        /// One end.
        from: Target,
        /// The other.
        to: Target,
        /// Added latency.
        by: Duration,
    },
    /// `slow-disk`: every sync takes this much longer.
    SlowDisk {
        /// Whom.
        target: Target,
        /// Added time.
        by: Duration,
    },
    /// `stuck-disk`: no sync ends before the fault does.
    StuckDisk {
        /// Whom.
        target: Target,
    },
    /// `frame`: something happens to single frames, picked by their headers.
    Frame {
        /// Which.
        frames: Frames,
        /// What.
        fate: Fate,
    },
    /// `stale-metadata`: answers to a broker's fetches of the metadata log come late; everything else of it flows.
    StaleMetadata {
        /// Whom.
        target: Target,
        /// So much later; `None`: not before the fault ends.
        by: Option<Duration>,
    },
    /// `split`: groups of nodes that do not reach each other. Servers that are in none are the last group; clients that are in none
    /// reach everybody.
    Split {
        /// The groups by their members.
        groups: Vec<Vec<Target>>,
        /// Only what flows from an earlier group to a later one is cut.
        one_way: bool,
    },
    /// `bridge`: two halves of the servers reach each other only through one node.
    Bridge {
        /// The node between the halves.
        target: Target,
    },
    /// `majorities-ring`: every server reaches a majority, no two of them the same.
    MajoritiesRing,
    /// `flapping-link`: a link that is cut for a part of each period.
    FlappingLink {
        /// One end.
        from: Target,
        /// The other; `None`: all links of `from`.
        to: Option<Target>,
        /// The period.
        every: Duration,
        /// The part of it in which nothing gets through; it comes first.
        down: Duration,
        /// Only what flows from `from` to `to` is cut.
        one_way: bool,
    },
    /// `cut-clients`: some servers are cut from all clients.
    CutClients {
        /// The servers.
        targets: Vec<Target>,
        /// Only what clients send is cut.
        one_way: bool,
    },
    /// `narrow-link`: a link carries so many bytes in a second and no more; what waits delays everything behind it.
    NarrowLink {
        /// One end.
        from: Target,
        /// The other; `None`: everything that `from` sends shares one such link, and everything that it receives another.
        to: Option<Target>,
        /// Bytes per second in each direction.
        bandwidth: u64,
    },
    /// `elect-preferred`: the admin asks for the preferred leader; nobody is fenced.
    ElectPreferred {
        /// The leader of a partition; the controller: of all partitions.
        target: Target,
    },
    /// `recreate-topic`: the admin deletes a topic and creates another of the same name and settings. Records of the old one are gone.
    RecreateTopic {
        /// The leader of a partition of the topic.
        target: Target,
    },
    /// `member-joins`: a member that stood by takes part in its group for `for`, then leaves in order.
    MemberJoins {
        /// Whom; by its group: any that stands by.
        target: Target,
    },
    /// `member-leaves`: a member leaves its group in order, and joins again after `for`.
    MemberLeaves {
        /// Whom.
        target: Target,
    },
    /// `slow-processing`: each record takes the application of a member this much longer.
    SlowProcessing {
        /// Whom.
        target: Target,
        /// Added time.
        by: Duration,
    },
    /// `delete-records`: the admin has the oldest records of a partition deleted.
    DeleteRecords {
        /// The leader of the partition.
        target: Target,
        /// So many records below the high watermark are kept.
        keep: u64,
    },
}

/// Frames, picked by what stands in their headers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frames {
    /// Kafka's names of the APIs; empty: all.
    pub apis: Vec<String>,
    /// Responses, not requests.
    pub responses: bool,
    /// Who asks; `None`: anybody.
    pub from: Option<Target>,
    /// Who answers; `None`: anybody.
    pub to: Option<Target>,
    /// The first of them after `at`, from 1.
    pub nth: u64,
    /// How many.
    pub count: u64,
}

/// What happens to a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// `hold`: it and everything behind it on its connection stay in the network until the fault ends, whoever has given up by then.
    Hold,
    /// `delay`: it takes so much longer, and everything behind it waits.
    Delay(Duration),
    /// `sever-before`: it gets lost with its connection.
    SeverBefore,
    /// `sever-after`: it arrives, then its connection breaks.
    SeverAfter,
}

impl Fate {
    /// Its name in scenarios.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Fate::Hold => "hold",
            Fate::Delay(_) => "delay",
            Fate::SeverBefore => "sever-before",
            Fate::SeverAfter => "sever-after",
        }
    }
}

/// What may fail on a disk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum DiskOperation {
    /// Whatever asks.
    Read,
    /// Whatever changes.
    Write,
}

impl DiskOperation {
    /// All of them.
    pub const ALL: [DiskOperation; 2] = [DiskOperation::Read, DiskOperation::Write];

    /// Its name in scenarios.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DiskOperation::Read => "read",
            DiskOperation::Write => "write",
        }
    }
}

/// Whom a fault strikes; resolved when it fires.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Target {
    /// A node by name: `b2`, `c1`, `p1`; also `broker 2`.
    Node(String),
    /// `any broker`.
    AnyBroker,
    /// `controller`: the active one.
    Controller,
    /// `leader of orders-0`.
    Leader(String, u32),
    /// `a follower in the isr of orders-0`.
    FollowerInIsr(String, u32),
    /// `a follower of orders-0`: any replica that is not the leader.
    Follower(String, u32),
    /// `coordinator of group billing`: the broker that leads the group's partition of `__consumer_offsets`.
    Coordinator(String),
    /// `a member of group billing`: any that takes part.
    Member(String),
    /// `the owner of orders-0 in billing`: the member that was assigned the partition last.
    Owner {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// Group.
        group: String,
    },
}

/// Latency of every link.
#[derive(Clone, PartialEq, Debug)]
pub struct Network {
    /// Smallest one-way latency.
    pub latency: Duration,
    /// Uniform jitter on top.
    pub jitter: Duration,
    /// One in this many frames takes the tail instead; 0: never.
    pub tail_one_in: u32,
    /// Latency of the tail.
    pub tail: Duration,
    /// One in this many frames is delivered in two or three pieces; 0: never.
    pub split_one_in: u32,
    /// Bytes that each link carries per second, in each direction; `None`: as many as there are.
    pub bandwidth: Option<u64>,
}

impl Default for Network {
    fn default() -> Network {
        Network {
            latency: Duration::micros(300),
            jitter: Duration::micros(400),
            tail_one_in: 200,
            tail: Duration::millis(20),
            split_one_in: 16,
            bandwidth: None,
        }
    }
}

/// Speed and mischief of every disk.
#[derive(Clone, PartialEq, Debug)]
pub struct DiskWeather {
    /// Shortest sync.
    pub sync: Duration,
    /// Uniform jitter on top.
    pub jitter: Duration,
    /// On power loss names survive as any subset instead of a prefix.
    pub harsh: bool,
    /// Bytes that fit on it; `None`: as many as there are.
    pub capacity: Option<u64>,
}

impl Default for DiskWeather {
    fn default() -> DiskWeather {
        DiskWeather { sync: Duration::millis(2), jitter: Duration::millis(3), harsh: false, capacity: None }
    }
}

/// Random faults: each seed enables a random subset of the kinds, with its own rates.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Chaos {
    /// Kinds that may be enabled, as written in faults.
    pub kinds: Vec<String>,
    /// Mean number of faults per run, smallest and largest.
    pub faults: (u32, u32),
    /// Kinds of which a run has at most so many: those that destroy what was promised, lest every run ends beyond tolerance.
    pub at_most: BTreeMap<String, u64>,
    /// Length of a fault, shortest and longest.
    pub lasts: (Duration, Duration),
    /// Storms in a run, fewest and most: leaderships move again and again while news and answers are late.
    pub storms: (u32, u32),
    /// Settings that each seed draws anew: name (`topics.orders.replicas`, `cluster.brokers`, ...) and the values to choose from.
    pub swarm: BTreeMap<String, Vec<String>>,
}
