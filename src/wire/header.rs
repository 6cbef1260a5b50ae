//! Headers of requests and responses, and how to look at one without reading the message behind it.
//!
//! ```text
//!   request   key i16 | version i16 | correlation id i32 | client id, nullable string | tags, if the version is flexible
//!   response  correlation id i32 | tags, if the version is flexible (never for ApiVersions)
//! ```
//!
//! The client id keeps its 16-bit length even in flexible versions. The response header of ApiVersions never has tags, because a
//! client that asks for a version the node does not know must still be able to read the refusal (KIP-511).

use bytes::Bytes;

use super::ApiKey;
use super::decoder::Decoder;
use super::encoder::Encoder;
use super::mistake::{DecodeError, EncodeError};
use super::schema::{Nulls, UnknownTags, Wire};

/// What comes before every request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestHeader {
    /// The API asked for.
    pub api_key: ApiKey,
    /// The version in which the request is written and the response is expected.
    pub api_version: i16,
    /// Chosen by the client; the response repeats it.
    pub correlation_id: i32,
    /// How the client calls itself.
    pub client_id: Option<String>,
    /// Tagged fields; none are defined so far.
    pub unknown_tags: UnknownTags,
}

/// What comes before every response.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResponseHeader {
    /// The correlation id of the request answered.
    pub correlation_id: i32,
    /// Tagged fields; none are defined so far.
    pub unknown_tags: UnknownTags,
}

impl RequestHeader {
    /// A header without a client id.
    #[must_use]
    pub fn new(api_key: ApiKey, api_version: i16, correlation_id: i32) -> RequestHeader {
        RequestHeader { api_key, api_version, correlation_id, ..RequestHeader::default() }
    }

    /// Appends the header.
    pub(super) fn write(&self, encoder: &mut Encoder) -> Result<(), EncodeError> {
        encoder.put(&self.api_key.code().to_be_bytes());
        encoder.put(&self.api_version.to_be_bytes());
        encoder.put(&self.correlation_id.to_be_bytes());
        let client_id = self.client_id.as_deref();
        let length = client_id.map_or(-1, |id| i16::try_from(id.len()).unwrap_or(i16::MIN));
        if length == i16::MIN {
            return Err(EncodeError::TooLong { message: "RequestHeader", field: "client_id" });
        }
        encoder.put(&length.to_be_bytes());
        encoder.put(client_id.unwrap_or_default().as_bytes());
        write_tags(encoder, "RequestHeader", &self.unknown_tags)
    }

    /// Reads the header at the start of `frame`, and says where the message behind it starts.
    pub(super) fn read(frame: &Bytes) -> Result<(RequestHeader, usize), DecodeError> {
        let mut start = Decoder::new(frame, 0, "RequestHeader", 0, false);
        start.enter("RequestHeader", "api_key");
        let code = i16::from_be_bytes(start.array()?);
        let api_key = ApiKey::from_code(code).ok_or(DecodeError::UnknownKey { key: code })?;
        start.enter("RequestHeader", "api_version");
        let api_version = i16::from_be_bytes(start.array()?);
        start.enter("RequestHeader", "correlation_id");
        let correlation_id = i32::from_be_bytes(start.array()?);
        start.enter("RequestHeader", "client_id");
        let client_id = <Option<String> as Wire>::decode(&mut start, Nulls::Allowed)?;
        // What follows in a version that we do not know is not ours to judge: the request is refused by its version.
        let known = api_key.implemented().is_some_and(|versions| versions.contains(api_version));
        let flexible = known && api_key.is_flexible(api_version);
        let mut rest = Decoder::new(frame, start.offset(), "RequestHeader", 2, flexible);
        let unknown_tags = read_tags(&mut rest, "RequestHeader")?;
        Ok((RequestHeader { api_key, api_version, correlation_id, client_id, unknown_tags }, rest.offset()))
    }
}

impl ResponseHeader {
    /// Appends the header; the encoder must be flexible exactly if the header of this API and version is.
    pub(super) fn write(&self, encoder: &mut Encoder, tags: HeaderTags) -> Result<(), EncodeError> {
        encoder.put(&self.correlation_id.to_be_bytes());
        match tags {
            HeaderTags::Present => write_tags(encoder, "ResponseHeader", &self.unknown_tags),
            HeaderTags::Absent => Ok(()),
        }
    }

    /// Reads the header at the start of `frame`, and says where the message behind it starts.
    pub(super) fn read(frame: &Bytes, tags: HeaderTags) -> Result<(ResponseHeader, usize), DecodeError> {
        let mut decoder = Decoder::new(frame, 0, "ResponseHeader", 1, tags == HeaderTags::Present);
        decoder.enter("ResponseHeader", "correlation_id");
        let correlation_id = i32::from_be_bytes(decoder.array()?);
        let unknown_tags = read_tags(&mut decoder, "ResponseHeader")?;
        Ok((ResponseHeader { correlation_id, unknown_tags }, decoder.offset()))
    }
}

/// Whether the response header of an API and version ends with tagged fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderTags {
    /// Response header version 1.
    Present,
    /// Response header version 0.
    Absent,
}

impl HeaderTags {
    /// The rule: flexible versions have them, ApiVersions never.
    #[must_use]
    pub fn of_response(api_key: ApiKey, api_version: i16) -> HeaderTags {
        match api_key != ApiKey::ApiVersions && api_key.is_flexible(api_version) {
            true => HeaderTags::Present,
            false => HeaderTags::Absent,
        }
    }
}

fn write_tags(encoder: &mut Encoder, message: &'static str, tags: &UnknownTags) -> Result<(), EncodeError> {
    encoder.put_tag_count(message, 0, tags)?;
    tags.iter().for_each(|(tag, bytes)| encoder.put_unknown(*tag, bytes));
    Ok(())
}

fn read_tags(decoder: &mut Decoder<'_>, message: &'static str) -> Result<UnknownTags, DecodeError> {
    decoder.enter(message, "tags");
    let mut unknown = UnknownTags::new();
    let mut tags = decoder.tags()?;
    while let Some((tag, size)) = decoder.next_tag(&mut tags)? {
        decoder.unknown(tag, size, &mut unknown)?;
    }
    Ok(unknown)
}

/// The header of a request, whether or not its version is one we can read.
pub fn peek_request_header(frame: &Bytes) -> Result<RequestHeader, DecodeError> {
    RequestHeader::read(frame).map(|(header, _)| header)
}

/// The correlation id of a response, if the frame is long enough to have one.
#[must_use]
pub fn peek_correlation_id(response: &[u8]) -> Option<i32> {
    response.first_chunk().map(|bytes| i32::from_be_bytes(*bytes))
}
