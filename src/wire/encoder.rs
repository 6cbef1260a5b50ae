//! Writing a frame without copying the records in it.
//!
//! All fields go into one buffer; where record bytes belong, only a cut is noted. At the end the buffer is sliced at the cuts
//! and the record bytes are put between the slices as they are:
//!
//! ```text
//!   buffer   ├── header, fields ──┼── more fields ──┤
//!   cuts                          ▲ records
//!   chunks   [header, fields] [records] [more fields]
//! ```

use bytes::{Bytes, BytesMut};

use super::Chunks;
use super::mistake::EncodeError;
use super::schema::{Field, UnknownTags, Wire};

/// A frame being written.
pub struct Encoder {
    buffer: Vec<u8>,
    cuts: Vec<(usize, Bytes)>,
    version: i16,
    flexible: bool,
    message: &'static str,
    field: &'static str,
}

impl Encoder {
    /// An empty frame, in which `message` will be written in `version`.
    #[must_use]
    pub fn new(message: &'static str, version: i16, flexible: bool) -> Encoder {
        Encoder { buffer: Vec::with_capacity(256), cuts: Vec::new(), version, flexible, message, field: "start" }
    }

    /// The version being written.
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

    /// Appends fixed bytes.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Appends an unsigned integer of seven bits a byte, low bits first.
    #[inline]
    pub fn put_unsigned_varint(&mut self, value: u32) {
        put_unsigned_varint(&mut self.buffer, value);
    }

    /// Appends `bytes` as a chunk of its own, not copied.
    pub fn put_chunk(&mut self, bytes: &Bytes) {
        if !bytes.is_empty() {
            self.cuts.push((self.buffer.len(), bytes.clone()));
        }
    }

    /// Appends a length: compact, or `narrow` (16 bits, strings only), or 32 bits. `None` is null.
    #[inline]
    pub fn put_length(&mut self, narrow: bool, length: Option<usize>) -> Result<(), EncodeError> {
        let Some(length) = length else {
            match (self.flexible, narrow) {
                (true, _) => self.put(&[0]),
                (false, true) => self.put(&(-1i16).to_be_bytes()),
                (false, false) => self.put(&(-1i32).to_be_bytes()),
            }
            return Ok(());
        };
        let max = if narrow { i16::MAX as usize } else { i32::MAX as usize - 1 };
        if length > max {
            return Err(EncodeError::TooLong { message: self.message, field: self.field });
        }
        match (self.flexible, narrow) {
            (true, _) => self.put_unsigned_varint(length as u32 + 1),
            (false, true) => self.put(&(length as i16).to_be_bytes()),
            (false, false) => self.put(&(length as i32).to_be_bytes()),
        }
        Ok(())
    }

    /// The current field is null, but must not be.
    #[cold]
    pub fn null_forbidden(&self) -> EncodeError {
        EncodeError::Null { message: self.message, field: self.field, version: self.version }
    }

    /// Writes an untagged field, if the version has it; if not, its value must be the default or ignorable.
    #[inline]
    pub fn plain<T: Wire + PartialEq>(
        &mut self,
        field: &'static Field,
        value: &T,
        default: impl FnOnce() -> T,
    ) -> Result<(), EncodeError> {
        if field.rule.tag.is_some() {
            return Ok(());
        }
        if field.rule.carries(self.version) {
            self.enter(field);
            return value.encode(self, field.rule.nulls(self.version));
        }
        self.not_carried(field, value, default)
    }

    /// How many of a struct's tagged fields are written: a value equal to the default is not.
    #[inline]
    pub fn tagged<T: Wire + PartialEq>(
        &self,
        field: &'static Field,
        value: &T,
        default: impl FnOnce() -> T,
    ) -> Result<u32, EncodeError> {
        if field.rule.tag.is_none() {
            return Ok(0);
        }
        if self.flexible && field.rule.carries(self.version) {
            return Ok(u32::from(*value != default()));
        }
        self.not_carried(field, value, default).map(|()| 0)
    }

    #[inline]
    fn not_carried<T: PartialEq>(
        &self,
        field: &'static Field,
        value: &T,
        default: impl FnOnce() -> T,
    ) -> Result<(), EncodeError> {
        if field.rule.ignorable || *value == default() {
            return Ok(());
        }
        Err(EncodeError::CannotCarry { message: field.message, field: field.name, version: self.version })
    }

