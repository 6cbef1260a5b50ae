//! Golden scripts: `src/log/testscripts/*`. Each opens with the claim it proves.

#![allow(clippy::unwrap_used)]

use std::error::Error;
use std::fmt::Write;

use bytes::Bytes;
use goldenscript::{ArgumentConsumer, Command, Context, Runner};

use super::cleaning;
use super::memory_disk::MemoryDisk;
use crate::log::append::Appended;
use crate::log::checkpoint::{self, Checkpoint};
use crate::log::epochs::EpochCache;
use crate::log::flush::Flush;
use crate::log::producers::{ProducerStates, Verdict};
use crate::log::{Log, LogConfig};
use crate::types::{Duration, LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Time, Timestamp, Uuid};
use crate::wire::record::{BatchBuilder, BatchHeader, batches};

pub(super) type Answer = Result<String, Box<dyn Error>>;

fn script(name: &str, runner: &mut impl Runner) {
    let path = format!("{}/src/log/testscripts/{name}", env!("CARGO_MANIFEST_DIR"));
    goldenscript::run(runner, path).expect("the script runs");
}

#[test]
fn epoch_cache_truth_table() {
    script("epoch-cache", &mut Epochs { cache: EpochCache::default(), log_end: Offset::ZERO });
}

#[test]
fn producer_rules() {
    script("producers", &mut Producers::default());
}

macro_rules! log_scripts {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            script($name, &mut Bench::default());
        })*
    };
}

log_scripts! {
    leader_appends: "append",
    follower_appends: "follow",
    truncation_undoes_everything: "truncation",
    recovery_believes_nothing: "recovery",
    recovery_point_keeps_its_promise: "recovery-point",
    a_failed_sync_is_not_believed_the_second_time: "failed-sync",
    log_start_moves: "log-start",
    log_start_is_forgotten: "log-start-forgotten",
    retention_gives_up_old_segments: "retention",
    clocks_are_bounded: "timestamps",
    the_leaders_clock_may_overrule: "log-append-time",
    producers_outlive_their_records: "retention-producers",
    old_segments_tell_of_producers: "old-segments-tell-of-producers",
    old_segments_with_holes_cost_nothing: "old-segments-with-holes",
    old_segments_behind_a_hole_still_tell: "old-segments-behind-a-hole",
    old_segments_go_when_no_mark_can_come_back: "old-segments-of-a-log-that-began-anew",
    who_dies_while_it_begins_anew_begins_there: "died-while-it-began-anew",
    snapshots_remember: "snapshots",
    compaction_keeps_the_newest: "compaction",
    compaction_waits_and_stops: "compaction-bound",
    tombstones_stay_for_a_while: "compaction-tombstones",
    compaction_survives_crashes: "compaction-crash",
    gaps_are_legal_where_compaction_was: "compaction-gaps",
    sequences_outlive_their_records: "compaction-producers",
}

pub(super) fn number<N: std::str::FromStr>(args: &mut ArgumentConsumer<'_>, key: &str, default: N) -> Result<N, Box<dyn Error>> {
    match args.take_key(key) {
        Some(text) => text.parse().map_err(|_| format!("{key}={text}: expected a number").into()),
        None => Ok(default),
    }
}

fn next<N: std::str::FromStr>(args: &mut ArgumentConsumer<'_>) -> Result<N, Box<dyn Error>> {
    args.next_pos().and_then(|text| text.parse().ok()).ok_or_else(|| "expected a number".into())
}

// ---- the epoch cache ----------------------------------------------------------------------------------------------

struct Epochs {
    cache: EpochCache,
    log_end: Offset,
}

impl Runner for Epochs {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Answer {
        let mut args = command.consume_args();
        let changed = match command.name.as_str() {
            "log-end" => {
                self.log_end = Offset(next(&mut args)?);
                return Ok(String::new());
            }
            "clear" => self.cache.clear(),
            "assign" => self.cache.assign(LeaderEpoch(next(&mut args)?), Offset(next(&mut args)?)),
            "cut-end" => self.cache.truncate_from_end(Offset(next(&mut args)?)),
            "cut-start" => self.cache.truncate_from_start(Offset(next(&mut args)?)),
            "reload" => {
                let bytes = checkpoint::encode_epochs(&self.cache);
                self.cache = checkpoint::parse_epochs("leader-epoch-checkpoint", &bytes)?;
                false
            }
            "end-of" => {
                let mut answers = String::new();
                while let Some(epoch) = args.next_pos() {
                    let end = self.cache.end_of(LeaderEpoch(epoch.parse()?), self.log_end);
                    let end = end.map_or("none".to_owned(), |(epoch, end)| format!("epoch {epoch} ends at {end}"));
                    writeln!(answers, "{epoch} -> {end}")?;
                }
                return Ok(answers);
            }
            name => return Err(format!("unknown command {name}").into()),
        };
        args.reject_next()?;
        Ok(format!("{} {}", epochs_text(&self.cache), if changed { "changed" } else { "same" }))
    }
}

