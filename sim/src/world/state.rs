//! Everything there is in a world.

use std::collections::{BTreeMap, VecDeque};

use brokerlab::types::{Address, Duration, Time};
use brokerlab_reports::event::{EventId, NodeId, What, WorldFact};

use super::cast::{Cast, Member};
use super::chance::Chance;
use super::clock::NodeClock;
use super::devices::Jobs;
use super::directory::Directory;
use super::fault::Ongoing;
use super::heap::Heap;
use super::journal::Journal;
use super::phases::Phase;
use super::process::{FrameHeader, Pending, Process};
use crate::check::Follow;
use crate::disk::{DiskKey, SimDisk};
use crate::network::weather::Weather;
use crate::network::{Fabric, Host, Signal, Socket};
use crate::scenario::model::Scenario;
use crate::workload::Driver;

/// Something that will happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Due {
    /// The network asked for it.
    Network(Signal),
    /// A node's alarm; void unless the number is still that of its process.
    Alarm {
        /// Whose.
        node: u16,
        /// Of which life.
        life: u32,
        /// Which.
        number: u32,
    },
    /// A disk operation ends.
    Disk {
        /// Its number.
        job: u32,
    },
    /// A fault begins.
    FaultBegins(usize),
    /// A fault ends.
    FaultEnds(usize),
    /// A fault that comes and goes does so.
    FaultTurns(usize),
    /// A driver wanted to be asked.
    Drive {
        /// Whose.
        node: u16,
    },
    /// A crash loop comes to its next crash.
    CrashAgain(usize),
    /// The supervisor looks after a process that has given up.
    Supervise {
        /// Whose.
        node: u16,
        /// The life that ended.
        life: u32,
        /// The event in which it gave up.
        event: EventId,
    },
    /// A node that was told to stop has had long enough.
    Grace {
        /// Which.
        node: u16,
        /// Which life.
        life: u32,
    },
    /// Time to see whether the phase is over.
    Look,
}

/// One node: a kernel, a disk, clocks, and a process most of the time.
pub struct Node {
    /// What survives its processes.
    pub disk: SimDisk,
    /// Its clocks, as of the last boot.
    pub clock: NodeClock,
    /// How often its kernel was booted.
    pub boots: u32,
    /// How many processes it has had.
    pub life: u32,
    /// The process that runs.
    pub process: Option<Process>,
    /// When the last one was started.
    pub started: Time,
    /// Faults that freeze the process at the moment.
    pub pauses: u32,
    /// Its application was to go on while it was frozen.
    pub held: bool,
    /// The event in which its application was last handed records.
    pub handed: EventId,
    /// Faults that hold all syncs at the moment, and the last of them.
    pub stuck: (u32, EventId),
    /// Time that faults add to each sync, and the last of them.
    pub slow: (Duration, EventId),
    /// Disk operations that wait for the disk to be free again.
    pub stuck_jobs: Vec<u32>,
    /// Commands given so far, over all lives.
    pub operations: u64,
    /// Stands in [`World::ready`].
    pub is_ready: bool,
    /// Faults that keep it down at the moment.
    pub outages: u32,
    /// The fault that told it to stop in order, until it has stopped.
    pub stopping: Option<usize>,
    /// The fault that takes its power at some disk operation, until it does.
    pub armed: Option<usize>,
    /// The event in which its process said that it can do no more, until that is acted upon.
    pub gave_up: Option<EventId>,
    /// How often that has happened.
    pub failures: u64,
    /// What faults add to its wall clock at the moment, over all boots.
    pub wall_off_ms: i64,
    /// What faults add to the rate of its monotonic clock at the moment, over all boots.
    pub race_ppm: i64,
}

/// What the world remembers of one connection: who holds its ends, and what the frames under way are.
#[derive(Debug, Default)]
pub struct Trace {
    /// Name of each end with its process.
    pub names: [Option<brokerlab::types::ConnectionId>; 2],
    /// Frames on their way to each end.
    pub frames: [VecDeque<Flight>; 2],
}

/// A frame under way.
#[derive(Clone, Copy, Debug)]
pub struct Flight {
    /// The event whose step sent it.
    pub cause: EventId,
    /// What it is.
    pub header: FrameHeader,
}

/// How a run ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Everything came to rest, or did not in time.
    Phases,
    /// A participant panicked.
    Panicked,
    /// Too many events: somebody runs in circles.
    Exhausted,
    /// It was to be followed no further.
    Followed,
}

/// A world.
pub struct World {
    /// World time.
    pub now: Time,
    /// What will happen.
    pub heap: Heap<Due>,
    /// The network.
    pub fabric: Fabric,
    /// The record.
    pub journal: Journal,
    /// The source of every choice.
    pub chance: Chance,
    /// What is to be run.
    pub plan: Scenario,
    /// Who takes part.
    pub cast: Box<dyn Cast>,
    /// Their nodes.
    pub nodes: Vec<Node>,
    /// Who gives them commands.
    pub drivers: Vec<Driver>,
    /// Nodes by address.
    pub addresses: BTreeMap<Address, u16>,
    /// By number of the connection.
    pub traces: Vec<Trace>,
    /// Names, leaders, in-sync replicas.
    pub directory: Directory,
    /// Disk operations under way.
    pub jobs: Jobs,
    /// The plan's faults as they go on.
    pub faults: Vec<Ongoing>,
    /// Nodes that have something to be told.
    pub ready: VecDeque<u16>,
    /// Nodes whose new process has not come up yet, with the event that started it.
    pub starting: VecDeque<(u16, EventId)>,
    /// Frames delivered.
    pub frames: u64,
    /// Events at most.
    pub budget: u64,
    /// How far the run is followed.
    pub follow: Follow,
    /// When the fault phase began.
    pub fault_phase: Option<Time>,
    /// What applications had asked for when it was over.
    pub operations: Option<u64>,
    /// Where in the run we are.
    pub phase: Phase,
    /// The topic that was last seen in each directory of each node.
    pub directories: BTreeMap<(u16, String), brokerlab::types::TopicId>,
    /// The run is over.
    pub ending: Option<Ending>,
}

