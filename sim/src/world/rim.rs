//! The rim of a simulated process: what a step wanted is done, and bytes become frames.
//!
//! One frame at a time comes out of a connection; on an accepted one the next comes only when the requests before it leave room for it. A frame
//! that waits for a ticket holds up everything behind it on its connection, and nothing else.

use brokerlab::actor::{Action, CloseReason, Event};
use brokerlab::fact::Fact;
use brokerlab::types::{Address, ConnectionId, Ticket};
use brokerlab::wire::window::weight;
use brokerlab_reports::event::{Delivery, EventId, FrameInfo, NodeId, What};
use bytes::{BufMut, Bytes, BytesMut};
use xxhash_rust::xxh3::xxh3_64;

use super::process::{FrameHeader, Line, Outgoing, Pending, Request, Source};
use super::state::{Flight, World, host};
use crate::network::{Label, Read, Socket};

/// Bytes of the length before each frame.
const PREFIX: usize = 4;
/// Of a frame that has not begun yet.
const NO_LABEL: Label = Label { api_key: -1, response: false };

impl World {
    /// Does one thing that a step wanted.
    pub fn carry_out(&mut self, node: u16, action: Action, cause: EventId) {
        match action {
            Action::Connect { connection, to } => self.connect(node, connection, &to, cause),
            Action::Send { connection, chunks, after } => self.send(node, connection, &chunks, after, cause),
            Action::Done { connection } => {
                if let Some(line) = self.line(node, connection) {
                    line.let_pass();
                    self.tell_ready(node, connection);
                }
            }
            Action::Close { connection } => self.close(node, connection, cause),
            Action::Sync { .. } | Action::Replace { .. } | Action::Read { .. } => self.begin_disk(node, action, cause),
            Action::Complete(completion) => self.complete(node, completion, cause),
            Action::Fact(fact) => {
                self.directory.learn(&fact);
                if let Fact::Group(fact) = &fact {
                    self.learn_of_group(node, fact);
                }
                let (gives_up, started) = (self.gives_up(node, &fact), matches!(fact, Fact::BrokerStarted { .. }));
                let id = self.note(Some(node), cause, EventId::NONE, What::Fact(fact));
                if gives_up {
                    self.node(node).gave_up = Some(id);
                }
                if started {
                    self.audit(node, brokerlab_reports::event::AuditMoment::AfterRecovery, id);
                }
            }
        }
    }

    /// A connection of a process.
    pub fn line(&mut self, node: u16, connection: ConnectionId) -> Option<&mut Line> {
        self.node(node).process.as_mut()?.line(connection)
    }

    /// The address of a node.
    #[must_use]
    pub fn address(&self, node: u16) -> Address {
        Address::new(&self.member(node).name, 9092)
    }

    /// A connection may have a frame: the process is to look.
    pub fn tell_ready(&mut self, node: u16, connection: ConnectionId) {
        let fabric = &self.fabric;
        let state = &mut self.nodes[usize::from(node)];
        let Some(line) = state.process.as_mut().and_then(|process| process.line(connection)) else { return };
        let has_news = line.held.is_some() || line.framer.buffered() > 0 || fabric.has_news(line.socket);
        if has_news && !line.is_queued && !line.is_muted() {
            line.is_queued = true;
            self.tell(node, Pending::Ready(connection));
        }
    }

    fn connect(&mut self, node: u16, connection: ConnectionId, to: &Address, cause: EventId) {
        let Some(&peer) = self.addresses.get(to) else {
            // A name that does not exist is refused by the resolver.
            self.node(node).process.as_mut().expect("it has just taken a step").unknown.insert(connection);
            return self.tell(node, Pending::Unknown(connection, Source::of(cause)));
        };
        let socket = self.fabric.connect(host(node), host(peer), cause.0, self.now);
        self.trace(socket).names[socket.end as usize] = Some(connection);
        let process = self.node(node).process.as_mut().expect("it has just taken a step");
        process.add_line(connection, Line::new(socket, peer, false));
    }

