//! The records in a batch that is not compressed.
//!
//! ```text
//!   length varint | attributes i8 | timestamp delta varlong | offset delta varint
//!   key length varint, key | value length varint, value                  -1 is null
//!   header count varint | each: name length varint, name | value length varint, value
//! ```

use bytes::Bytes;

use super::{BatchError, BatchHeader, TimestampType};
use crate::types::{Offset, Timestamp};
use crate::wire::varint::{take_varint, take_varlong};

/// The fewest bytes of a record: one for each of its seven parts.
const RECORD_MIN: usize = 7;
/// The fewest bytes of a header: two lengths.
const HEADER_MIN: usize = 2;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number in the partition.
    pub offset: Offset,
    /// When it was made, or appended.
    pub timestamp: Timestamp,
    /// Its key; `None` is null.
    pub key: Option<Bytes>,
    /// Its value; `None` is null, which on a compacted topic deletes the key.
    pub value: Option<Bytes>,
    /// Its headers, in order.
    pub headers: Vec<Header>,
}

/// One header of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Its name, which should be UTF-8, but need not be unique.
    pub name: Bytes,
    /// Its value; `None` is null.
    pub value: Option<Bytes>,
}

/// The records of a batch, one after the other. After an error there are no more.
#[derive(Debug, Clone)]
pub struct Records {
    header: BatchHeader,
    bytes: Bytes,
    index: i32,
}

impl Records {
    pub(super) fn new(header: &BatchHeader, bytes: Bytes) -> Result<Records, BatchError> {
        if header.record_count as usize > bytes.len() / RECORD_MIN {
            return Err(BatchError::Field { field: "record count", value: i64::from(header.record_count) });
        }
        Ok(Records { header: *header, bytes, index: 0 })
    }
}

impl Iterator for Records {
    type Item = Result<Record, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index >= self.header.record_count {
            // Bytes left over mean that the count lies.
            let leftover = std::mem::take(&mut self.bytes);
            return (!leftover.is_empty()).then_some(Err(BatchError::Record { index: self.index }));
        }
        let index = self.index;
        self.index += 1;
        match take_record(&self.header, &mut self.bytes) {
            Some(record) => Some(Ok(record)),
            None => {
                self.bytes = Bytes::new();
                self.index = i32::MAX;
                Some(Err(BatchError::Record { index }))
            }
        }
    }
}

fn take_record(header: &BatchHeader, rest: &mut Bytes) -> Option<Record> {
    let length = usize::try_from(varint(rest)?).ok()?;
    if length > rest.len() {
        return None;
    }
    let mut body = rest.split_to(length);
    let _attributes = body.split_first()?;
    body = body.slice(1..);
    let timestamp_delta = varlong(&mut body)?;
    let offset_delta = varint(&mut body)?;
    if offset_delta < 0 || offset_delta > header.last_offset_delta {
        return None;
    }
    let record = Record {
        offset: header.base_offset.plus(i64::from(offset_delta)),
        timestamp: timestamp(header, timestamp_delta)?,
        key: nullable(&mut body)?,
        value: nullable(&mut body)?,
        headers: headers(&mut body)?,
    };
    body.is_empty().then_some(record)
}

fn timestamp(header: &BatchHeader, delta: i64) -> Option<Timestamp> {
    match header.timestamp_type() {
        TimestampType::LogAppendTime => Some(header.max_timestamp),
        TimestampType::CreateTime => header.base_timestamp.0.checked_add(delta).map(Timestamp),
    }
}

fn headers(body: &mut Bytes) -> Option<Vec<Header>> {
    let count = usize::try_from(varint(body)?).ok()?;
    if count > body.len() / HEADER_MIN {
        return None;
    }
    let mut headers = Vec::with_capacity(count);
    for _ in 0..count {
        headers.push(Header { name: nullable(body)??, value: nullable(body)? });
    }
    Some(headers)
}

/// Bytes after their length: `Some(None)` is null, `None` is malformed.
#[allow(clippy::option_option)]
fn nullable(body: &mut Bytes) -> Option<Option<Bytes>> {
    match varint(body)? {
        -1 => Some(None),
        length => {
            let length = usize::try_from(length).ok().filter(|length| *length <= body.len())?;
            Some(Some(body.split_to(length)))
        }
    }
}

fn varint(body: &mut Bytes) -> Option<i32> {
    let mut rest = &body[..];
    let value = take_varint(&mut rest)?;
    let taken = body.len() - rest.len();
    *body = body.slice(taken..);
    Some(value)
}

fn varlong(body: &mut Bytes) -> Option<i64> {
    let mut rest = &body[..];
    let value = take_varlong(&mut rest)?;
    let taken = body.len() - rest.len();
    *body = body.slice(taken..);
    Some(value)
}
