//! Where each consumer goes on reading, as far as it can be seen from outside.
//!
//! A consumer was told to read partitions from their beginning. What its polls bring moves it on. When its place does not exist any more it asks
//! where the partition starts or ends, as `auto.offset.reset` says, and goes on there: an end that a broker names to it is its new place.
//! But its application also asks for ends, now and then, which moves nothing. The two questions look the same on the wire, so of the answers
//! that come while an application's question is open, one is the application's:
//!
//! ```text
//!   application asks ──▶ one answer ──▶ application is told          nobody moved
//!   application asks ──▶ two answers ─▶ application is told          one of them was for a place that was gone
//!   application asks ──▶ one answer ──▶ its question fails           likewise, or it came too late: it may have moved
//! ```

use brokerlab::types::Offset;

use super::setup::Reset;

/// One consumer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reader {
    /// What it does when its place is gone.
    pub reset: Reset,
    /// Partitions that it reads from their beginning, and where it will go on.
    pub places: Vec<(usize, Offset)>,
    question: Option<Question>,
}

/// The application wants to know where a partition ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Question {
    partition: usize,
    answers: u32,
    highest: Offset,
}

impl Reader {
    /// A consumer that reads nothing so far.
    #[must_use]
    pub fn new(reset: Reset) -> Reader {
        Reader { reset, places: Vec::new(), question: None }
    }

    /// It is to read these from their beginning.
    pub fn assign(&mut self, partitions: impl Iterator<Item = usize>) {
        self.places = partitions.map(|partition| (partition, Offset::ZERO)).collect();
    }

    /// Its process is gone, and what it knew.
    pub fn forget(&mut self) {
        (self.places, self.question) = (Vec::new(), None);
    }

    /// It got records up to there.
    pub fn read(&mut self, partition: usize, next: Offset) {
        if let Some(place) = self.place(partition) {
            *place = next;
        }
    }

    /// Its application asks for an end.
    pub fn ask(&mut self, partition: usize) {
        self.question = Some(Question { partition, answers: 0, highest: Offset::ZERO });
    }

    /// Its application is told, or that failed.
    pub fn end_of_question(&mut self, told: bool) {
        let Some(Question { partition, answers, highest }) = self.question.take() else { return };
        if answers > u32::from(told) {
            self.go_on_at(partition, highest);
        }
    }

    /// A broker names the end of a partition to it.
    pub fn hear_end(&mut self, partition: usize, end: Offset) {
        match self.question.as_mut().filter(|question| question.partition == partition) {
            Some(question) => (question.answers, question.highest) = (question.answers + 1, question.highest.max(end)),
            None => self.go_on_at(partition, end),
        }
    }

    fn go_on_at(&mut self, partition: usize, end: Offset) {
        let latest = self.reset == Reset::Latest;
        if let Some(place) = self.place(partition).filter(|place| latest && **place < end) {
            *place = end;
        }
    }

    fn place(&mut self, partition: usize) -> Option<&mut Offset> {
        self.places.iter_mut().find(|(known, _)| *known == partition).map(|(_, place)| place)
    }
}