fn epochs_text(cache: &EpochCache) -> String {
    let entries: Vec<String> = cache.entries().iter().map(|entry| format!("{}@{}", entry.epoch, entry.start)).collect();
    format!("epochs=[{}]", entries.join(" "))
}

// ---- producer states ----------------------------------------------------------------------------------------------

#[derive(Default)]
struct Producers {
    states: ProducerStates,
    log_end: Offset,
}

impl Runner for Producers {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Answer {
        let mut args = command.consume_args();
        let answer = match command.name.as_str() {
            "leader" | "follower" => {
                let header = self.header(&mut args)?;
                self.take_in(&header, command.name == "leader")?
            }
            "snapshot" => {
                let bytes = self.states.encode();
                let back = ProducerStates::decode(&bytes).ok_or("unreadable")?;
                assert_eq!(back, self.states);
                format!("{} bytes", bytes.len())
            }
            "expire" => {
                let wall = Timestamp(number(&mut args, "now", 0)?);
                let mono = Time::ZERO.plus(Duration::millis(number(&mut args, "up", 0)?));
                self.states.expire(mono, wall, Duration::millis(number(&mut args, "after", 0)?));
                String::new()
            }
            "show" => producers_text(&self.states),
            name => return Err(format!("unknown command {name}").into()),
        };
        args.reject_next()?;
        Ok(answer)
    }
}

impl Producers {
    fn header(&self, args: &mut ArgumentConsumer<'_>) -> Result<BatchHeader, Box<dyn Error>> {
        let (first, count): (i32, i32) = (number(args, "seq", 0)?, number(args, "records", 1)?);
        let producer = (ProducerId(number(args, "pid", 1)?), ProducerEpoch(number(args, "epoch", 0)?), Sequence(first));
        let mut batch = BatchBuilder::new().at(self.log_end, LeaderEpoch(0)).producer(producer.0, producer.1, producer.2);
        for _ in 0..count {
            batch.push(Timestamp(number(args, "time", 0)?), None, Some(b"v"), &[]);
        }
        let batch = if args.take_key("transaction").is_some() { batch.transactional() } else { batch };
        Ok(BatchHeader::parse(&batch.build())?)
    }

    fn take_in(&mut self, header: &BatchHeader, as_leader: bool) -> Answer {
        if as_leader && let Verdict::Duplicate(original) = self.states.check(header)? {
            return Ok(format!("duplicate of {}..{}", original.first_offset, original.last_offset));
        }
        self.states.update(header);
        self.log_end = header.next_offset();
        Ok(format!("appended at {}..{}", header.base_offset, header.last_offset()))
    }
}

fn producers_text(states: &ProducerStates) -> String {
    let mut text = String::new();
    for (producer, state) in states.iter() {
        let batches: Vec<String> = state
            .batches
            .iter()
            .map(|batch| format!("{}..{}@{}", batch.first_sequence, batch.last_sequence, batch.first_offset))
            .collect();
        let open = state.open_transaction.map_or(String::new(), |offset| format!(" transaction from {offset}"));
        writeln!(text, "producer {producer} epoch {} [{}]{open}", state.epoch, batches.join(" ")).unwrap();
    }
    text
}

// ---- a log on a disk ----------------------------------------------------------------------------------------------

const DIR: &str = "orders-0";

pub(super) struct Bench {
    pub(super) disk: MemoryDisk,
    pub(super) log: Option<Log>,
    config: LogConfig,
    checkpoint: Checkpoint,
    flush: Option<Flush>,
}

impl Default for Bench {
    fn default() -> Bench {
        let disk = MemoryDisk::new();
        Bench { disk, log: None, config: LogConfig::default(), checkpoint: Checkpoint::default(), flush: None }
    }
}