impl World {
    /// A world in which nothing has happened yet.
    #[must_use]
    pub fn new(plan: Scenario, cast: Box<dyn Cast>, journal: Journal, budget: u64, follow: Follow) -> World {
        let chance = Chance::new(plan.seed);
        let count = cast.members().len();
        let weather = Weather::new(chance, plan.network.clone(), count);
        let nodes: Vec<Node> = (0..count).map(|at| Node::new(at, &plan, chance)).collect();
        let addresses = cast.members().iter().enumerate();
        let addresses = addresses.map(|(at, member)| (Address::new(&member.name, 9092), number(at))).collect();
        let drivers = (0..count).map(|member| cast.driver(member)).collect();
        World {
            now: Time::ZERO,
            heap: Heap::new(),
            fabric: Fabric::new(weather, count),
            journal,
            chance,
            faults: plan.faults.iter().map(|_| Ongoing::default()).collect(),
            plan,
            cast,
            nodes,
            drivers,
            addresses,
            traces: Vec::new(),
            directory: Directory::default(),
            jobs: Jobs::default(),
            ready: VecDeque::new(),
            starting: VecDeque::new(),
            frames: 0,
            budget,
            follow,
            fault_phase: None,
            operations: None,
            phase: Phase::Boot,
            directories: BTreeMap::new(),
            ending: None,
        }
    }

    /// The node of that number.
    pub fn node(&mut self, node: u16) -> &mut Node {
        &mut self.nodes[usize::from(node)]
    }

    /// What applications have asked for so far: writes, polls, commits.
    #[must_use]
    pub fn asked_by_applications(&self) -> u64 {
        let asked = |(node, driver): (&Node, &Driver)| match driver {
            Driver::Writer(_) | Driver::Reader(_) | Driver::Worker(_) => node.operations,
            Driver::Nobody | Driver::TopicCreator(_) | Driver::Laboratory(_) => 0,
        };
        self.nodes.iter().zip(&self.drivers).map(asked).sum()
    }

    /// The participant of that number.
    #[must_use]
    pub fn member(&self, node: u16) -> &Member {
        &self.cast.members()[usize::from(node)]
    }

    /// Takes down an event.
    pub fn note(&mut self, node: Option<u16>, cause: EventId, also: EventId, what: What) -> EventId {
        self.journal.note(self.now, node.map(NodeId), cause, also, what)
    }

    /// Takes down an event in the life of the world.
    pub fn note_world(&mut self, node: Option<u16>, cause: EventId, fact: WorldFact) -> EventId {
        self.note(node, cause, EventId::NONE, What::World(fact))
    }

    /// Something is to be told to the process on that node, if there is one.
    pub fn tell(&mut self, node: u16, pending: Pending) {
        let state = &mut self.nodes[usize::from(node)];
        let Some(process) = &mut state.process else { return };
        process.pending.push_back(pending);
        if !state.is_ready && state.pauses == 0 {
            state.is_ready = true;
            self.ready.push_back(node);
        }
    }

    /// The name that the process at this end has for it.
    #[must_use]
    pub fn name_of(&self, socket: Socket) -> Option<brokerlab::types::ConnectionId> {
        self.traces.get(socket.connection as usize)?.names[socket.end as usize]
    }

    /// What the world remembers of a connection.
    pub fn trace(&mut self, socket: Socket) -> &mut Trace {
        let at = socket.connection as usize;
        if self.traces.len() <= at {
            self.traces.resize_with(at + 1, Trace::default);
        }
        &mut self.traces[at]
    }
}

impl Node {
    fn new(at: usize, plan: &Scenario, chance: Chance) -> Node {
        let key = DiskKey { seed: plan.seed, node: at as u64 };
        Node {
            disk: SimDisk::new(key, plan.disk.clone()),
            clock: NodeClock::boot(chance, number(at), 0, 0, Time::ZERO),
            boots: 0,
            life: 0,
            process: None,
            started: Time::ZERO,
            pauses: 0,
            held: false,
            handed: EventId::NONE,
            stuck: (0, EventId::NONE),
            slow: (Duration::ZERO, EventId::NONE),
            stuck_jobs: Vec::new(),
            operations: 0,
            is_ready: false,
            outages: 0,
            stopping: None,
            armed: None,
            gave_up: None,
            failures: 0,
            wall_off_ms: 0,
            race_ppm: 0,
        }
    }
}

/// An index as a node number.
#[must_use]
pub fn number(at: usize) -> u16 {
    u16::try_from(at).expect("a run has fewer than 65,536 nodes")
}

/// A node number as a host of the network.
#[must_use]
pub fn host(node: u16) -> Host {
    Host(node)
}