    /// Writes one tagged field, after the unknown ones with lower tags, which are taken from the front of `unknown`.
    pub fn put_tagged<T: Wire + PartialEq>(
        &mut self,
        field: &'static Field,
        value: &T,
        default: impl FnOnce() -> T,
        unknown: &mut &[(u32, Bytes)],
    ) -> Result<(), EncodeError> {
        let Some(tag) = field.rule.tag else { return Ok(()) };
        if !field.rule.carries(self.version) || *value == default() {
            return Ok(());
        }
        while let Some(((lower, bytes), rest)) = unknown.split_first() {
            if *lower > tag {
                break;
            }
            if *lower == tag {
                return Err(EncodeError::TagOrder { message: field.message, field: field.name, tag });
            }
            self.put_unknown(*lower, bytes);
            *unknown = rest;
        }
        self.enter(field);
        self.put_unsigned_varint(tag);
        self.put_sized(|encoder| value.encode(encoder, field.rule.nulls(encoder.version)))
    }

    /// Writes the count of tagged fields of a struct. A version without tagged fields can carry no unknown ones either.
    pub fn put_tag_count(&mut self, message: &'static str, known: u32, unknown: &UnknownTags) -> Result<(), EncodeError> {
        if !self.flexible {
            return match unknown.is_empty() {
                true => Ok(()),
                false => Err(EncodeError::CannotCarry { message, field: "unknown_tags", version: self.version }),
            };
        }
        if let Some(pair) = unknown.windows(2).find(|pair| pair[0].0 >= pair[1].0) {
            return Err(EncodeError::TagOrder { message, field: "unknown_tags", tag: pair[1].0 });
        }
        self.put_unsigned_varint(known + unknown.len() as u32);
        Ok(())
    }

    /// Writes an unknown tagged field as it was read.
    pub fn put_unknown(&mut self, tag: u32, bytes: &[u8]) {
        self.put_unsigned_varint(tag);
        self.put_unsigned_varint(bytes.len() as u32);
        self.put(bytes);
    }

    /// Writes something preceded by its size, which is known only afterwards: the size is then slid in before it.
    fn put_sized(&mut self, write: impl FnOnce(&mut Self) -> Result<(), EncodeError>) -> Result<(), EncodeError> {
        let (start, first_cut) = (self.buffer.len(), self.cuts.len());
        write(self)?;
        let cut_bytes: usize = self.cuts[first_cut..].iter().map(|(_, bytes)| bytes.len()).sum();
        let size = self.buffer.len() - start + cut_bytes;
        let mut prefix = Vec::with_capacity(5);
        put_unsigned_varint(&mut prefix, size as u32);
        for (position, _) in &mut self.cuts[first_cut..] {
            *position += prefix.len();
        }
        self.buffer.splice(start..start, prefix);
        Ok(())
    }

    #[inline]
    fn enter(&mut self, field: &'static Field) {
        self.message = field.message;
        self.field = field.name;
    }

    /// The finished frame, in chunks.
    #[must_use]
    pub fn finish(self) -> Chunks {
        let whole = Bytes::from(self.buffer);
        if self.cuts.is_empty() {
            return vec![whole];
        }
        let mut chunks = Vec::with_capacity(2 * self.cuts.len() + 1);
        let mut from = 0;
        for (position, bytes) in self.cuts {
            if position > from {
                chunks.push(whole.slice(from..position));
            }
            chunks.push(bytes);
            from = position;
        }
        if from < whole.len() {
            chunks.push(whole.slice(from..));
        }
        chunks
    }
}

/// Appends an unsigned integer of seven bits a byte, low bits first.
#[inline]
pub fn put_unsigned_varint(buffer: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        buffer.push(value as u8 | 0x80);
        value >>= 7;
    }
    buffer.push(value as u8);
}

/// The chunks of a frame in one piece. Copies them unless there is only one.
#[must_use]
pub fn join(chunks: &[Bytes]) -> Bytes {
    if let [one] = chunks {
        return one.clone();
    }
    let mut whole = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
    chunks.iter().for_each(|chunk| whole.extend_from_slice(chunk));
    whole.freeze()
}
