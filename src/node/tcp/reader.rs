//! Reading a connection: what came becomes frames, and waits for its turn.
//!
//! Memory is asked for when there is something to put into it, and grows with what has come, not with what was announced: a peer that
//! announces much and dribbles costs twice what it sent. A frame pins at most twice its own size, because it may lie long in the
//! tail of a log. A frame is copied only if it is small against the memory it came in.

use std::io;
use std::sync::Arc;
use std::task::Poll;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Duration, Instant, timeout};

use crate::actor::CloseReason;
use crate::types::ConnectionId;
use crate::wire::frame::Framer;
use crate::wire::window::weight;

use super::TcpConfig;
use super::connection::reason;
use super::pressure::{GIVE_WAY_AFTER, Loan, Pressure};
use super::rim::Arrival;

/// Bytes before each frame, which say how long it is.
const LENGTH_SIZE: usize = 4;
/// Bytes asked for at once where nothing larger is known to come: a batch of Kafka's default size with what is around it, which then is
/// large enough against the memory it came in not to be copied.
const READ_BYTES: usize = 20 << 10;
/// Bytes asked for at once for a frame that is known to be large, before more has come.
const READ_AHEAD_BYTES: usize = 256 << 10;
/// How often a reader looks whether it must give way.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The task that reads one connection.
#[derive(Debug)]
pub(super) struct Reader {
    name: ConnectionId,
    framer: Framer,
    buffer: BytesMut,
    /// Size of the memory in which `buffer` lies.
    allocated: usize,
    loan: Loan,
    /// When the first byte of the frame came that is not whole yet.
    began: Option<Instant>,
    gate: Option<Arc<Semaphore>>,
    config: TcpConfig,
    pressure: Arc<Pressure>,
}

impl Reader {
    pub fn new(name: ConnectionId, gate: Option<Arc<Semaphore>>, config: TcpConfig, pressure: Arc<Pressure>) -> Reader {
        let framer = Framer::new(config.request_bytes_max);
        let (buffer, loan) = (BytesMut::new(), Loan::default());
        Reader { name, framer, buffer, allocated: 0, loan, began: None, gate, config, pressure }
    }

    /// Reads until the connection ends.
    pub async fn run(mut self, mut stream: OwnedReadHalf, arrivals: mpsc::Sender<Arrival>) {
        let reason = loop {
            match self.cut() {
                Ok(Some(frame)) => {
                    let loan = std::mem::take(&mut self.loan);
                    if !self.pass_gate(&frame).await || arrivals.send(Arrival::Frame(self.name, frame, loan)).await.is_err() {
                        return;
                    }
                }
                Ok(None) => {
                    if let Err(reason) = self.read(&mut stream).await {
                        break reason;
                    }
                }
                Err(reason) => break reason,
            }
        };
        let _ = arrivals.send(Arrival::Ended(self.name, reason)).await;
    }

    /// The next frame, if it is there whole.
    fn cut(&mut self) -> Result<Option<Bytes>, CloseReason> {
        if self.framer.missing() == 0 {
            if self.buffer.len() < LENGTH_SIZE {
                return Ok(None);
            }
            self.framer.feed(Bytes::copy_from_slice(&self.buffer[..LENGTH_SIZE]));
            self.buffer.advance(LENGTH_SIZE);
            // Only an empty frame is whole by now.
            if let Some(frame) = self.framer.next_frame().map_err(|_| CloseReason::Garbage)? {
                return Ok(Some(frame));
            }
        }
        let missing = self.framer.missing();
        if self.buffer.len() < missing {
            return Ok(None);
        }
        let body = self.take(missing);
        self.framer.feed(body);
        self.began = None;
        self.framer.next_frame().map_err(|_| CloseReason::Garbage)
    }

    fn take(&mut self, length: usize) -> Bytes {
        if 2 * length >= self.allocated {
            return self.buffer.split_to(length).freeze();
        }
        let copy = Bytes::copy_from_slice(&self.buffer[..length]);
        self.buffer.advance(length);
        copy
    }

    /// Waits until the requests before it leave room for this one. False if that will never be.
    async fn pass_gate(&self, frame: &Bytes) -> bool {
        let Some(gate) = &self.gate else { return true };
        gate.acquire_many(weight(frame)).await.map(tokio::sync::SemaphorePermit::forget).is_ok()
    }

    /// Takes in what has come.
    async fn read(&mut self, stream: &mut OwnedReadHalf) -> Result<(), CloseReason> {
        if self.buffer.is_empty() && self.framer.missing() == 0 {
            // Most connections are idle: they hold nothing.
            (self.buffer, self.allocated) = (BytesMut::new(), 0);
        }
        loop {
            self.wait(stream).await?;
            self.make_room().await?;
            match read_now(stream, &mut self.buffer).await {
                None => {}
                Some(Ok(0)) => return Err(CloseReason::Eof),
                Some(Ok(count)) => {
                    self.config.meters.bytes_in.add(count);
                    self.began.get_or_insert_with(Instant::now);
                    return Ok(());
                }
                Some(Err(error)) => return Err(reason(&error)),
            }
        }
    }

    /// Waits until there is something to read.
    async fn wait(&self, stream: &OwnedReadHalf) -> Result<(), CloseReason> {
        let readable = async { stream.readable().await.map_err(|error| reason(&error)) };
        if self.gate.is_none() {
            return readable.await;
        }
        if !self.loan.is_taken() {
            return timeout(self.config.idle_max, readable).await.map_err(|_| CloseReason::TimedOut)?;
        }
        let since = Instant::now();
        tokio::pin!(readable);
        loop {
            let is_late = self.began.is_some_and(|began| began.elapsed() > GIVE_WAY_AFTER);
            if (is_late && self.pressure.is_short()) || since.elapsed() > self.config.idle_max {
                return Err(CloseReason::TimedOut);
            }
            if let Ok(ready) = timeout(LOOK_EVERY, &mut readable).await {
                return ready;
            }
        }
    }

    /// Sees to it that there is room for what comes next.
    async fn make_room(&mut self) -> Result<(), CloseReason> {
        if self.buffer.capacity() > self.buffer.len() {
            return Ok(());
        }
        let missing = self.framer.missing().saturating_sub(self.buffer.len());
        let more = if missing == 0 { READ_BYTES } else { missing.min(self.buffer.len().max(READ_AHEAD_BYTES)) };
        // What this node itself asked for is bounded by the question.
        let is_guarded = self.gate.is_some();
        if is_guarded && !self.loan.extend(self.buffer.len() + more, &self.pressure, self.patience()).await {
            return Err(CloseReason::TimedOut);
        }
        self.buffer.reserve(more);
        self.allocated = self.buffer.capacity();
        Ok(())
    }

    /// How long more room may be waited for. Who holds some and wants more must not keep others waiting for ever, who do the same.
    fn patience(&self) -> Duration {
        match self.began.filter(|_| self.loan.is_taken()) {
            Some(began) => GIVE_WAY_AFTER.saturating_sub(began.elapsed()),
            None => self.config.idle_max,
        }
    }
}

/// Takes what is there; `None` if there is nothing. Unlike `try_read_buf` this notices by a read that fills only a part of the buffer that
/// nothing is left, so the system is not asked in vain before the next wait.
async fn read_now(stream: &mut OwnedReadHalf, buffer: &mut BytesMut) -> Option<io::Result<usize>> {
    let mut reading = std::pin::pin!(stream.read_buf(buffer));
    std::future::poll_fn(|context| match reading.as_mut().poll(context) {
        Poll::Ready(read) => Poll::Ready(Some(read)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