    fn close(&mut self, node: u16, connection: ConnectionId, cause: EventId) {
        if let Some(process) = &mut self.node(node).process {
            process.unknown.remove(&connection);
        }
        let Some(line) = self.node(node).process.as_mut().and_then(|process| process.remove_line(connection)) else { return };
        self.fabric.close(line.socket, cause.0, self.now);
        self.forget(line.socket);
    }

    /// The process at this end is through with it.
    pub fn forget(&mut self, socket: Socket) {
        let trace = self.trace(socket);
        trace.names[socket.end as usize] = None;
        trace.frames[socket.end as usize] = std::collections::VecDeque::new();
    }

    // ---- out ----------------------------------------------------------------------------------------------------------------

    fn send(&mut self, node: u16, connection: ConnectionId, chunks: &[Bytes], after: Option<Ticket>, cause: EventId) {
        let Some(line) = self.line(node, connection) else { return };
        line.outgoing.push_back(Outgoing { bytes: with_prefix(chunks), after, cause, begun: false, label: NO_LABEL });
        if line.outgoing.len() == 1 {
            self.flush(node, connection);
        }
    }

    /// A ticket is settled: frames that waited for it go out.
    pub fn release(&mut self, node: u16, ticket: Ticket) {
        let Some(process) = &mut self.node(node).process else { return };
        for connection in process.waiting.remove(&ticket).unwrap_or_default() {
            self.flush(node, connection);
        }
    }

    /// Gives the kernel what may go out and what it takes.
    pub fn flush(&mut self, node: u16, connection: ConnectionId) {
        while self.may_send(node, connection) && self.write(node, connection) {}
    }

    /// Whether the first frame on this connection may go out now. If its ticket failed, that is the end of the connection.
    fn may_send(&mut self, node: u16, connection: ConnectionId) -> bool {
        let Some(process) = &mut self.node(node).process else { return false };
        let Some(line) = process.line(connection).filter(|line| line.open) else { return false };
        let Some(front) = line.outgoing.front() else { return false };
        let (after, cause) = (front.after, front.cause);
        let Some(ticket) = after else { return true };
        if process.failed.contains(&ticket) {
            self.tell(node, Pending::Ended(connection, CloseReason::Reset, Source::of(cause)));
            return false;
        }
        if process.tickets.contains(&ticket) {
            process.waiting.entry(ticket).or_default().push(connection);
            return false;
        }
        true
    }

    /// Writes the first frame on this connection. True if the kernel took all of it.
    fn write(&mut self, node: u16, connection: ConnectionId) -> bool {
        let Some(front) = self.line(node, connection).and_then(|line| line.outgoing.front_mut()) else { return false };
        let cause = front.cause;
        if !std::mem::replace(&mut front.begun, true) {
            let frame = front.bytes.slice(PREFIX..);
            self.begin_frame(node, connection, &frame, cause);
        }
        let now = self.now;
        let Some(line) = self.nodes[usize::from(node)].process.as_mut().and_then(|process| process.line(connection)) else {
            return false;
        };
        let Some(front) = line.outgoing.front_mut() else { return false };
        let taken = self.fabric.send(line.socket, &front.bytes, front.label, cause.0, now);
        if taken < front.bytes.len() {
            front.bytes = front.bytes.slice(taken..);
            return false;
        }
        line.outgoing.pop_front();
        let socket = line.socket;
        self.fabric.end_frame(socket, cause.0, now);
        true
    }

    /// A frame leaves the process: it is tapped, and a response lets the next request in.
    fn begin_frame(&mut self, node: u16, connection: ConnectionId, frame: &Bytes, cause: EventId) {
        let Some(line) = self.line(node, connection) else { return };
        let (socket, peer) = (line.socket, line.peer);
        let request = line.unanswered.pop_front();
        let header = match &request {
            Some(request) => FrameHeader { correlation: correlation_of(frame), response: true, ..request.header },
            None => read_header(frame),
        };
        if let Some(front) = line.outgoing.front_mut() {
            front.label = Label { api_key: header.api_key, response: header.response };
        }
        let there = socket.peer();
        self.trace(there).frames[there.end as usize].push_back(Flight { cause, header });
        if let Some(request) = request {
            self.tap_response(node, peer, &request, frame, cause);
            self.tell_ready(node, connection);
        }
        let label = Label { api_key: header.api_key, response: header.response };
        for struck in self.fabric.begin_frame(socket, label, cause.0, self.now) {
            self.note_struck(node, peer, header, struck, cause);
        }
    }

