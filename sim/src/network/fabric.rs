//! Hosts, connections, and what becomes of each segment.

use std::collections::{BTreeSet, VecDeque};

use brokerlab::actor::CloseReason;
use brokerlab::types::{Duration, Time};
use bytes::Bytes;

use super::pipe::{Flying, Pipe, Segment};
use super::weather::{Label, Weather};
use super::{CONNECT_LIMIT, End, GIVE_UP, Host, News, Notice, Read, Signal, Socket, WINDOW};

/// The network.
#[derive(Debug)]
pub struct Fabric {
    /// The links.
    weather: Weather,
    hosts: Vec<HostState>,
    connections: Vec<Connection>,
    live: BTreeSet<u32>,
    /// Moments at which [`Fabric::on_signal`] must be called; whoever uses the network takes them out.
    pub schedule: Vec<(Time, Signal)>,
    /// News for processes, in order; whoever uses the network takes them out.
    pub notices: VecDeque<Notice>,
}

#[derive(Clone, Debug, Default)]
struct HostState {
    powered: bool,
    listening: bool,
    outage: u64,
}

#[derive(Debug)]
struct Connection {
    ends: [EndState; 2],
}

#[derive(Debug)]
struct EndState {
    host: Host,
    stage: Stage,
    inbox: VecDeque<Bytes>,
    unread: usize,
    finished: Option<u64>,
    held: u64,
    /// Leads away from this end.
    pipe: Pipe,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Waits for the peer to answer (opener) or to ask (acceptor).
    Waiting,
    /// Stands.
    Open,
    /// Stands, but has said `Fin`: it only reads.
    Finished,
    /// Closed, reset, or its kernel is gone.
    Closed,
}

impl Fabric {
    /// A network of so many hosts as the weather knows, all without power.
    #[must_use]
    pub fn new(weather: Weather, hosts: usize) -> Fabric {
        Fabric {
            weather,
            hosts: vec![HostState::default(); hosts],
            connections: Vec::new(),
            live: BTreeSet::new(),
            schedule: Vec::new(),
            notices: VecDeque::new(),
        }
    }

    // ---- what processes do ------------------------------------------------------------------------------------------------

    /// The process on this host takes connections from now on.
    pub fn listen(&mut self, host: Host) {
        assert!(self.hosts[usize::from(host.0)].powered, "only a running kernel listens");
        self.hosts[usize::from(host.0)].listening = true;
    }

    /// Asks for a connection.
    pub fn connect(&mut self, from: Host, to: Host, cause: u64, now: Time) -> Socket {
        let connection = u32::try_from(self.connections.len()).expect("fewer than 2^32 connections in a run");
        self.connections.push(Connection { ends: [EndState::new(from), EndState::new(to)] });
        self.live.insert(connection);
        let socket = Socket { connection, end: End::Opener };
        self.refreeze(socket, 0, now);
        self.refreeze(socket.peer(), 0, now);
        self.schedule.push((now.plus(CONNECT_LIMIT), Signal::ConnectLimit { connection }));
        self.control(socket, Segment::Syn, cause, now);
        socket
    }

    /// Sends bytes of one frame; says how many the kernel took. The rest has to wait for [`News::Writable`].
    pub fn send(&mut self, from: Socket, bytes: &Bytes, label: Label, cause: u64, now: Time) -> usize {
        let unread = self.end(from.peer()).unread;
        let state = self.end_mut(from);
        if state.stage != Stage::Open {
            return bytes.len();
        }
        let room = WINDOW.saturating_sub(state.pipe.bytes() + unread);
        let taken = bytes.len().min(room);
        state.pipe.starved = taken < bytes.len();
        if taken > 0 {
            self.fly(from, &bytes.slice(..taken), label, cause, now);
        }
        taken
    }

    /// Reads what has arrived.
    pub fn read(&mut self, at: Socket, now: Time) -> Read {
        let state = self.end_mut(at);
        let Some(bytes) = state.inbox.pop_front() else {
            return match (state.finished, state.stage) {
                (Some(cause), Stage::Open | Stage::Finished) => Read::Finished { cause },
                (Some(_) | None, Stage::Waiting | Stage::Open | Stage::Finished | Stage::Closed) => Read::Empty,
            };
        };
        state.unread -= bytes.len();
        if self.end(at.peer()).pipe.starved {
            self.end_mut(at.peer()).pipe.starved = false;
            self.control(at, Segment::Credit, 0, now);
        }
        Read::Bytes(bytes)
    }

