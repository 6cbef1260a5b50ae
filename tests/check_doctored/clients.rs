//! What brokers promise and show to clients, and what clients hear of it.

use brokerlab::operation::{Certainty, Command, Completion, Operation, OperationId, Outcome, PolledRecord, Position};
use brokerlab::types::*;
use brokerlab_reports::event::{NodeId, Tap, What};
use bytes::Bytes;

use super::{History, ORDERS, Record, node, orders};

impl History {
    /// The broker promises; the producer hears it.
    pub fn ack(&mut self, name: &str, value: &'static str) -> &mut History {
        let offset = self.place_of(name, value);
        self.answer(name, value, offset).acknowledged(value, Some(offset))
    }

    /// The broker promises; the answer may get lost.
    pub fn answer(&mut self, name: &str, value: &'static str, offset: i64) -> &mut History {
        self.answer_with(name, value, offset, 0)
    }

    /// The value is sent once more, and the broker refuses it.
    pub fn refuse(&mut self, name: &str, value: &'static str, error: i16) -> &mut History {
        self.requests.insert(value, self.last_event());
        self.answer_with(name, value, -1, error)
    }

    fn answer_with(&mut self, name: &str, value: &'static str, offset: i64, error: i16) -> &mut History {
        let record = Record { value, epoch: -1, sequence: self.sequences[value] };
        let mut batch = self.tapped(0, record);
        batch.leader_epoch = LeaderEpoch(-1);
        let request = self.requests.get(value).copied().unwrap_or(self.last_event());
        let (base_offset, producer) = (Offset(offset), NodeId(3));
        let acks = self.terms.acks;
        let tap = Tap::ProduceAnswered { partition: ORDERS, acks, error, base_offset, batch, producer, request };
        self.event(Some(name), What::Tap(tap))
    }

    /// The producer's write has ended well.
    pub fn acknowledged(&mut self, value: &'static str, offset: Option<i64>) -> &mut History {
        let outcome = Outcome::Produced { partition: orders(), offset: offset.map(Offset) };
        self.complete(value, outcome)
    }

    pub fn failed(&mut self, value: &'static str, certainty: Certainty) -> &mut History {
        self.complete(value, Outcome::Failed { code: 7, certainty })
    }

    fn complete(&mut self, value: &'static str, outcome: Outcome) -> &mut History {
        let id = OperationId(self.operations[value]);
        self.event(Some("p1"), What::Completed(Completion { id, outcome }))
    }

    /// A broker shows its records `from..` to the reader.
    pub fn expose(&mut self, name: &str, from: usize) -> &mut History {
        let log = self.brokers[node(name)].log.clone();
        let batches = log.iter().enumerate().skip(from).map(|(at, record)| self.tapped(at as i64, *record)).collect();
        let (high_watermark, last_stable) = (Offset(log.len() as i64), Offset(log.len() as i64));
        let consumer = NodeId(4);
        let tap = Tap::Exposed { partition: ORDERS, error: 0, high_watermark, last_stable, isolation: 0, batches, consumer };
        self.event(Some(name), What::Tap(tap))
    }

    /// A consumer has read this value, dated so.
    pub fn read_dated(&mut self, who: &'static str, at: i64, value: &'static str, timestamp: Timestamp) -> &mut History {
        self.read(who, at, &[value]);
        if let Some(What::Completed(Completion { outcome: Outcome::Polled { records }, .. })) =
            self.events.last_mut().map(|last| &mut last.what)
        {
            records[0].timestamp = timestamp;
        }
        self
    }

    /// A consumer has read these values.
    pub fn read(&mut self, who: &'static str, from: i64, values: &[&'static str]) -> &mut History {
        self.read_in(who, 0, from, values)
    }

    /// The same, of batches of that leader epoch.
    pub fn read_in(&mut self, who: &'static str, epoch: i32, from: i64, values: &[&'static str]) -> &mut History {
        let record = |(at, value): (usize, &&'static str)| PolledRecord {
            partition: orders(),
            offset: Offset(from + at as i64),
            leader_epoch: LeaderEpoch(epoch),
            timestamp: Timestamp(0),
            key: None,
            value: Some(Bytes::from_static(value.as_bytes())),
        };
        let records = values.iter().enumerate().map(record).collect();
        self.event(Some(who), What::Completed(Completion { id: OperationId(0), outcome: Outcome::Polled { records } }))
    }

    /// A client asks where the partition ends.
    pub fn ask_end(&mut self, who: &str) -> &mut History {
        let operation = Operation::ListOffset { partition: orders(), position: Position::End };
        self.event(Some(who), What::Invoked(Command { id: OperationId(77), operation }))
    }

    /// A broker answers that question.
    pub fn list_end(&mut self, name: &str, offset: i64) -> &mut History {
        let (timestamp, offset, asker) = (Timestamp(-1), Offset(offset), NodeId(node("reader") as u16));
        let tap = Tap::OffsetListed { partition: ORDERS, timestamp, error: 0, offset, asker };
        let cause = self.last_event();
        self.event(Some(name), What::Tap(tap));
        self.events.last_mut().expect("it was just added").cause = cause;
        self
    }

    /// The client hears the answer.
    pub fn told_end(&mut self, who: &str, offset: i64) -> &mut History {
        let outcome = Outcome::Offset { partition: orders(), offset: Offset(offset) };
        self.event(Some(who), What::Completed(Completion { id: OperationId(77), outcome }))
    }
}
