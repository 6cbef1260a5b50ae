//! Brokers, a scripted controller and clients, joined by wires on which nothing is ever lost unless the script says so.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

use bytes::Bytes;

use crate::actor::{Action, Actor, CloseReason, Event, Now, Outbox};
use crate::broker::{BrokerActor, BrokerConfig};
use crate::disk::DiskError;
use crate::fact::Fact;
use crate::testing::MemoryDisk;
use crate::types::{Address, BrokerId, ConnectionId, Ticket, Time, Timestamp};
use crate::wire::join;

use super::answers::tell_answer;
use super::controller::ScriptedController;

/// Who sits at an end of a wire.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Who {
    Broker(BrokerId),
    Controller,
    Client(String),
}

/// How a broker's disk behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Health {
    Runs,
    Stuck,
    Fails,
}

pub(super) struct Node {
    pub actor: BrokerActor,
    pub out: Outbox,
    pub disk: MemoryDisk,
    pub health: Health,
    stuck: Vec<Ticket>,
}

/// One connection: its two ends, each with its own name for it.
struct Wire {
    ends: [(Who, ConnectionId); 2],
    open: bool,
}

/// A client's connection, and what it waits for.
pub(super) struct Client {
    pub wire: usize,
    pub asked: VecDeque<(crate::wire::ApiKey, i16)>,
    pub correlation: i32,
}

#[derive(Default)]
pub(super) struct Stage {
    pub now: Time,
    pub nodes: BTreeMap<BrokerId, Node>,
    pub controller: ScriptedController,
    pub clients: BTreeMap<String, Client>,
    /// Member ids that clients were given.
    pub members: BTreeMap<String, String>,
    pub output: String,
    pub tells_facts: bool,
    wires: Vec<Wire>,
    queue: VecDeque<(Who, Event)>,
    held: BTreeMap<(Who, Who), Vec<(Who, Event)>>,
    /// Of brokers that are down.
    disks: BTreeMap<BrokerId, MemoryDisk>,
}

impl Stage {
    fn moment(&self) -> Now {
        Now { mono: self.now, wall: Timestamp(1_000 + (self.now.0 / 1_000_000) as i64) }
    }

    /// Starts a broker, or starts it again on its old disk.
    pub fn start(&mut self, config: BrokerConfig) {
        let id = config.id;
        self.kill(id);
        let disk = self.disks.remove(&id).unwrap_or_default();
        let node = Node { actor: BrokerActor::new(config), out: Outbox::new(), disk, health: Health::Runs, stuck: Vec::new() };
        self.nodes.insert(id, node);
        self.queue.push_back((Who::Broker(id), Event::Woken));
    }

    /// The process dies; what it wrote stays.
    pub fn kill(&mut self, id: BrokerId) {
        self.cut_off(&Who::Broker(id));
        if let Some(node) = self.nodes.remove(&id) {
            self.disks.insert(id, node.disk);
        }
    }

    /// Ends all connections of one participant, as the death of its process does.
    pub fn cut_off(&mut self, who: &Who) {
        for wire in 0..self.wires.len() {
            if self.wires[wire].open && self.wires[wire].ends.iter().any(|(end, _)| end == who) {
                self.close(wire, who);
            }
        }
        self.queue.retain(|(to, _)| to != who);
    }

    /// The other end of a wire of this participant.
    fn peer(&self, who: &Who, connection: ConnectionId) -> Option<(usize, Who, ConnectionId)> {
        let is_mine = |wire: &Wire| wire.open && wire.ends.contains(&(who.clone(), connection));
        let at = self.wires.iter().position(is_mine)?;
        let (peer, name) = self.wires[at].ends.iter().find(|end| **end != (who.clone(), connection))?;
        Some((at, peer.clone(), *name))
    }

    fn close(&mut self, wire: usize, by: &Who) {
        self.wires[wire].open = false;
        for (end, connection) in self.wires[wire].ends.clone() {
            match &end {
                _ if end == *by => {}
                Who::Broker(_) => self.queue.push_back((end, Event::Closed { connection, reason: CloseReason::Eof })),
                Who::Controller => {}
                Who::Client(name) => writeln!(self.output, "{name}: closed").expect("a string takes all"),
            }
        }
        self.controller.on_closed(wire);
    }

