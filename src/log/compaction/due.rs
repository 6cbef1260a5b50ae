//! How far a log may be cleaned, and whether it is worth it. No floating point: the ratio is in thousandths.

use super::super::config::CompactionConfig;
use super::super::error::LogError;
use super::super::partition_log::Log;
use crate::disk::Disk;
use crate::types::{Duration, Offset, Timestamp};

impl Log {
    /// The bound of a pass that begins now: no record at or above it may be touched, nor replace anything.
    pub(super) fn cleanable_end(
        &mut self,
        disk: &mut dyn Disk,
        config: &CompactionConfig,
        now: Timestamp,
        high_watermark: Offset,
    ) -> Result<Offset, LogError> {
        let active = self.active().base;
        let bound = high_watermark.min(self.durable_end()).min(active);
        if config.lag_min == Duration::ZERO {
            return Ok(bound);
        }
        for number in self.segment_of(self.first_dirty())..self.segments.len() {
            let base = self.segments[number].base;
            if base >= bound {
                break;
            }
            if !is_older(self.newest_timestamp(disk, number)?, config.lag_min, now) {
                return Ok(bound.min(base));
            }
        }
        Ok(bound)
    }

    /// Whether the part below `bound` that is not clean is large enough, or waits for too long.
    pub(super) fn is_dirty_enough(
        &mut self,
        disk: &mut dyn Disk,
        config: &CompactionConfig,
        bound: Offset,
        now: Timestamp,
    ) -> Result<bool, LogError> {
        let first = self.segment_of(self.first_dirty());
        let last = self.segment_of(bound.plus(-1));
        let bytes = |numbers: std::ops::Range<usize>| self.segments[numbers].iter().map(|s| u128::from(s.length)).sum::<u128>();
        let (clean, dirty) = (bytes(self.segment_of(self.log_start)..first), bytes(first..last + 1));
        if dirty * 1000 > u128::from(config.dirty_permille_min) * (clean + dirty) {
            return Ok(dirty > 0);
        }
        Ok(dirty > 0 && is_older(self.segments[first].first_timestamp(disk)?, config.lag_max, now))
    }
}

/// Whether something of that time is older than `age`. Without a time it is as old as can be.
fn is_older(timestamp: Timestamp, age: Duration, now: Timestamp) -> bool {
    u64::try_from(now.0.saturating_sub(timestamp.0)).is_ok_and(|since| since > age.as_millis())
}
