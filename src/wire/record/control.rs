//! Control records: what the protocol itself writes into a log.
//!
//! A control batch holds one record, whose key says which: `version i16 | type i16`. Clients skip them; a `read_committed` consumer
//! learns from them where a transaction ended, a metadata log where a leader began.

use bytes::{Bytes, BytesMut};

/// The type of a control record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlType {
    /// A transaction was aborted.
    Abort,
    /// A transaction was committed.
    Commit,
    /// A leader of the metadata log began its epoch.
    LeaderChange,
    /// First record of a metadata snapshot.
    SnapshotHeader,
    /// Last record of a metadata snapshot.
    SnapshotFooter,
    /// The version of the quorum's protocol.
    KraftVersion,
    /// The set of voters.
    KraftVoters,
    /// A type this build does not know.
    Unknown(i16),
}

impl ControlType {
    /// The number in the key.
    #[must_use]
    pub fn code(self) -> i16 {
        match self {
            ControlType::Abort => 0,
            ControlType::Commit => 1,
            ControlType::LeaderChange => 2,
            ControlType::SnapshotHeader => 3,
            ControlType::SnapshotFooter => 4,
            ControlType::KraftVersion => 5,
            ControlType::KraftVoters => 6,
            ControlType::Unknown(code) => code,
        }
    }

    /// The type of this number.
    #[must_use]
    pub fn from_code(code: i16) -> ControlType {
        match code {
            0 => ControlType::Abort,
            1 => ControlType::Commit,
            2 => ControlType::LeaderChange,
            3 => ControlType::SnapshotHeader,
            4 => ControlType::SnapshotFooter,
            5 => ControlType::KraftVersion,
            6 => ControlType::KraftVoters,
            code => ControlType::Unknown(code),
        }
    }

    /// The key of a control record of this type.
    #[must_use]
    pub fn key(self) -> Bytes {
        let mut key = BytesMut::with_capacity(4);
        key.extend_from_slice(&0i16.to_be_bytes());
        key.extend_from_slice(&self.code().to_be_bytes());
        key.freeze()
    }

    /// The type that the key of a control record says, if it is long enough to say any.
    #[must_use]
    pub fn from_key(key: &[u8]) -> Option<ControlType> {
        let code = key.get(2..)?.first_chunk()?;
        Some(ControlType::from_code(i16::from_be_bytes(*code)))
    }
}

/// The value of an abort or commit record: `version i16 | coordinator epoch i32`.
#[must_use]
pub fn end_transaction_value(coordinator_epoch: i32) -> Bytes {
    let mut value = BytesMut::with_capacity(6);
    value.extend_from_slice(&0i16.to_be_bytes());
    value.extend_from_slice(&coordinator_epoch.to_be_bytes());
    value.freeze()
}