impl Runner for Bench {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Answer {
        let mut args = command.consume_args();
        let answer = match command.name.as_str() {
            "create" | "kill" | "power" | "shutdown" | "open" | "rot" | "zero" | "lose" | "fail-writes" => {
                self.world(&command.name, &mut args)?
            }
            "compact" => self.compact(&mut args)?,
            "append" | "put" | "follow" | "read" | "batches" | "time" => self.data(&command.name, &mut args)?,
            "flush" | "epoch-file" | "point" | "snapshot-list" | "producers" | "files" | "state" => {
                self.durability(&command.name, &mut args)?
            }
            "truncate" => {
                let (disk, log) = self.log()?;
                format!("log end {}", log.truncate_to(disk, Offset(next(&mut args)?))?)
            }
            "restart" => self.on_log(|disk, log| Ok(log.truncate_fully(disk, Offset(next(&mut args)?))?))?,
            "begin-epoch" => {
                let epoch = LeaderEpoch(next(&mut args)?);
                self.log()?.1.begin_epoch(epoch);
                String::new()
            }
            "move-start" => {
                let to = Offset(next(&mut args)?);
                self.log()?.1.move_log_start(to);
                String::new()
            }
            "retain" => self.retain(&mut args)?,
            "remove-old" => self.on_log(|disk, log| Ok(log.remove_old_segments(disk)?))?,
            name => return Err(format!("unknown command {name}").into()),
        };
        args.reject_next()?;
        Ok(answer)
    }
}

impl Bench {
    pub(super) fn log(&mut self) -> Result<(&mut MemoryDisk, &mut Log), Box<dyn Error>> {
        let log = self.log.as_mut().ok_or("no log is open")?;
        Ok((&mut self.disk, log))
    }

    fn on_log(&mut self, act: impl FnOnce(&mut MemoryDisk, &mut Log) -> Result<(), Box<dyn Error>>) -> Answer {
        let (disk, log) = self.log()?;
        act(disk, log)?;
        Ok(String::new())
    }

    /// Gives up what the settings named no longer keep.
    fn retain(&mut self, args: &mut ArgumentConsumer<'_>) -> Answer {
        let (disk, log) = self.log()?;
        let millis = args.take_key("ms").map(str::parse).transpose()?;
        let config = LogConfig {
            retention_age_max: millis.map(Duration::millis),
            retention_bytes_max: args.take_key("bytes").map(str::parse).transpose()?,
            ..log.config().clone()
        };
        log.configure(config);
        let high_watermark = Offset(number(args, "hw", log.log_end().0)?);
        match log.retention_start(disk, Timestamp(number(args, "now", 1000)?), high_watermark)? {
            Some(start) => log.move_log_start(start),
            None => return Ok("nothing to give up".to_owned()),
        }
        self.state()
    }

    fn world(&mut self, name: &str, args: &mut ArgumentConsumer<'_>) -> Answer {
        match name {
            "create" => {
                self.config.segment_bytes_max = number(args, "segment-bytes", 1 << 20)?;
                self.config.flush_messages = args.take_key("flush-messages").map(str::parse).transpose()?;
                self.config.tail_bytes_max = number(args, "tail-bytes", 1 << 20)?;
                self.config.timestamp_behind_max = Duration::millis(number(args, "behind-ms", 1 << 40)?);
                self.config.timestamp_ahead_max = Duration::millis(number(args, "ahead-ms", 3_600_000)?);
                self.config.log_append_time = number(args, "append-time", 0)? == 1;
                self.config.compaction = cleaning::config(args)?;
                self.config.gaps_legal = self.config.compaction.is_some();
                self.log = Some(Log::create(&mut self.disk, DIR, Uuid(1), self.config.clone())?);
            }
            "kill" => self.crash(MemoryDisk::kill),
            "power" => self.crash(MemoryDisk::lose_unsynced),
            "shutdown" => self.shutdown()?,
            "open" => return self.open(args),
            "rot" => self.disk.rot(&path(args)?, number(args, "at", 0)?),
            "zero" => self.disk.zero(&path(args)?, number(args, "from", 0)?),
            "lose" => self.disk.lose(&path(args)?),
            _ => self.disk.write_error = Some(crate::disk::DiskError::Io),
        }
        Ok(String::new())
    }

    fn crash(&mut self, how: impl FnOnce(&mut MemoryDisk)) {
        how(&mut self.disk);
        (self.log, self.flush) = (None, None);
    }

    fn shutdown(&mut self) -> Result<(), Box<dyn Error>> {
        let (disk, log) = self.log()?;
        log.prepare_shutdown(disk)?;
        let flush = log.begin_flush().ok_or("nothing to flush")?;
        disk.sync(&flush.targets);
        log.end_flush(flush);
        if let Some((path, content)) = log.epoch_checkpoint() {
            disk.replace(&path, &content);
            log.epoch_checkpoint_done();
        }
        let point = log.recovery_point();
        self.checkpoint.recovery_point = point;
        self.log.take().unwrap().close(&mut self.disk);
        Ok(())
    }

