//! The file of a recorded run, and its hash.
//!
//! ```text
//!   "BLRUN\n" │ RunHeader │ Event, Event, ... │ Footer                (each length-prefixed: u32 little-endian, then bincode)
//! ```
//!
//! The hash runs over the bytes of every event, whether or not a file is written, so a sweep that keeps nothing on disk has the same
//! hash as a recorded run. Every [`LADDER_STEP`] events the hash so far is noted: two runs that differ are compared rung by rung
//! until the first differing event is found.

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;
use xxhash_rust::xxh3::Xxh3;

use crate::event::Event;
use crate::verdict::Judgement;

/// First bytes of every recording.
const MAGIC: &[u8; 6] = b"BLRUN\n";
/// Version of everything in this module and in [`crate::event`].
pub const FORMAT: u32 = 2;
/// Events between two rungs of the checkpoint ladder.
pub const LADDER_STEP: u64 = 1024;
/// No single entry is longer; guards against garbage.
const ENTRY_BYTES_MAX: u32 = 64 << 20;

/// What must be known before the first event.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RunHeader {
    /// [`FORMAT`] of the writer.
    pub format: u32,
    /// Names the build; hashes of different builds are not comparable.
    pub build: String,
    /// Name of the scenario (its file's stem).
    pub scenario: String,
    /// Seed.
    pub seed: u64,
    /// The plan, as a scenario file.
    pub plan: String,
    /// Names of the nodes: `b1`, `c1`, `p1` ...; a [`NodeId`](crate::event::NodeId) is an index into it.
    pub nodes: Vec<String>,
}

/// What is known after the last event.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Footer {
    /// Number of events.
    pub events: u64,
    /// Hash over all events.
    pub hash: RunHash,
    /// The hash after every [`LADDER_STEP`] events.
    pub ladder: Vec<RunHash>,
    /// The judgement.
    pub judgement: Judgement,
}

/// 128 bits that name the course of a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct RunHash(pub u128);

impl std::fmt::Display for RunHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl std::fmt::Debug for RunHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// Takes in the events of a run: hashes them, and writes them if there is somewhere to write to.
pub struct Recorder {
    hash: Xxh3,
    ladder: Vec<RunHash>,
    events: u64,
    scratch: Vec<u8>,
    sink: Option<Box<dyn Write + Send>>,
    failed: Option<io::Error>,
}

impl Default for Recorder {
    fn default() -> Recorder {
        Recorder::hashing()
    }
}

impl Recorder {
    /// Only hashes.
    #[must_use]
    pub fn hashing() -> Recorder {
        Recorder { hash: Xxh3::new(), ladder: Vec::new(), events: 0, scratch: Vec::new(), sink: None, failed: None }
    }

    /// Hashes and writes.
    ///
    /// # Errors
    /// When the header cannot be written.
    pub fn writing(mut sink: Box<dyn Write + Send>, header: &RunHeader) -> io::Result<Recorder> {
        sink.write_all(MAGIC)?;
        let mut recorder = Recorder::hashing();
        encode(&mut recorder.scratch, header);
        write_entry(&mut sink, &recorder.scratch)?;
        recorder.sink = Some(sink);
        Ok(recorder)
    }

    /// Takes in the next event. A failing sink is noted and reported by [`Recorder::finish`]: the run goes on.
    pub fn push(&mut self, event: &Event) {
        encode(&mut self.scratch, event);
        self.hash.update(&self.scratch);
        self.events += 1;
        if self.events.is_multiple_of(LADDER_STEP) {
            self.ladder.push(self.hash());
        }
        if let (Some(sink), None) = (&mut self.sink, &self.failed) {
            self.failed = write_entry(sink, &self.scratch).err();
        }
    }

    /// Events so far.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Hash so far.
    #[must_use]
    pub fn hash(&self) -> RunHash {
        RunHash(self.hash.digest128())
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// The first error of the sink.
    pub fn finish(mut self, judgement: Judgement) -> io::Result<Footer> {
        let footer = Footer { events: self.events, hash: self.hash(), ladder: std::mem::take(&mut self.ladder), judgement };
        if let Some(error) = self.failed {
            return Err(error);
        }
        if let Some(sink) = &mut self.sink {
            sink.write_all(&u32::MAX.to_le_bytes())?;
            encode(&mut self.scratch, &footer);
            write_entry(sink, &self.scratch)?;
            sink.flush()?;
        }
        Ok(footer)
    }
}

/// Why a recording cannot be read.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// The file cannot be read.
    #[error("cannot read the recording")]
    Io(#[from] io::Error),
    /// It is another kind of file.
    #[error("this is not a brokerlab recording (it does not begin with BLRUN)")]
    NotARecording,
    /// It was written by another version of the format.
    #[error("the recording has format {found}, this build reads format {expected}: read it with the build `{build}`")]
    Format {
        /// In the file.
        found: u32,
        /// Of this build.
        expected: u32,
        /// The build that wrote it.
        build: String,
    },
    /// It ends or breaks in the middle.
    #[error("the recording is damaged after event {after}: {detail}")]
    Damaged {
        /// Last good event.
        after: u64,
        /// What is wrong.
        detail: String,
    },
}

/// A recording being read.
pub struct Recording<R> {
    source: R,
    /// Its header.
    pub header: RunHeader,
    read: u64,
    footer: Option<Footer>,
}

impl<R: BufRead> Recording<R> {
    /// Opens a recording.
    ///
    /// # Errors
    /// When it is not one, or one of another format.
    pub fn open(mut source: R) -> Result<Recording<R>, RecordingError> {
        let mut magic = [0; 6];
        source.read_exact(&mut magic).map_err(|_| RecordingError::NotARecording)?;
        if &magic != MAGIC {
            return Err(RecordingError::NotARecording);
        }
        let header: RunHeader = match read_entry(&mut source, 0)? {
            Some(bytes) => decode(&bytes, 0)?,
            None => return Err(RecordingError::NotARecording),
        };
        if header.format != FORMAT {
            return Err(RecordingError::Format { found: header.format, expected: FORMAT, build: header.build });
        }
        Ok(Recording { source, header, read: 0, footer: None })
    }