    /// Joins a client to a broker, if it is not yet.
    pub fn connect_client(&mut self, name: &str, broker: BrokerId) -> usize {
        if let Some(client) = self.clients.get(name)
            && self.wires[client.wire].open
        {
            return client.wire;
        }
        let wire = self.wires.len();
        let connection = self.nodes.get_mut(&broker).expect("started").out.next_connection();
        let ends = [(Who::Client(name.to_owned()), ConnectionId(0)), (Who::Broker(broker), connection)];
        self.wires.push(Wire { ends, open: true });
        self.clients.insert(name.to_owned(), Client { wire, asked: VecDeque::new(), correlation: 0 });
        let peer = Address::new(name, 1);
        self.queue.push_back((Who::Broker(broker), Event::Opened { connection, peer, accepted: true }));
        self.run();
        wire
    }

    /// A client sends a frame.
    pub fn send(&mut self, wire: usize, frame: Bytes) {
        if self.wires[wire].open {
            let client = self.wires[wire].ends[0].0.clone();
            self.deliver(&client, wire, frame);
        }
    }

    /// Keeps back everything from one participant to another.
    pub fn hold(&mut self, from: Who, to: Who) {
        self.held.insert((from, to), Vec::new());
    }

    /// Lets it go.
    pub fn release(&mut self, from: Who, to: Who) {
        self.queue.extend(self.held.remove(&(from, to)).unwrap_or_default());
    }

    /// Lets an event happen to a broker.
    pub fn happen(&mut self, id: BrokerId, event: Event) {
        self.queue.push_back((Who::Broker(id), event));
    }

    /// Carries out everything until nothing is left to do at this moment.
    pub fn run(&mut self) {
        for round in 0.. {
            assert!(round < 10_000, "the stage does not come to rest");
            for (wire, frame) in self.controller.due(self.now) {
                self.deliver(&Who::Controller, wire, frame);
            }
            let Some((who, event)) = self.queue.pop_front() else { break };
            if let Who::Broker(id) = who {
                self.step(id, event);
            }
        }
    }

    fn deliver(&mut self, from: &Who, wire: usize, frame: Bytes) {
        let Some((to, connection)) = self.wires[wire].ends.iter().find(|(end, _)| end != from).cloned() else { return };
        let event = (to.clone(), Event::Frame { connection, frame });
        match self.held.get_mut(&(from.clone(), to)) {
            Some(held) => held.push(event),
            None => self.queue.push_back(event),
        }
    }

    fn step(&mut self, id: BrokerId, event: Event) {
        let now = self.moment();
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if self.queue.iter().any(|(to, _)| *to == Who::Broker(id)) {
            node.actor.expect_more();
        }
        node.actor.step(now, event, &mut node.disk, &mut node.out);
        let actions: Vec<Action> = node.out.drain().collect();
        for action in actions {
            self.carry_out(id, action);
        }
    }

    fn carry_out(&mut self, id: BrokerId, action: Action) {
        let who = Who::Broker(id);
        match action {
            Action::Connect { connection, to } => self.connect(id, connection, &to),
            Action::Send { connection, chunks, .. } => self.on_send(&who, connection, join(&chunks)),
            Action::Done { connection } => {
                if let Some((_, Who::Client(name), _)) = self.peer(&who, connection) {
                    writeln!(self.output, "{name}: done").expect("a string takes all");
                }
            }
            Action::Close { connection } => {
                if let Some((wire, ..)) = self.peer(&who, connection) {
                    self.close(wire, &who);
                }
            }
            Action::Sync { ticket, .. } => self.disk_asked(id, ticket),
            Action::Replace { ticket, path, content } => {
                self.nodes.get_mut(&id).expect("it acts").disk.replace(&path, &content);
                self.disk_asked(id, ticket);
            }
            Action::Read { .. } => {}
            Action::Complete(completion) => {
                writeln!(self.output, "{id:?}: {:?}", completion.outcome).expect("a string takes all")
            }
            Action::Fact(fact) => self.tell_fact(id, &fact),
        }
    }