    fn open(&mut self, args: &mut ArgumentConsumer<'_>) -> Answer {
        let clean = args.next_pos() == Some("clean");
        self.checkpoint.recovery_point = Offset(number(args, "point", self.checkpoint.recovery_point.0)?);
        self.checkpoint.log_start = Offset(number(args, "start", self.checkpoint.log_start.0)?);
        self.checkpoint.high_watermark = Offset(number(args, "hw", self.checkpoint.high_watermark.0)?);
        let (log, recovery) = Log::open(&mut self.disk, DIR, self.config.clone(), clean, &self.checkpoint)?;
        self.log = Some(log);
        let mut text = String::from(if recovery.trusted { "trusted" } else { "scanned" });
        write!(text, " batches={} hw={}", recovery.batches_read, recovery.high_watermark)?;
        if let Some(from) = recovery.cut_from {
            write!(text, " cut-from={from} cut-bytes={}", recovery.cut_bytes)?;
        }
        if let Some(from) = recovery.missing_below_recovery_point {
            write!(text, " MISSING from {from}")?;
        }
        writeln!(text, "\n{}", self.state()?)?;
        Ok(text)
    }

    fn data(&mut self, name: &str, args: &mut ArgumentConsumer<'_>) -> Answer {
        let (disk, log) = self.log()?;
        match name {
            "append" | "put" => {
                let last = log.last_epoch().map_or(0, |epoch| epoch.0);
                let epoch = LeaderEpoch(number(args, "epoch", last)?);
                let bytes = if name == "put" { cleaning::keyed_batch(args)? } else { client_batch(args)? };
                appended_text(&log.append_as_leader(disk, bytes, epoch, Timestamp(1000))?)
            }
            "follow" => {
                let role = LeaderEpoch(number(args, "role", 100)?);
                appended_text(&log.append_as_follower(disk, leader_batches(args)?, role)?)
            }
            "time" => {
                let found = log.offset_for_timestamp(disk, Timestamp(next(args)?))?;
                Ok(found.map_or("none".into(), |(time, offset)| format!("offset {offset} at time {time}")))
            }
            "batches" => {
                let (from, to) = (log.log_start(), log.log_end());
                read_text(log, disk, from, to, usize::MAX >> 1)
            }
            _ => {
                let from = Offset(number(args, "from", log.log_start().0)?);
                let to = Offset(number(args, "to", log.log_end().0)?);
                let bytes_max = number(args, "bytes", 1 << 20)?;
                let bytes = log.read(disk, from, to, bytes_max, args.take_key("one").is_some())?;
                Ok(batches_text(&bytes))
            }
        }
    }

    fn durability(&mut self, name: &str, args: &mut ArgumentConsumer<'_>) -> Answer {
        let step = args.next_pos();
        if name == "flush" {
            return self.flush(step);
        }
        if name == "files" {
            return self.files();
        }
        if name == "state" {
            return self.state();
        }
        let (disk, log) = self.log()?;
        match name {
            "epoch-file" => {
                let Some((path, content)) = log.epoch_checkpoint() else { return Ok("no change".into()) };
                disk.replace(&path, &content);
                log.epoch_checkpoint_done();
                Ok(String::from_utf8_lossy(&content).trim_end().replace('\n', " | "))
            }
            "point" => {
                let (point, start) = (log.recovery_point(), log.log_start());
                log.recovery_point_written(disk, point)?;
                log.log_start_written(disk, start)?;
                (self.checkpoint.recovery_point, self.checkpoint.log_start) = (point, start);
                Ok(format!("on the disk: recovery point {point}, log start {start}"))
            }
            "producers" => Ok(producers_text(log.producers())),
            _ => Ok(format!("{:?}", log.snapshots)),
        }
    }

    fn flush(&mut self, step: Option<&str>) -> Answer {
        let log = self.log.as_mut().ok_or("no log is open")?;
        if step != Some("end") {
            match log.begin_flush() {
                Some(flush) => self.flush = Some(flush),
                None => return Ok("nothing to flush".into()),
            }
        }
        if step == Some("fail") {
            let flush = self.flush.take().ok_or("no flush is under way")?;
            let sync = self.disk.begin_sync(&flush.targets);
            self.disk.fail_sync(sync);
            log.stop(crate::disk::DiskError::Io);
        } else if step != Some("begin") {
            let flush = self.flush.take().ok_or("no flush is under way")?;
            self.disk.sync(&flush.targets);
            log.end_flush(flush);
        }
        self.state()
    }

    fn files(&self) -> Answer {
        let mut disk = self.disk.clone();
        disk.operations_left = None;
        Ok(crate::disk::Disk::list(&mut disk, DIR)?.join("\n"))
    }