    /// Whether there is something to read, or the end of it.
    #[must_use]
    pub fn has_news(&self, at: Socket) -> bool {
        let state = self.end(at);
        state.unread > 0 || (state.finished.is_some() && state.stage != Stage::Closed)
    }

    /// Whether this end stands.
    #[must_use]
    pub fn is_open(&self, at: Socket) -> bool {
        matches!(self.end(at).stage, Stage::Open | Stage::Finished)
    }

    /// The host of this end.
    #[must_use]
    pub fn host_of(&self, at: Socket) -> Host {
        self.end(at).host
    }

    /// The fault that held up what was read since the last call, 0 if none did.
    pub fn take_held(&mut self, at: Socket) -> u64 {
        std::mem::take(&mut self.end_mut(at).held)
    }

    /// Will write no more, but goes on reading: shutdown(WR).
    pub fn finish(&mut self, at: Socket, cause: u64, now: Time) {
        if self.end(at).stage == Stage::Open {
            self.end_mut(at).stage = Stage::Finished;
            self.control(at, Segment::Fin, cause, now);
        }
    }

    /// Closes this end. What the kernel already took is still sent; unread bytes make it a reset.
    pub fn close(&mut self, at: Socket, cause: u64, now: Time) {
        let state = self.end_mut(at);
        let goodbye = match (state.stage, state.unread) {
            (Stage::Closed | Stage::Waiting, _) => None,
            (Stage::Open, 0) => Some(Segment::Fin),
            (Stage::Finished, 0) => None,
            (Stage::Open | Stage::Finished, _) => Some(Segment::Rst),
        };
        state.shut();
        if let Some(segment) = goodbye {
            self.control(at, segment, cause, now);
        }
        self.bury(at.connection);
    }

    // ---- what happens to hosts --------------------------------------------------------------------------------------------

    /// A kernel starts. Whatever its predecessor knew is forgotten.
    pub fn power_on(&mut self, host: Host, now: Time) {
        self.hosts[usize::from(host.0)].powered = true;
        self.refreeze_host(host, now);
    }

    /// The process dies; its kernel closes what it left.
    pub fn kill(&mut self, host: Host, cause: u64, now: Time) {
        self.hosts[usize::from(host.0)].listening = false;
        for socket in self.ends_on(host) {
            if !self.is_unborn(socket) {
                self.close(socket, cause, now);
            }
        }
    }

    /// The kernel dies too: silence. `fault` is named by what gets through later.
    pub fn power_off(&mut self, host: Host, fault: u64, now: Time) {
        let state = &mut self.hosts[usize::from(host.0)];
        *state = HostState { powered: false, listening: false, outage: fault };
        for socket in self.ends_on(host) {
            if self.is_unborn(socket) {
                continue;
            }
            let end = self.end_mut(socket);
            end.shut();
            // What already travels arrives; nobody is left to retransmit what is stuck.
            if end.pipe.is_frozen() {
                end.pipe.clear();
            }
            self.bury(socket.connection);
        }
        self.refreeze_host(host, now);
    }

    /// Whether the kernel runs.
    #[must_use]
    pub fn is_powered(&self, host: Host) -> bool {
        self.hosts[usize::from(host.0)].powered
    }

    // ---- what happens to links --------------------------------------------------------------------------------------------

    /// Cuts one direction once more.
    pub fn cut(&mut self, from: Host, to: Host, fault: u64, now: Time) {
        self.weather.cut(from, to, fault);
        self.refreeze_link(from, to, now);
    }

    /// Takes back one cut.
    pub fn heal(&mut self, from: Host, to: Host, now: Time) {
        self.weather.heal(from, to);
        self.refreeze_link(from, to, now);
    }

    /// Slows one direction down.
    pub fn slow(&mut self, from: Host, to: Host, by: Duration, fault: u64) {
        self.weather.slow(from, to, by, fault);
    }

    /// Takes back [`Fabric::slow`].
    pub fn hasten(&mut self, from: Host, to: Host, by: Duration) {
        self.weather.hasten(from, to, by);
    }

    /// Time has come.
    pub fn on_signal(&mut self, signal: Signal, now: Time) {
        match signal {
            Signal::Arrival { to, timetable } => self.on_arrival(to, timetable, now),
            Signal::ConnectLimit { connection } => self.on_connect_limit(connection),
            Signal::GiveUp { from, timetable } => self.on_give_up(from, timetable),
        }
    }