    fn tell_fact(&mut self, id: BrokerId, fact: &Fact) {
        let detail = if matches!(fact, Fact::BrokerStarted { clean: true, .. }) { " clean" } else { "" };
        // That a dangerous corner was reached is for those who measure the laboratory; a script tells what the broker did.
        if self.tells_facts && !matches!(fact, Fact::Reached { .. }) {
            writeln!(self.output, "{id:?}: {}{detail}", fact.name()).expect("a string takes all");
        }
    }

    fn connect(&mut self, id: BrokerId, connection: ConnectionId, to: &Address) {
        let from = Who::Broker(id);
        let listener = to.host.strip_prefix('b').and_then(|number| number.parse().ok()).map(BrokerId);
        let other = match listener {
            Some(peer) => match self.nodes.get_mut(&peer) {
                Some(node) => (Who::Broker(peer), node.out.next_connection()),
                None => {
                    self.queue.push_back((from, Event::Closed { connection, reason: CloseReason::Refused }));
                    return;
                }
            },
            None => (Who::Controller, ConnectionId(0)),
        };
        if let (Who::Broker(peer), accepted) = &other {
            let event = Event::Opened { connection: *accepted, peer: Address::new(&format!("{id:?}"), 1), accepted: true };
            self.queue.push_back((Who::Broker(*peer), event));
        }
        self.wires.push(Wire { ends: [(from.clone(), connection), other], open: true });
        self.queue.push_back((from, Event::Opened { connection, peer: to.clone(), accepted: false }));
    }

    fn on_send(&mut self, from: &Who, connection: ConnectionId, frame: Bytes) {
        let Some((wire, to, _)) = self.peer(from, connection) else { return };
        match to {
            Who::Broker(_) => self.deliver(from, wire, frame),
            Who::Controller => {
                if let Some(answer) = self.controller.on_frame(self.now, wire, &frame) {
                    self.deliver(&Who::Controller, wire, answer);
                }
            }
            Who::Client(name) => {
                let client = self.clients.get_mut(&name).expect("it has a wire");
                let (api, version) = client.asked.pop_front().expect("answers follow requests");
                self.note_member(&name, api, version, &frame);
                let told = self.without_ids(&tell_answer(api, version, &frame));
                writeln!(self.output, "{name}: {told}").expect("a string takes all");
            }
        }
    }

    fn disk_asked(&mut self, id: BrokerId, ticket: Ticket) {
        let node = self.nodes.get_mut(&id).expect("it acts");
        let result = match node.health {
            Health::Runs => Ok(()),
            Health::Fails => Err(DiskError::Io),
            Health::Stuck => return node.stuck.push(ticket),
        };
        self.queue.push_back((Who::Broker(id), Event::Synced { ticket, result }));
    }

    /// Changes how a disk behaves; what was stuck ends accordingly.
    pub fn set_health(&mut self, id: BrokerId, health: Health) {
        let node = self.nodes.get_mut(&id).expect("started");
        node.health = health;
        if health != Health::Stuck {
            for ticket in std::mem::take(&mut node.stuck) {
                self.disk_asked(id, ticket);
            }
        }
    }

    /// Lets time pass; everybody is woken when it asked to be.
    pub fn wait_until(&mut self, end: Time) {
        self.run();
        for round in 0.. {
            assert!(round < 100_000, "somebody wants to be woken over and over again at {:?}", self.now);
            let next = |(id, node): (&BrokerId, &Node)| node.actor.deadline().map(|at| (at, *id));
            let broker = self.nodes.iter().filter_map(next).min().filter(|(at, _)| *at <= end);
            let controller = self.controller.deadline().filter(|at| *at <= end);
            let Some(at) = broker.map(|(at, _)| at).into_iter().chain(controller).min() else { break };
            self.now = self.now.max(at);
            if let Some((_, id)) = broker.filter(|(due, _)| *due <= self.now) {
                self.queue.push_back((Who::Broker(id), Event::Woken));
            }
            self.run();
        }
        self.now = self.now.max(end);
    }
}
