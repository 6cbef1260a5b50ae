//! What golden scripts say about compaction: `put a/1 b/-` appends records with keys (`-` is a tombstone), `compact` runs passes.

#![allow(clippy::unwrap_used)]

use std::error::Error;
use std::fmt::Write;

use bytes::Bytes;
use goldenscript::ArgumentConsumer;

use super::scripts::{Answer, Bench, number};
use crate::log::{Compaction, CompactionConfig};
use crate::types::{Duration, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};
use crate::wire::record::{BatchBuilder, Record};

/// `create compact=1 dirty=500 lag-min-ms=0 lag-max-ms=... tombstone-ms=100 map-bytes=...`.
pub(super) fn config(args: &mut ArgumentConsumer<'_>) -> Result<Option<CompactionConfig>, Box<dyn Error>> {
    let config = CompactionConfig {
        dirty_permille_min: number(args, "dirty", 0)?,
        lag_min: Duration::millis(number(args, "lag-min-ms", 0)?),
        lag_max: Duration::millis(number(args, "lag-max-ms", 1 << 40)?),
        tombstone_retention: Duration::millis(number(args, "tombstone-ms", 100)?),
        map_bytes_max: number(args, "map-bytes", 1 << 20)?,
    };
    Ok((number(args, "compact", 0)? == 1).then_some(config))
}

/// Adds `key/value`, `key/-`, or a value alone.
pub(super) fn push(batch: &mut BatchBuilder, time: Timestamp, text: &str) {
    match text.split_once('/') {
        Some((key, "-")) => batch.push(time, Some(key.as_bytes()), None, &[]),
        Some((key, value)) => batch.push(time, Some(key.as_bytes()), Some(value.as_bytes()), &[]),
        None => batch.push(time, None, Some(text.as_bytes()), &[]),
    }
}

/// `put a/1 b/- pid=1 seq=0 time=5`: one batch.
pub(super) fn keyed_batch(args: &mut ArgumentConsumer<'_>) -> Result<Bytes, Box<dyn Error>> {
    let mut batch = BatchBuilder::new();
    if let Some(producer) = args.take_key("pid") {
        batch = batch.producer(ProducerId(producer.parse()?), ProducerEpoch(0), Sequence(number(args, "seq", 0)?));
    }
    let time = Timestamp(number(args, "time", 0)?);
    while let Some(record) = args.next_pos() {
        push(&mut batch, time, record);
    }
    Ok(batch.build())
}

/// A record for people, with a space before it.
pub(super) fn record_text(record: &Record) -> String {
    let text = |bytes: &Option<Bytes>| {
        bytes.as_ref().map_or("-".to_owned(), |bytes| String::from_utf8_lossy(bytes).trim_end().to_owned())
    };
    match &record.key {
        Some(_) => format!(" {}/{}", text(&record.key), text(&record.value)),
        None => format!(" {}", text(&record.value)),
    }
}

impl Bench {
    /// `compact`: to the end of a pass, with the flushes that it waits for. `compact written`: until something is written and waits for its
    /// flush. `compact crash=3`: the process dies at the fourth operation of the disk after the first flush that it waits for. `compact once`: one call.
    pub(super) fn compact(&mut self, args: &mut ArgumentConsumer<'_>) -> Answer {
        let (now, how) = (Timestamp(number(args, "now", 1000)?), args.next_pos());
        let crash = args.take_key("crash").map(str::parse).transpose()?;
        let high_watermark = number(args, "hw", self.log()?.1.log_end().0)?;
        let mut text = String::new();
        for _ in 0..1000 {
            let (disk, log) = self.log()?;
            let said = match log.compact(disk, now, Offset(high_watermark)) {
                Err(error) if crash.is_some() => return Ok(format!("{text}{error}")),
                said => said?,
            };
            match said {
                Compaction::Idle => return Ok(text + "idle"),
                Compaction::Working => {}
                Compaction::Began { first_dirty, up_to } => writeln!(text, "clean {first_dirty}..{up_to}")?,
                Compaction::Waiting if how == Some("written") => return Ok(text + "written"),
                Compaction::Waiting => {
                    self.flush_all()?;
                    self.disk.operations_left = self.disk.operations_left.or(crash);
                }
                Compaction::Ended { up_to, tally } => {
                    let (records, batches) = (tally.records_dropped, tally.batches_dropped);
                    return Ok(format!(
                        "{text}clean up to {up_to}: {records} records and {batches} batches dropped\n{}",
                        self.state()?
                    ));
                }
            }
            if how == Some("once") {
                return Ok(text + "working");
            }
        }
        Err("it does not end".into())
    }

    fn flush_all(&mut self) -> Result<(), Box<dyn Error>> {
        let (disk, log) = self.log()?;
        while let Some(flush) = log.begin_flush() {
            disk.sync(&flush.targets);
            log.end_flush(flush);
        }
        Ok(())
    }
}