    fn on_connect_limit(&mut self, connection: u32) {
        let opener = Socket { connection, end: End::Opener };
        if self.end(opener).stage == Stage::Waiting {
            self.end_mut(opener).pipe.clear();
            self.abandon(opener, CloseReason::TimedOut, 0, 0);
        }
    }

    fn on_give_up(&mut self, from: Socket, timetable: u32) {
        let end = self.end_mut(from);
        if !end.pipe.is_frozen() || end.pipe.timetable != timetable {
            return;
        }
        end.pipe.clear();
        if matches!(end.stage, Stage::Open | Stage::Finished) {
            let fault = self.culprit(from);
            self.abandon(from, CloseReason::TimedOut, 0, fault);
        }
        self.bury(from.connection);
    }

    fn on_arrival(&mut self, to: Socket, timetable: u32, now: Time) {
        let pipe = &mut self.end_mut(to.peer()).pipe;
        if pipe.timetable != timetable || pipe.is_frozen() {
            return;
        }
        let flying = pipe.pop().expect("what is scheduled is in the pipe");
        self.arm(to.peer());
        self.accept(to, flying, now);
        self.bury(to.connection);
    }

    fn accept(&mut self, to: Socket, flying: Flying, now: Time) {
        let Flying { segment, cause, held, .. } = flying;
        match (segment, self.end(to).stage) {
            (Segment::Syn, Stage::Waiting) => self.on_syn(to, cause, held, now),
            (Segment::SynAck, Stage::Waiting) => {
                self.end_mut(to).stage = Stage::Open;
                self.tell(to, News::Opened, cause, held);
            }
            (Segment::Data(bytes), Stage::Open | Stage::Finished) => {
                let end = self.end_mut(to);
                end.unread += bytes.len();
                end.inbox.push_back(bytes);
                end.held = end.held.max(held);
                self.tell(to, News::Readable, cause, held);
            }
            (Segment::Fin, Stage::Open | Stage::Finished) => {
                self.end_mut(to).finished = Some(cause);
                self.tell(to, News::Readable, cause, held);
            }
            (Segment::Credit, Stage::Open) => self.tell(to, News::Writable, cause, held),
            (Segment::Rst, Stage::Waiting) => self.abandon(to, CloseReason::Refused, cause, held),
            (Segment::Rst, Stage::Open | Stage::Finished) => self.abandon(to, CloseReason::Reset, cause, held),
            // Somebody still speaks to an end that is closed or forgotten.
            (Segment::Data(_) | Segment::SynAck | Segment::Syn, _) => self.control(to, Segment::Rst, cause, now),
            (Segment::Fin | Segment::Credit | Segment::Rst, _) => {}
        }
    }

    fn on_syn(&mut self, to: Socket, cause: u64, held: u64, now: Time) {
        if self.hosts[usize::from(self.end(to).host.0)].listening {
            self.end_mut(to).stage = Stage::Open;
            self.control(to, Segment::SynAck, cause, now);
            self.tell(to, News::Accepted, cause, held);
        } else {
            self.end_mut(to).shut();
            self.control(to, Segment::Rst, cause, now);
        }
    }

    fn abandon(&mut self, at: Socket, reason: CloseReason, cause: u64, held: u64) {
        self.end_mut(at).shut();
        self.tell(at, News::Ended(reason), cause, held);
        self.bury(at.connection);
    }

    fn tell(&mut self, socket: Socket, news: News, cause: u64, held: u64) {
        let host = self.end(socket).host;
        self.notices.push_back(Notice { host, socket, news, cause, held });
    }

    // ---- pipes ------------------------------------------------------------------------------------------------------------

    fn fly(&mut self, from: Socket, bytes: &Bytes, label: Label, cause: u64, now: Time) {
        let (here, there) = self.route(from);
        let (latency, mut dice) = self.weather.frame(here, there, label, now);
        let held = self.weather.slowed_by(here, there);
        let pieces = self.weather.pieces(&mut dice).min(bytes.len() as u64);
        let mut start = 0;
        for piece in 1..=pieces {
            let left = bytes.len() - start;
            let end = if piece == pieces { bytes.len() } else { start + 1 + dice.up_to(left.saturating_sub(2) as u64) as usize };
            // Pieces of one frame follow each other within a millisecond.
            let gap = Duration(if piece == 1 { 0 } else { dice.up_to(1_000_000) });
            self.push(from, Segment::Data(bytes.slice(start..end)), Duration(latency.0 + gap.0), cause, held, now);
            start = end;
            if start == bytes.len() {
                break;
            }
        }
    }