    /// The next event; `None` after the last one.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn next_event(&mut self) -> Result<Option<Event>, RecordingError> {
        if self.footer.is_some() {
            return Ok(None);
        }
        if let Some(bytes) = read_entry(&mut self.source, self.read)? {
            self.read += 1;
            return decode(&bytes, self.read).map(Some);
        }
        let footer = read_entry(&mut self.source, self.read)?
            .ok_or_else(|| RecordingError::Damaged { after: self.read, detail: "the footer is missing".into() })?;
        self.footer = Some(decode(&footer, self.read)?);
        Ok(None)
    }

    /// The footer, once the last event was read.
    #[must_use]
    pub fn footer(&self) -> Option<&Footer> {
        self.footer.as_ref()
    }
}

fn encode<T: Serialize>(scratch: &mut Vec<u8>, value: &T) {
    scratch.clear();
    bincode::serialize_into(&mut *scratch, value).expect("writing to memory cannot fail, and no type here has an unknown length");
}

fn decode<T: DeserializeOwned>(bytes: &[u8], after: u64) -> Result<T, RecordingError> {
    bincode::deserialize(bytes).map_err(|error| RecordingError::Damaged { after, detail: error.to_string() })
}

fn write_entry(sink: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    sink.write_all(&length.to_le_bytes())?;
    sink.write_all(bytes)
}

/// One entry; `None` at the mark that separates events from the footer.
fn read_entry(source: &mut impl BufRead, after: u64) -> Result<Option<Vec<u8>>, RecordingError> {
    let damaged = |error: io::Error| RecordingError::Damaged { after, detail: error.to_string() };
    let mut length = [0; 4];
    source.read_exact(&mut length).map_err(damaged)?;
    let length = u32::from_le_bytes(length);
    if length == u32::MAX {
        return Ok(None);
    }
    if length > ENTRY_BYTES_MAX {
        return Err(RecordingError::Damaged { after, detail: format!("an entry of {length} bytes") });
    }
    let mut bytes = vec![0; length as usize];
    source.read_exact(&mut bytes).map_err(damaged)?;
    Ok(Some(bytes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use brokerlab::types::Time;

    use super::*;
    use crate::event::{EventId, What, WorldFact};
    use crate::testing::Kept;
    use crate::verdict::Verdict;

    fn event(id: u64) -> Event {
        let what = What::World(WorldFact::NodeStarted { life: 1 });
        Event { id: EventId(id), at: Time(id * 10), node: None, cause: EventId::NONE, also: EventId::NONE, what }
    }

    fn judgement() -> Judgement {
        let sentence = "all is well".to_string();
        Judgement { verdict: Verdict::Pass, property: None, sentence, checks: vec![], findings: vec![], counts: vec![] }
    }

    fn recorded(events: u64) -> (Vec<u8>, Footer) {
        let header = RunHeader {
            format: FORMAT,
            build: "test".into(),
            scenario: "s".into(),
            seed: 7,
            plan: String::new(),
            nodes: vec!["b1".into()],
        };
        let sink = Kept::default();
        let mut recorder = Recorder::writing(Box::new(sink.clone()), &header).unwrap();
        (1..=events).for_each(|id| recorder.push(&event(id)));
        let footer = recorder.finish(judgement()).unwrap();
        let bytes = sink.bytes();
        (bytes, footer)
    }

    #[test]
    fn what_was_recorded_is_read_back() {
        let (bytes, footer) = recorded(3000);
        let mut recording = Recording::open(bytes.as_slice()).unwrap();
        let mut count = 0;
        while let Some(read) = recording.next_event().unwrap() {
            count += 1;
            assert_eq!(read, event(count));
        }
        assert_eq!((count, footer.ladder.len()), (3000, 2));
        assert_eq!(recording.footer(), Some(&footer));
    }

    #[test]
    fn hash_does_not_depend_on_a_sink() {
        let mut hashing = Recorder::hashing();
        (1..=10).for_each(|id| hashing.push(&event(id)));
        assert_eq!(hashing.hash(), recorded(10).1.hash);
        assert_ne!(hashing.hash(), recorded(11).1.hash);
    }

    #[test]
    fn damage_is_an_error_with_a_place() {
        let (bytes, _) = recorded(10);
        for cut in 0..bytes.len() {
            let Ok(mut recording) = Recording::open(&bytes[..cut]) else { continue };
            let end = loop {
                match recording.next_event() {
                    Ok(Some(_)) => {}
                    other => break other,
                }
            };
            assert!(matches!(end, Err(RecordingError::Damaged { .. })), "cut at {cut}");
        }
    }
}
