//! One TCP connection: a task that reads frames, and what is sent.
//!
//! Most frames are small and the socket takes them at once: they are written where they are made, those of one step in one call. What it
//! does not take, and what is large, goes to a task of its own, so that a peer that does not read holds up nobody.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Buf, Bytes};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::actor::CloseReason;
use crate::types::ConnectionId;
use crate::wire::window::WINDOW;

use super::TcpConfig;
use super::meters::Meters;
use super::pressure::{Backlog, Pressure};
use super::reader::Reader;
use super::rim::Arrival;

/// Frames up to this size together are written where they are made: what a producer has on its way at most, by default.
const WRITTEN_AT_ONCE_MAX: usize = 128 << 10;
/// Pieces handed to the system in one call.
const PIECES_MAX: usize = 64;

/// A connection that stands. Dropping it sends what was given to it, then closes.
#[derive(Debug)]
pub(super) struct Connection {
    line: Arc<Sending>,
    writer: Option<(mpsc::UnboundedSender<(Chunks, u32)>, AbortHandle)>,
    reader: AbortHandle,
    arrivals: mpsc::Sender<Arrival>,
}

/// The half that is written to.
#[derive(Debug)]
struct Sending {
    name: ConnectionId,
    stream: OwnedWriteHalf,
    gate: Option<Arc<Semaphore>>,
    backlog: Arc<Backlog>,
    /// How often frames were given to the writer that are not yet written.
    waiting: AtomicUsize,
    config: TcpConfig,
    meters: Arc<Meters>,
}

impl Connection {
    /// Lets frames flow. An accepted connection gives its next request only after [`Connection::answered`] or a frame that was sent.
    pub fn open(
        name: ConnectionId,
        stream: TcpStream,
        accepted: bool,
        arrivals: &mpsc::Sender<Arrival>,
        config: &TcpConfig,
        pressure: &Arc<Pressure>,
    ) -> Connection {
        // Requests and responses are whole when they are written: waiting for more only costs time.
        let _ = stream.set_nodelay(true);
        let (reading, stream) = stream.into_split();
        let gate = accepted.then(|| Arc::new(Semaphore::new(WINDOW as usize)));
        let reader = Reader::new(name, gate.clone(), config.clone(), pressure.clone());
        let reader = tokio::spawn(reader.run(reading, arrivals.clone())).abort_handle();
        let (backlog, meters) = (Backlog::new(pressure.clone()), config.meters.clone());
        let line = Sending { name, stream, gate, backlog, waiting: AtomicUsize::new(0), config: config.clone(), meters };
        Connection { line: Arc::new(line), writer: None, reader, arrivals: arrivals.clone() }
    }

    /// Sends frames, which answer requests that take `answered` of the window.
    pub fn send(&mut self, mut frames: Chunks, answered: u32) {
        let size = frames.remaining();
        if size == 0 {
            return;
        }
        self.line.backlog.grow(size);
        // Nobody writes while nothing waits, and only this function makes something wait.
        if size <= WRITTEN_AT_ONCE_MAX && self.line.waiting.load(Ordering::Acquire) == 0 && self.line.write(&mut frames).is_ok() {
            return self.answered(answered);
        }
        self.line.waiting.fetch_add(1, Ordering::AcqRel);
        let (line, arrivals) = (&self.line, &self.arrivals);
        let (queue, _) = self.writer.get_or_insert_with(|| {
            let (queue, frames) = mpsc::unbounded_channel();
            (queue, tokio::spawn(write_frames(line.clone(), frames, arrivals.clone())).abort_handle())
        });
        // If the writer has ended, the end of the connection is among the arrivals.
        let _ = queue.send((frames, answered));
    }

    /// Requests get no response, or have it: so much of the window is free again.
    pub fn answered(&self, weight: u32) {
        self.line.open_gate(weight);
    }

