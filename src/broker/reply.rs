//! Where an answer goes.
//!
//! On an accepted connection answers leave in the order of the requests (see [`crate::actor`]), so the connection is all that an answer needs, and a
//! parked request is simply one whose answer has not been sent yet. What cannot be written in the version that the client chose is
//! our own mistake; the client learns of it by losing the connection, which is the one answer that is never wrong.

use crate::actor::{Now, Outbox};
use crate::disk::Disk;
use crate::types::ConnectionId;
use crate::wire::{ApiKey, Response, encode_response};

/// What a step works with: the moment, the disk, and what is to be done.
pub(super) struct Step<'a> {
    /// The moment of the event.
    pub now: Now,
    /// The node's disk.
    pub disk: &'a mut dyn Disk,
    /// What this step wants done.
    pub out: &'a mut Outbox,
}

/// Who asked, and in which words the answer is expected.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Caller {
    /// Where the request came in.
    pub connection: ConnectionId,
    /// What was asked.
    pub api_key: ApiKey,
    /// In which version.
    pub version: i16,
    /// Repeated in the answer.
    pub correlation_id: i32,
}

impl Caller {
    /// Sends the answer.
    pub fn answer(&self, response: impl Into<Response>, out: &mut Outbox) {
        match encode_response(self.api_key, self.version, self.correlation_id, &response.into()) {
            Ok(chunks) => out.send(self.connection, chunks),
            Err(_) => out.close(self.connection),
        }
    }
}