    fn control(&mut self, from: Socket, segment: Segment, cause: u64, now: Time) {
        let (here, there) = self.route(from);
        let latency = self.weather.control(here, there, now);
        let held = self.weather.slowed_by(here, there);
        self.push(from, segment, latency, cause, held, now);
    }

    fn push(&mut self, from: Socket, segment: Segment, latency: Duration, cause: u64, held: u64, now: Time) {
        let pipe = &mut self.end_mut(from).pipe;
        if !pipe.push(segment, now, latency, cause, held) {
            return;
        }
        if pipe.is_frozen() {
            let timetable = pipe.timetable;
            self.schedule.push((now.plus(GIVE_UP), Signal::GiveUp { from, timetable }));
        } else {
            self.arm(from);
        }
    }

    fn arm(&mut self, from: Socket) {
        let pipe = &self.end(from).pipe;
        if let Some(at) = pipe.next_arrival() {
            let signal = Signal::Arrival { to: from.peer(), timetable: pipe.timetable };
            self.schedule.push((at, signal));
        }
    }

    /// Freezes or thaws the pipe that leads away from this end, as the link and the other host are now.
    fn refreeze(&mut self, from: Socket, fault: u64, now: Time) {
        let (here, there) = self.route(from);
        let blocked = self.weather.is_cut(here, there) || !self.hosts[usize::from(there.0)].powered;
        let frozen = self.end(from).pipe.is_frozen();
        if blocked && !frozen {
            if self.end_mut(from).pipe.freeze(now) {
                let timetable = self.end(from).pipe.timetable;
                self.schedule.push((now.plus(GIVE_UP), Signal::GiveUp { from, timetable }));
            }
        } else if frozen && !blocked {
            let latency = self.weather.control(here, there, now);
            self.end_mut(from).pipe.thaw(now, latency, fault);
            self.arm(from);
        }
    }

    fn refreeze_link(&mut self, from: Host, to: Host, now: Time) {
        let fault = self.weather.fault(from, to);
        for socket in self.ends_on(from) {
            if self.end(socket.peer()).host == to {
                self.refreeze(socket, fault, now);
            }
        }
    }

    fn refreeze_host(&mut self, host: Host, now: Time) {
        let fault = self.hosts[usize::from(host.0)].outage;
        for socket in self.ends_on(host) {
            self.refreeze(socket.peer(), fault, now);
        }
    }

    fn culprit(&self, from: Socket) -> u64 {
        let (here, there) = self.route(from);
        if self.is_powered(there) { self.weather.fault(here, there) } else { self.hosts[usize::from(there.0)].outage }
    }

    // ---- bookkeeping ------------------------------------------------------------------------------------------------------

    fn route(&self, from: Socket) -> (Host, Host) {
        (self.end(from).host, self.end(from.peer()).host)
    }

    fn ends_on(&self, host: Host) -> Vec<Socket> {
        let both = |&connection: &u32| [End::Opener, End::Acceptor].map(|end| Socket { connection, end });
        self.live.iter().flat_map(both).filter(|&socket| self.end(socket).host == host).collect()
    }

    /// Whether the host has not yet heard of this connection: the `Syn` is still under way, and finds whatever kernel runs then.
    fn is_unborn(&self, socket: Socket) -> bool {
        socket.end == End::Acceptor && self.end(socket).stage == Stage::Waiting
    }

    /// Forgets a connection that is over on both sides.
    fn bury(&mut self, connection: u32) {
        let ends = &mut self.connections[connection as usize].ends;
        if ends[0].stage == Stage::Closed && ends[0].pipe.is_empty() && ends[1].stage == Stage::Waiting {
            ends[1].shut();
        }
        if ends.iter().all(|end| end.stage == Stage::Closed && end.pipe.is_empty()) {
            ends.iter_mut().for_each(|end| end.pipe.clear());
            self.live.remove(&connection);
        }
    }

    fn end(&self, socket: Socket) -> &EndState {
        &self.connections[socket.connection as usize].ends[socket.end as usize]
    }

    fn end_mut(&mut self, socket: Socket) -> &mut EndState {
        &mut self.connections[socket.connection as usize].ends[socket.end as usize]
    }
}

impl EndState {
    fn new(host: Host) -> EndState {
        EndState {
            host,
            stage: Stage::Waiting,
            inbox: VecDeque::new(),
            unread: 0,
            finished: None,
            held: 0,
            pipe: Pipe::default(),
        }
    }

    fn shut(&mut self) {
        self.stage = Stage::Closed;
        self.inbox = VecDeque::new();
        self.unread = 0;
        self.finished = None;
    }
}