    /// Since when (in milliseconds of the node's life) nothing has left of what is to be sent; `None`: there is nothing.
    pub fn stands_since(&self) -> Option<u64> {
        self.line.backlog.stands_since()
    }

    /// Closes at once; what was not sent is not.
    pub fn abort(self) {
        if let Some((_, writer)) = &self.writer {
            writer.abort();
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Sending {
    /// Writes as much as the socket takes. `Ok`: all of it.
    fn write(&self, frame: &mut Chunks) -> io::Result<()> {
        while frame.has_remaining() {
            let mut slices = [IoSlice::new(&[]); PIECES_MAX];
            let pieces = frame.chunks_vectored(&mut slices);
            let written = self.stream.try_write_vectored(&slices[..pieces])?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            frame.advance(written);
            self.backlog.shrink(written);
            self.meters.bytes_out.add(written);
        }
        Ok(())
    }

    async fn write_all(&self, frame: &mut Chunks) -> io::Result<()> {
        loop {
            match self.write(frame) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return written,
            }
            // A peer that takes nothing for so long is as good as gone.
            timeout(self.config.idle_max, self.stream.writable()).await??;
        }
    }

    fn open_gate(&self, weight: u32) {
        if let Some(gate) = &self.gate {
            gate.add_permits(weight as usize);
        }
    }
}

async fn write_frames(line: Arc<Sending>, mut queue: mpsc::UnboundedReceiver<(Chunks, u32)>, arrivals: mpsc::Sender<Arrival>) {
    while let Some((mut frames, answered)) = queue.recv().await {
        if line.write_all(&mut frames).await.is_err() {
            let _ = arrivals.send(Arrival::Ended(line.name, CloseReason::Reset)).await;
            return;
        }
        line.waiting.fetch_sub(1, Ordering::AcqRel);
        line.open_gate(answered);
    }
}

/// How the end of a connection is called.
pub(super) fn reason(error: &io::Error) -> CloseReason {
    let unreachable = [io::ErrorKind::TimedOut, io::ErrorKind::HostUnreachable, io::ErrorKind::NetworkUnreachable];
    if error.kind() == io::ErrorKind::ConnectionRefused {
        CloseReason::Refused
    } else if unreachable.contains(&error.kind()) {
        CloseReason::TimedOut
    } else {
        CloseReason::Reset
    }
}

/// Frames in pieces, written as they lie: the records of a response are never copied.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    pieces: VecDeque<Bytes>,
    left: usize,
}

impl Chunks {
    /// One frame more, with its length.
    pub fn push(&mut self, pieces: Vec<Bytes>) {
        self.left += pieces.iter().map(Bytes::len).sum::<usize>();
        self.pieces.extend(pieces);
    }
}

impl Buf for Chunks {
    fn remaining(&self) -> usize {
        self.left
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.iter().find(|piece| !piece.is_empty()).map_or(&[], |piece| piece)
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.left, "{count} bytes were written, and there were {}", self.left);
        self.left -= count;
        while let Some(front) = self.pieces.front_mut() {
            if front.len() > count {
                return front.advance(count);
            }
            count -= front.len();
            self.pieces.pop_front();
        }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let pieces = self.pieces.iter().filter(|piece| !piece.is_empty());
        slices.iter_mut().zip(pieces).map(|(slice, piece)| *slice = IoSlice::new(piece)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_written_as_they_lie() {
        let records = Bytes::from(vec![7; 100]);
        let mut frame = Chunks::default();
        frame.push(vec![Bytes::from_static(b"ab"), Bytes::new(), records.clone()]);
        let mut slices = [IoSlice::new(&[]); 4];
        assert_eq!(frame.chunks_vectored(&mut slices), 2);
        assert_eq!(slices[1].as_ptr(), records.as_ptr(), "not a copy");
        frame.advance(3);
        assert_eq!((frame.remaining(), frame.chunk()), (99, &records[1..]));
        frame.advance(99);
        assert!(!frame.has_remaining());
    }
}