    pub(super) fn state(&self) -> Answer {
        let log = self.log.as_ref().ok_or("no log is open")?;
        let bases: Vec<String> = log.segment_bases().iter().map(ToString::to_string).collect();
        let mut text = format!(
            "log {}..{} durable={} recovery-point={} segments=[{}] {}",
            log.log_start(),
            log.log_end(),
            log.durable_end(),
            log.recovery_point(),
            bases.join(" "),
            epochs_text(&log.epochs)
        );
        if log.needs_flush() {
            text += " needs-flush";
        }
        if log.truncation_pending_sync() {
            text += " truncation-pending";
        }
        Ok(text)
    }
}

fn path(args: &mut ArgumentConsumer<'_>) -> Result<String, Box<dyn Error>> {
    let name = args.next_pos().ok_or("expected a file")?;
    let Some((digits, kind)) = name.split_once('.') else { return Ok(format!("{DIR}/{name}")) };
    Ok(match digits.parse::<i64>() {
        Ok(base) => format!("{DIR}/{base:020}.{kind}"),
        Err(_) => format!("{DIR}/{name}"),
    })
}

/// `append a b pid=1 seq=0`: one batch of the records a and b.
fn client_batch(args: &mut ArgumentConsumer<'_>) -> Result<Bytes, Box<dyn Error>> {
    let mut batch = BatchBuilder::new();
    if let Some(producer) = args.take_key("pid") {
        let (epoch, first) = (number(args, "pep", 0)?, number(args, "seq", 0)?);
        batch = batch.producer(ProducerId(producer.parse()?), ProducerEpoch(epoch), Sequence(first));
    }
    let time = number(args, "time", 0)?;
    let size: usize = number(args, "size", 0)?;
    let spoiled = args.take_key("spoil");
    while let Some(value) = args.next_pos() {
        batch.push(Timestamp(time), None, Some(format!("{value:size$}").as_bytes()), &[]);
    }
    let bytes = batch.build();
    let Some(spoiled) = spoiled else { return Ok(bytes) };
    let mut bytes = bytes.to_vec();
    match spoiled {
        "crc" => *bytes.last_mut().unwrap() ^= 1,
        "magic" => bytes[16] = 1,
        "short" => bytes.truncate(bytes.len() - 1),
        _ => bytes.extend_from_slice(&bytes.clone()),
    }
    Ok(Bytes::from(bytes))
}

/// `follow 2@10:a,b 2@12:c`: batches of epoch 2 at offsets 10 and 12.
fn leader_batches(args: &mut ArgumentConsumer<'_>) -> Result<Bytes, Box<dyn Error>> {
    let mut all = Vec::new();
    while let Some(text) = args.next_pos() {
        let (place, values) = text.split_once(':').ok_or("expected epoch@offset:values")?;
        let (epoch, base) = place.split_once('@').ok_or("expected epoch@offset:values")?;
        let mut batch = BatchBuilder::new().at(Offset(base.parse()?), LeaderEpoch(epoch.parse()?));
        for value in values.split(',') {
            cleaning::push(&mut batch, Timestamp(0), value);
        }
        all.extend_from_slice(&batch.build());
    }
    Ok(Bytes::from(all))
}

fn appended_text(appended: &Appended) -> Answer {
    let what = if appended.duplicate { "duplicate of" } else { "appended at" };
    let stamp = appended.log_append_time.map_or(String::new(), |time| format!(" stamped {time}"));
    Ok(format!("{what} {}..{}{stamp}", appended.first, appended.last))
}

fn read_text(log: &mut Log, disk: &mut MemoryDisk, mut from: Offset, to: Offset, bytes_max: usize) -> Answer {
    let mut text = String::new();
    while from < to {
        let bytes = log.read(disk, from, to, bytes_max, true)?;
        text += &batches_text(&bytes);
        from = batches(&bytes).last().ok_or("nothing was read")??.header.next_offset();
    }
    Ok(text)
}

fn batches_text(bytes: &Bytes) -> String {
    let mut text = String::new();
    for batch in batches(bytes) {
        let batch = batch.unwrap();
        batch.verify_crc().unwrap();
        let values: String = batch.opened_records().unwrap().map(|record| cleaning::record_text(&record.unwrap())).collect();
        let header = batch.header;
        let horizon = header.delete_horizon().map_or(String::new(), |horizon| format!(" horizon={horizon}"));
        let place = format!("{}..{} epoch {}", header.base_offset, header.last_offset(), header.leader_epoch);
        writeln!(text, "{place}:{values}{horizon}").unwrap();
    }
    text
}
