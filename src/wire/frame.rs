//! From a byte stream to frames and back.
//!
//! On a stream each frame follows its length, a signed 32-bit number. Everywhere else in this house a frame comes without it.
//!
//! ```text
//!   ├─ length ─┼─ frame ──────────────┼─ length ─┼─ frame ...
//!     4 bytes    `length` bytes
//! ```
//!
//! A [`Framer`] is told what arrived, in whatever pieces, and gives out whole frames. A frame that lies in one piece is not
//! copied; one that is spread over several is put together once it is complete, so that a peer which announces much and sends
//! little costs no more than what it sent.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::Chunks;

/// Bytes of the length before each frame.
const LENGTH_SIZE: usize = 4;

/// Why a stream cannot be cut into frames. Nothing after it can be trusted, so the connection should be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The announced length is negative.
    #[error("a frame announces a length of {length}")]
    Negative {
        /// What was announced.
        length: i32,
    },
    /// The announced length is larger than what we accept.
    #[error("a frame announces {length} bytes, {max} are accepted")]
    TooLarge {
        /// What was announced.
        length: usize,
        /// The largest length accepted.
        max: usize,
    },
}

/// Puts the length before the chunks of a frame, as a chunk of its own.
#[must_use]
pub fn prefix(chunks: Chunks) -> Chunks {
    let length: usize = chunks.iter().map(Bytes::len).sum();
    let length = i32::try_from(length).expect("a frame holds fewer than 2 GiB, because each of its fields does");
    let mut prefixed = Vec::with_capacity(chunks.len() + 1);
    prefixed.push(Bytes::copy_from_slice(&length.to_be_bytes()));
    prefixed.extend(chunks);
    prefixed
}

/// Cuts a byte stream into frames.
#[derive(Debug)]
pub struct Framer {
    pieces: VecDeque<Bytes>,
    buffered: usize,
    length: Option<usize>,
    max: usize,
}

impl Framer {
    /// A framer that accepts frames of up to `max` bytes.
    #[must_use]
    pub fn new(max: usize) -> Framer {
        Framer { pieces: VecDeque::new(), buffered: 0, length: None, max }
    }

    /// Takes what has arrived.
    pub fn feed(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.buffered += piece.len();
            self.pieces.push_back(piece);
        }
    }

    /// Bytes that have arrived and not been given out.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffered
    }

    /// Bytes that the frame which has begun still lacks; 0 if its length is not known yet.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.length.map_or(0, |length| length.saturating_sub(self.buffered))
    }

    /// The next frame, if it is there whole. After an error every further call fails in the same way.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some(length) = self.announced()? else { return Ok(None) };
        if self.buffered < length {
            return Ok(None);
        }
        self.length = None;
        Ok(Some(self.take(length)))
    }

    fn announced(&mut self) -> Result<Option<usize>, FrameError> {
        if self.length.is_none() && self.buffered >= LENGTH_SIZE {
            let bytes = self.peek_length();
            let announced = i32::from_be_bytes(bytes);
            let length = usize::try_from(announced).map_err(|_| FrameError::Negative { length: announced })?;
            if length > self.max {
                return Err(FrameError::TooLarge { length, max: self.max });
            }
            self.take(LENGTH_SIZE);
            self.length = Some(length);
        }
        Ok(self.length)
    }

    fn peek_length(&self) -> [u8; LENGTH_SIZE] {
        let mut bytes = [0; LENGTH_SIZE];
        let arrived = self.pieces.iter().flat_map(|piece| piece.iter());
        bytes.iter_mut().zip(arrived).for_each(|(to, from)| *to = *from);
        bytes
    }

    fn take(&mut self, length: usize) -> Bytes {
        assert!(length <= self.buffered, "{length} bytes are not all there, only {}", self.buffered);
        self.buffered -= length;
        match self.pieces.front_mut() {
            None => Bytes::new(),
            Some(front) if front.len() == length => self.pieces.pop_front().expect("there is a front"),
            Some(front) if front.len() > length => front.split_to(length),
            Some(_) => self.gather(length),
        }
    }

    fn gather(&mut self, length: usize) -> Bytes {
        let mut whole = BytesMut::with_capacity(length);
        while whole.len() < length {
            let front = self.pieces.front_mut().expect("the caller checked that enough is buffered");
            let part = front.split_to(front.len().min(length - whole.len()));
            if front.is_empty() {
                self.pieces.pop_front();
            }
            whole.extend_from_slice(&part);
        }
        whole.freeze()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::wire::join;

    fn stream(frames: &[&'static [u8]]) -> Bytes {
        let chunks: Vec<Bytes> = frames.iter().flat_map(|frame| prefix(vec![Bytes::from_static(frame)])).collect();
        join(&chunks)
    }

    #[test]
    fn frames_survive_any_cutting_of_the_stream() {
        let frames: [&[u8]; 4] = [b"one", b"", b"three33", b"4"];
        let stream = stream(&frames);
        for step in 1..=stream.len() {
            let mut framer = Framer::new(7);
            let mut got = Vec::new();
            for piece in stream.chunks(step) {
                framer.feed(Bytes::copy_from_slice(piece));
                while let Some(frame) = framer.next_frame().unwrap() {
                    got.push(frame);
                }
            }
            assert_eq!(got, frames, "pieces of {step}");
            assert_eq!(framer.buffered(), 0);
        }
    }

    #[test]
    fn a_frame_in_one_piece_is_not_copied() {
        let stream = stream(&[b"records"]);
        let mut framer = Framer::new(100);
        framer.feed(stream.clone());
        let frame = framer.next_frame().unwrap().unwrap();
        assert_eq!(frame.as_ptr(), stream[4..].as_ptr());
    }

    #[test]
    fn lengths_out_of_range_are_refused_for_good() {
        let mut framer = Framer::new(7);
        framer.feed(Bytes::from_static(&[0, 0, 0, 8, 1]));
        assert_eq!(framer.next_frame(), Err(FrameError::TooLarge { length: 8, max: 7 }));
        assert_eq!(framer.next_frame(), Err(FrameError::TooLarge { length: 8, max: 7 }));
        let mut framer = Framer::new(7);
        framer.feed(Bytes::from_static(&[255; 4]));
        assert_eq!(framer.next_frame(), Err(FrameError::Negative { length: -1 }));
    }
}
