//! What compaction keeps of one batch. Pure: a batch, the map and the time go in, what to write comes out.

use bytes::Bytes;

use super::map::OffsetMap;
use crate::types::{Duration, Offset, Timestamp};
use crate::wire::record::{BatchRef, Record};

/// What holds for every batch of a pass.
pub(super) struct Rules<'a> {
    /// The newest offsets.
    pub(super) map: &'a OffsetMap,
    /// Nothing at or above is touched.
    pub(super) up_to: Offset,
    /// The wall clock.
    pub(super) now: Timestamp,
    /// `delete.retention.ms`.
    pub(super) tombstone_retention: Duration,
}

/// What is to be written of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Kept {
    /// The batch; `None` if nothing is left of it.
    pub(super) bytes: Option<Bytes>,
    /// Records that are given up.
    pub(super) dropped: u64,
}

impl Rules<'_> {
    /// What is kept of a batch; `even_if_empty`: it stays though no record of it does.
    pub(super) fn keep(&self, batch: &BatchRef, even_if_empty: bool) -> Kept {
        let whole = Kept { bytes: Some(batch.bytes.clone()), dropped: 0 };
        if batch.header.base_offset >= self.up_to || batch.header.is_control() {
            return whole;
        }
        let Ok(records) = batch.opened_records().and_then(Iterator::collect::<Result<Vec<Record>, _>>) else { return whole };
        let count = records.len();
        let horizon = batch.header.delete_horizon();
        let kept: Vec<Record> = records.into_iter().filter(|record| self.is_kept(record, horizon)).collect();
        let has_tombstone = kept.iter().any(|record| record.value.is_none());
        let dropped = (count - kept.len()) as u64;
        if kept.is_empty() && !even_if_empty {
            return Kept { bytes: None, dropped };
        }
        if dropped == 0 && (!has_tombstone || horizon.is_some()) {
            return whole;
        }
        let new_horizon = has_tombstone.then(|| self.horizon());
        match batch.with_only(&kept, new_horizon) {
            Ok(bytes) => Kept { bytes: Some(bytes), dropped },
            Err(_) => whole,
        }
    }

    fn is_kept(&self, record: &Record, horizon: Option<Timestamp>) -> bool {
        let Some(key) = &record.key else { return false };
        if self.map.replaces(key, record.offset) {
            return false;
        }
        record.value.is_some() || horizon.is_none_or(|horizon| self.now <= horizon)
    }

    fn horizon(&self) -> Timestamp {
        let retention = i64::try_from(self.tombstone_retention.as_millis()).unwrap_or(i64::MAX);
        Timestamp(self.now.0.saturating_add(retention))
    }
}
