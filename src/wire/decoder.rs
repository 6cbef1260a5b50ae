//! Reading a frame, never beyond what it holds.
//!
//! Everything in a frame is a claim of the peer. The rule that keeps a claim from hurting: a declared count or length is
//! compared with the bytes that remain *before* anything is allocated, each element counted with the fewest bytes it can take.
//! So a frame of n bytes makes us allocate O(n), whatever it says.
//!
//! ```text
//!   frame  ├────────────┼──────────────────┼───────────┤
//!          0           at                 end        len
//!            read before   may be read       belongs to whoever encloses the current tagged field
//! ```
//!
//! Record bytes are slices of the frame; nothing of them is copied.

use bytes::Bytes;

use super::mistake::{DecodeError, Place};
use super::schema::{Field, Nulls, UnknownTags};

/// Position in a frame that is being read.
pub struct Decoder<'a> {
    frame: &'a Bytes,
    at: usize,
    end: usize,
    version: i16,
    flexible: bool,
    message: &'static str,
    field: &'static str,
}

/// The tagged fields that end a struct: how many are left, and which tag came last.
pub struct Tags {
    left: u32,
    last: Option<u32>,
}

impl<'a> Decoder<'a> {
    /// Starts to read `message` in `version` at byte `at` of `frame`; `flexible` says whether that version has compact lengths
    /// and tagged fields.
    #[must_use]
    pub fn new(frame: &'a Bytes, at: usize, message: &'static str, version: i16, flexible: bool) -> Decoder<'a> {
        assert!(at <= frame.len(), "start {at} lies beyond the frame's {} bytes", frame.len());
        Decoder { frame, at, end: frame.len(), version, flexible, message, field: "start" }
    }

    /// The version being read.
    #[inline]
    #[must_use]
    pub fn version(&self) -> i16 {
        self.version
    }

    /// Whether lengths are compact and structs end with tagged fields.
    #[inline]
    #[must_use]
    pub fn is_flexible(&self) -> bool {
        self.flexible
    }

    /// Bytes read so far, counted from the start of the frame.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Bytes that may still be read.
    #[inline]
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.end - self.at
    }

    /// Names what is read next, for errors.
    #[inline]
    pub fn enter(&mut self, message: &'static str, field: &'static str) {
        self.message = message;
        self.field = field;
    }

    /// Where reading stands, for errors.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { message: self.message, field: self.field, offset: self.at }
    }

    #[cold]
    fn truncated(&self, needed: u64) -> DecodeError {
        DecodeError::Truncated { place: self.place(), needed, remaining: self.remaining() }
    }

    /// The next `length` bytes.
    #[inline]
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        if length > self.remaining() {
            return Err(self.truncated(length as u64));
        }
        let taken = &self.frame[self.at..self.at + length];
        self.at += length;
        Ok(taken)
    }

    /// The next `N` bytes: the basis of all fixed-size numbers.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let taken = self.take(N)?;
        Ok(taken.try_into().expect("take returns what was asked for"))
    }

    /// The next `length` bytes as a part of the frame, not copied.
    #[inline]
    pub fn slice(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        let start = self.at;
        self.take(length)?;
        Ok(self.frame.slice(start..self.at))
    }

    /// An unsigned integer of seven bits a byte, low bits first, at most 32 bits.
    #[inline]
    pub fn unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array::<1>()?;
            if shift == 28 && byte > 0x0f {
                break;
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Malformed { place: self.place() })
    }

    /// A declared length: compact, or `narrow` (16 bits, strings only), or 32 bits. `None` is null.
    ///
    /// A `narrow` length stays below 2^15 in its compact form too. The length is checked here, before the caller allocates: `length` elements of at least `element_min` bytes must be left.
    #[inline]
    pub fn length(&mut self, narrow: bool, nulls: Nulls, element_min: usize) -> Result<Option<usize>, DecodeError> {
        let declared = if self.flexible {
            i64::from(self.unsigned_varint()?) - 1
        } else if narrow {
            i64::from(i16::from_be_bytes(self.array()?))
        } else {
            i64::from(i32::from_be_bytes(self.array()?))
        };
        let Ok(length) = u64::try_from(declared) else {
            return match (declared, nulls) {
                (-1, Nulls::Allowed) => Ok(None),
                (-1, Nulls::Forbidden) => Err(DecodeError::Null { place: self.place() }),
                _ => Err(DecodeError::Malformed { place: self.place() }),
            };
        };
        // What could not be written again must not be read either, or an echo of it would fail.
        if narrow && length > i16::MAX as u64 {
            return Err(DecodeError::Malformed { place: self.place() });
        }
        let needed = length * element_min as u64;
        if needed > self.remaining() as u64 {
            return Err(self.truncated(needed));
        }
        Ok(Some(length as usize))
    }

    /// Starts to read the tagged fields at the end of a struct.
    #[inline]
    pub fn tags(&mut self) -> Result<Tags, DecodeError> {
        let left = if self.flexible { self.unsigned_varint()? } else { 0 };
        Ok(Tags { left, last: None })
    }

    /// The tag and the size of the next tagged field; the caller must read it by [`Decoder::sized`] or [`Decoder::unknown`].
    #[inline]
    pub fn next_tag(&mut self, tags: &mut Tags) -> Result<Option<(u32, usize)>, DecodeError> {
        if tags.left == 0 {
            return Ok(None);
        }
        tags.left -= 1;
        let tag = self.unsigned_varint()?;
        if tags.last.is_some_and(|last| tag <= last) {
            return Err(DecodeError::TagOrder { place: self.place(), tag });
        }
        tags.last = Some(tag);
        let size = self.unsigned_varint()? as usize;
        if size > self.remaining() {
            return Err(self.truncated(size as u64));
        }
        Ok(Some((tag, size)))
    }

    /// Reads a known tagged field, which must fill its declared size exactly.
    pub fn sized<T>(&mut self, size: usize, read: impl FnOnce(&mut Self) -> Result<T, DecodeError>) -> Result<T, DecodeError> {
        let outer = self.end;
        self.end = self.at + size;
        let value = read(self)?;
        self.finish()?;
        self.end = outer;
        Ok(value)
    }

    /// Keeps a tagged field that this build does not know.
    pub fn unknown(&mut self, tag: u32, size: usize, tags: &mut UnknownTags) -> Result<(), DecodeError> {
        tags.push(tag, self.slice(size)?);
        Ok(())
    }

    /// Nothing may be left.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            remaining => Err(DecodeError::Leftover { place: self.place(), remaining }),
        }
    }

    /// Names the field about to be read.
    #[inline]
    pub(super) fn enter_field(&mut self, field: &'static Field) {
        self.enter(field.message, field.name);
    }
}
