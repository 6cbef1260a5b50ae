//! What can go wrong between bytes and messages.
//!
//! Bytes come from peers and disks, so every fault in them is a value, never a panic. An error names the message, the field
//! that was being read and the byte where reading stopped: enough to find the place in a dump of the frame.

use std::fmt;

use super::header::RequestHeader;

/// Where in a frame decoding stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The message or record being decoded.
    pub message: &'static str,
    /// The field being decoded.
    pub field: &'static str,
    /// Distance in bytes from the start of the frame.
    pub offset: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} at byte {}", self.message, self.field, self.offset)
    }
}

/// Why bytes are not the message they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The declared count or length, or the field itself, needs more bytes than are left.
    #[error("{place}: {needed} bytes needed, {remaining} left")]
    Truncated {
        /// Where.
        place: Place,
        /// The least number of bytes the declaration stands for.
        needed: u64,
        /// Bytes left in the frame, or in the enclosing tagged field.
        remaining: usize,
    },
    /// A count or length below -1, a variable-length integer that does not end, or a version below 0.
    #[error("{place}: malformed number")]
    Malformed {
        /// Where.
        place: Place,
    },
    /// Null where the version does not allow it.
    #[error("{place}: null is not allowed in this version")]
    Null {
        /// Where.
        place: Place,
    },
    /// A string that is not UTF-8.
    #[error("{place}: not UTF-8")]
    Utf8 {
        /// Where.
        place: Place,
    },
    /// Tags must rise, so that each comes once.
    #[error("{place}: tag {tag} does not rise")]
    TagOrder {
        /// Where.
        place: Place,
        /// The tag that is not larger than the one before.
        tag: u32,
    },
    /// Bytes are left over after the last field.
    #[error("{place}: {remaining} bytes left over")]
    Leftover {
        /// Where.
        place: Place,
        /// How many.
        remaining: usize,
    },
    /// No message with this key is declared.
    #[error("no message is declared for key {key}")]
    UnknownKey {
        /// The API key, or the key of a stored record.
        key: i16,
    },
    /// The message exists, but not in this version. A broker answers such a request with UNSUPPORTED_VERSION if it is
    /// ApiVersions ([`super::unsupported_api_versions`]), and otherwise closes the connection.
    #[error("{} is not supported in version {}", header.api_key, header.api_version)]
    UnsupportedVersion {
        /// The header of the request, so that it can be answered. For responses and stored records only its key and
        /// version mean something.
        header: RequestHeader,
    },
    /// A stored record of a version, or with a frame version, that is not known.
    #[error("stored record {key} is not supported in version {version}")]
    UnsupportedRecord {
        /// Key of the record, or -1 if the frame version itself is unknown.
        key: i32,
        /// The version found.
        version: u32,
    },
}

/// Why a message cannot be written in the version asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The message does not exist in this version.
    #[error("{message} has no version {version}")]
    UnsupportedVersion {
        /// The message.
        message: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// The field holds a value that this version cannot carry, and that the reader must not miss.
    #[error("{message}.{field}: version {version} cannot carry the value")]
    CannotCarry {
        /// The message.
        message: &'static str,
        /// The field.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// Null in a version in which the field must not be null.
    #[error("{message}.{field}: version {version} does not allow null")]
    Null {
        /// The message.
        message: &'static str,
        /// The field.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A string or an array longer than its length field can say.
    #[error("{message}.{field}: too long for its length field")]
    TooLong {
        /// The message.
        message: &'static str,
        /// The field.
        field: &'static str,
    },
    /// An unknown tagged field bears the tag of a known one, or the unknown tags do not rise.
    #[error("{message}.{field}: tag {tag} is out of order")]
    TagOrder {
        /// The message.
        message: &'static str,
        /// The field before which the tag was found.
        field: &'static str,
        /// The tag.
        tag: u32,
    },
    /// A response that does not belong to the API it is sent for.
    #[error("the message is not one of {api}")]
    WrongApi {
        /// The API named by the header.
        api: super::ApiKey,
    },
}