    // ---- in -----------------------------------------------------------------------------------------------------------------

    /// The next frame of a connection, if there is one and it may come in.
    pub fn next_frame(&mut self, node: u16, connection: ConnectionId) -> Option<(EventId, Event)> {
        let now = self.now;
        let line = self.nodes[usize::from(node)].process.as_mut()?.line(connection)?;
        line.is_queued = false;
        if line.is_muted() {
            return None;
        }
        let socket = line.socket;
        loop {
            match line.held.take().map_or_else(|| line.framer.next_frame(), |frame| Ok(Some(frame))) {
                Ok(Some(frame)) if line.may_deliver(weight(&frame)) => return self.deliver_frame(node, connection, frame),
                Ok(Some(frame)) => {
                    line.held = Some(frame);
                    return None;
                }
                Ok(None) => {}
                Err(_) => {
                    let source = Source::default();
                    return self.end_line(node, connection, CloseReason::Garbage, source);
                }
            }
            match self.fabric.read(socket, now) {
                Read::Bytes(bytes) => line.framer.feed(bytes),
                Read::Empty => return None,
                Read::Finished { cause } => {
                    let source = Source { cause: EventId(cause), also: EventId(self.fabric.take_held(socket)) };
                    return self.end_line(node, connection, CloseReason::Eof, source);
                }
            }
        }
    }

    fn deliver_frame(&mut self, node: u16, connection: ConnectionId, frame: Bytes) -> Option<(EventId, Event)> {
        let line = self.line(node, connection)?;
        let (socket, peer, accepted) = (line.socket, line.peer, line.accepted);
        let held = EventId(self.fabric.take_held(socket));
        let flight = self.trace(socket).frames[socket.end as usize].pop_front();
        let flight = flight.expect("whoever sent a frame left a note of it");
        let info = FrameInfo {
            from: NodeId(peer),
            connection: u64::from(socket.connection),
            api_key: flight.header.api_key,
            api_version: flight.header.api_version,
            correlation: flight.header.correlation,
            response: flight.header.response,
            length: u32::try_from(frame.len()).expect("frames are bounded"),
            content: xxh3_64(&frame),
        };
        self.frames += 1;
        let id = self.deliver(node, Source { cause: flight.cause, also: held }, Delivery::Frame(info));
        if accepted {
            let (isolation, allowed) = self.tap_request(node, flight.header, &frame, id);
            let at = self.now;
            let request = Request { event: id, at, header: flight.header, frame: frame.clone(), isolation, allowed };
            self.line(node, connection)?.unanswered.push_back(request);
        }
        self.tell_ready(node, connection);
        Some((id, Event::Frame { connection, frame }))
    }
}

fn with_prefix(chunks: &[Bytes]) -> Bytes {
    let length: usize = chunks.iter().map(Bytes::len).sum();
    let mut bytes = BytesMut::with_capacity(PREFIX + length);
    bytes.put_i32(i32::try_from(length).expect("a frame holds fewer than 2 GiB"));
    chunks.iter().for_each(|chunk| bytes.extend_from_slice(chunk));
    bytes.freeze()
}

fn read_header(frame: &Bytes) -> FrameHeader {
    let Some(start) = frame.first_chunk::<8>() else {
        return FrameHeader { api_key: -1, api_version: -1, correlation: -1, response: false };
    };
    FrameHeader {
        api_key: i16::from_be_bytes([start[0], start[1]]),
        api_version: i16::from_be_bytes([start[2], start[3]]),
        correlation: i32::from_be_bytes([start[4], start[5], start[6], start[7]]),
        response: false,
    }
}

fn correlation_of(frame: &Bytes) -> i32 {
    frame.first_chunk().map_or(-1, |bytes| i32::from_be_bytes(*bytes))
}
