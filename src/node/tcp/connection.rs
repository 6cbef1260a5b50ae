//! One TCP connection: a task that reads frames and one that writes them.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::actor::CloseReason;
use crate::types::ConnectionId;
use crate::wire::frame::{Framer, prefix};

use super::TcpConfig;
use super::rim::Arrival;

/// Bytes asked for at once where nothing larger is known to come.
const READ_BYTES: usize = 16 << 10;
/// Bytes asked for at once at most.
const READ_BYTES_MAX: usize = 1 << 20;

/// A connection that stands. Dropping it sends what was given to it, then closes.
#[derive(Debug)]
pub(super) struct Connection {
    outgoing: mpsc::UnboundedSender<Vec<Bytes>>,
    gate: Option<Arc<Semaphore>>,
    reader: AbortHandle,
}

impl Connection {
    /// Lets frames flow. An accepted connection gives its next request only after [`Connection::answered`] or a frame that was sent.
    pub fn open(
        name: ConnectionId,
        stream: TcpStream,
        accepted: bool,
        arrivals: &mpsc::Sender<Arrival>,
        config: &TcpConfig,
    ) -> Connection {
        // Requests and responses are whole when they are written: waiting for more only costs time.
        let _ = stream.set_nodelay(true);
        let (reading, writing) = stream.into_split();
        let (outgoing, queue) = mpsc::unbounded_channel();
        let gate = accepted.then(|| Arc::new(Semaphore::new(1)));
        let reader = Reader { name, framer: Framer::new(config.request_bytes_max), gate: gate.clone(), config: config.clone() };
        let reader = tokio::spawn(reader.run(reading, arrivals.clone())).abort_handle();
        tokio::spawn(write_frames(name, writing, queue, gate.clone(), arrivals.clone(), config.clone()));
        Connection { outgoing, gate, reader }
    }

    /// Sends a frame, given without its length.
    pub fn send(&self, chunks: Vec<Bytes>) {
        // If the writer has ended, the end of the connection is among the arrivals.
        let _ = self.outgoing.send(chunks);
    }

    /// The request gets no response: the next one may come.
    pub fn answered(&self) {
        if let Some(gate) = &self.gate {
            gate.add_permits(1);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

struct Reader {
    name: ConnectionId,
    framer: Framer,
    gate: Option<Arc<Semaphore>>,
    config: TcpConfig,
}

impl Reader {
    async fn run(mut self, mut stream: OwnedReadHalf, arrivals: mpsc::Sender<Arrival>) {
        let reason = loop {
            match self.framer.next_frame() {
                Ok(Some(frame)) => {
                    if !self.pass_gate().await || arrivals.send(Arrival::Frame(self.name, frame)).await.is_err() {
                        return;
                    }
                }
                Ok(None) => match self.read(&mut stream).await {
                    Ok(()) => {}
                    Err(reason) => break reason,
                },
                Err(_) => break CloseReason::Garbage,
            }
        };
        let _ = arrivals.send(Arrival::Ended(self.name, reason)).await;
    }

    /// Waits until the request before is answered. False if that will never be.
    async fn pass_gate(&self) -> bool {
        let Some(gate) = &self.gate else { return true };
        gate.acquire().await.map(tokio::sync::SemaphorePermit::forget).is_ok()
    }

    /// Takes in what has come. Memory is asked for only when there is something to put into it: most connections are idle.
    async fn read(&mut self, stream: &mut OwnedReadHalf) -> Result<(), CloseReason> {
        loop {
            let readable = stream.readable();
            let ready = match &self.gate {
                Some(_) => timeout(self.config.idle_max, readable).await.map_err(|_| CloseReason::TimedOut)?,
                None => readable.await,
            };
            ready.map_err(|error| reason(&error))?;
            let mut buffer = BytesMut::with_capacity(self.framer.missing().clamp(READ_BYTES, READ_BYTES_MAX));
            match stream.try_read_buf(&mut buffer) {
                Ok(0) => return Err(CloseReason::Eof),
                Ok(_) => {
                    self.framer.feed(buffer.freeze());
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(reason(&error)),
            }
        }
    }
}

async fn write_frames(
    name: ConnectionId,
    mut stream: OwnedWriteHalf,
    mut queue: mpsc::UnboundedReceiver<Vec<Bytes>>,
    gate: Option<Arc<Semaphore>>,
    arrivals: mpsc::Sender<Arrival>,
    config: TcpConfig,
) {
    while let Some(chunks) = queue.recv().await {
        let mut frame = Chunks(prefix(chunks).into());
        // A peer that takes nothing for so long is as good as gone.
        let written = timeout(config.idle_max, stream.write_all_buf(&mut frame)).await;
        if !matches!(written, Ok(Ok(()))) {
            let _ = arrivals.send(Arrival::Ended(name, CloseReason::Reset)).await;
            return;
        }
        if let Some(gate) = &gate {
            gate.add_permits(1);
        }
    }
    let _ = stream.shutdown().await;
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

/// A frame in pieces, written as it lies.
struct Chunks(VecDeque<Bytes>);

impl Buf for Chunks {
    fn remaining(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.0.iter().find(|piece| !piece.is_empty()).map_or(&[], |piece| piece)
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(front) = self.0.front_mut() {
            if front.len() > count {
                return front.advance(count);
            }
            count -= front.len();
            self.0.pop_front();
        }
        assert!(count == 0, "{count} bytes more were written than there were");
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let pieces = self.0.iter().filter(|piece| !piece.is_empty());
        slices.iter_mut().zip(pieces).map(|(slice, piece)| *slice = IoSlice::new(piece)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_written_as_they_lie() {
        let mut frame = Chunks([&b"ab"[..], b"", b"cde"].map(Bytes::from_static).into());
        let mut slices = [IoSlice::new(&[]); 4];
        assert_eq!(frame.chunks_vectored(&mut slices), 2);
        frame.advance(3);
        assert_eq!((frame.remaining(), frame.chunk()), (2, &b"de"[..]));
        frame.advance(2);
        assert!(!frame.has_remaining());
    }
}
