//! One line to a broker for somebody who waits for each answer.
//!
//! First it is asked which versions the broker speaks, as every client asks (KIP-35): of each API the highest that both know is used. A broker
//! that cannot read our version of that very question says which it can read, and is asked again, each time in an older one.
//!
//! A line on which something went wrong is of no use any more: the answer to the question before may still come. So whoever [asks](Line::ask)
//! lends it, and gets it back only with an answer.

use std::collections::BTreeMap;
use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::types::Address;
use crate::wire::api_versions_response::ApiVersionsResponse;
use crate::wire::frame::{FrameError, Framer, prefix};
use crate::wire::{
    ApiKey, ApiVersionsRequest, DecodeError, EncodeError, ErrorCode, Request, RequestHeader, Response, decode_response,
    encode_request, join,
};

/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 100 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    /// The connection did not come about, or ended.
    #[error(transparent)]
    Connection(#[from] io::Error),
    /// What came is no stream of frames.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// What came is no answer to what was asked.
    #[error(transparent)]
    Answer(#[from] DecodeError),
    /// What came answers something else.
    #[error("it answered request {found} instead of {expected}")]
    OutOfOrder {
        /// In the answer.
        found: i32,
        /// In the request.
        expected: i32,
    },
    /// It did not even tell its versions.
    #[error("it does not tell which versions it speaks: {0}")]
    Versions(ErrorCode),
}

/// A connection to a broker whose versions are known.
#[derive(Debug)]
pub(super) struct Line {
    stream: TcpStream,
    framer: Framer,
    client_id: String,
    correlation: i32,
    versions: BTreeMap<ApiKey, i16>,
}

impl Line {
    /// Connects and learns the versions.
    pub(super) async fn open(to: &Address, client_id: &str) -> Result<Line, LineError> {
        let stream = TcpStream::connect((&*to.host, to.port)).await?;
        stream.set_nodelay(true)?;
        let framer = Framer::new(ANSWER_BYTES_MAX);
        let mut line = Line { stream, framer, client_id: client_id.to_owned(), correlation: 0, versions: BTreeMap::new() };
        line.learn_versions().await?;
        Ok(line)
    }

    /// The version agreed on; `None` if the broker does not serve this API, or only in versions that we do not know.
    pub(super) fn version(&self, api: ApiKey) -> Option<i16> {
        self.versions.get(&api).copied()
    }

    /// Asks, and gives the line back with the answer.
    pub(super) async fn ask(mut self, frame: AskedFrame) -> Result<(Line, Response), LineError> {
        let response = self.exchange(frame).await?;
        Ok((self, response))
    }

    /// The bytes of a request that this line is to be asked.
    pub(super) fn frame(&mut self, request: &Request, version: i16) -> Result<AskedFrame, EncodeError> {
        self.correlation = self.correlation.wrapping_add(1);
        let (api, correlation, client_id) = (request.api_key(), self.correlation, Some(self.client_id.clone()));
        let header = RequestHeader { client_id, ..RequestHeader::new(api, version, correlation) };
        let bytes = join(&prefix(encode_request(&header, request)?));
        Ok(AskedFrame { bytes, api, version, correlation })
    }

    async fn exchange(&mut self, asked: AskedFrame) -> Result<Response, LineError> {
        self.stream.write_all(&asked.bytes).await?;
        let frame = loop {
            if let Some(frame) = self.framer.next_frame()? {
                break frame;
            }
            let mut piece = BytesMut::with_capacity(64 << 10);
            if self.stream.read_buf(&mut piece).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            self.framer.feed(piece.freeze());
        };
        let (header, response) = decode_response(asked.api, asked.version, &frame)?;
        if header.correlation_id != asked.correlation {
            return Err(LineError::OutOfOrder { found: header.correlation_id, expected: asked.correlation });
        }
        Ok(response)
    }

    async fn learn_versions(&mut self) -> Result<(), LineError> {
        let request = Request::ApiVersions(ApiVersionsRequest {
            client_software_name: env!("CARGO_PKG_NAME").to_owned(),
            client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
            ..ApiVersionsRequest::default()
        });
        let mut version = ApiKey::ApiVersions.implemented().expect("clients speak it").max;
        loop {
            let asked = self.frame(&request, version).expect("every version carries both names");
            let Response::ApiVersions(response) = self.exchange(asked).await? else {
                unreachable!("an answer is decoded as what was asked")
            };
            match ErrorCode(response.error_code) {
                ErrorCode::NONE => {
                    self.versions = common(&response);
                    return Ok(());
                }
                ErrorCode::UNSUPPORTED_VERSION if version > 0 => {
                    let theirs = response.api_keys.iter().find(|range| range.api_key == ApiKey::ApiVersions.code());
                    version = theirs.map_or(0, |range| range.max_version).clamp(0, version - 1);
                }
                error => return Err(LineError::Versions(error)),
            }
        }
    }
}

/// A request as bytes, and what its answer is read with.
pub(super) struct AskedFrame {
    bytes: bytes::Bytes,
    api: ApiKey,
    version: i16,
    correlation: i32,
}

/// Of each API the highest version that both know.
fn common(response: &ApiVersionsResponse) -> BTreeMap<ApiKey, i16> {
    let versions = response.api_keys.iter().filter_map(|theirs| {
        let api = ApiKey::from_code(theirs.api_key)?;
        let ours = api.implemented()?;
        let version = ours.max.min(theirs.max_version);
        (version >= ours.min.max(theirs.min_version)).then_some((api, version))
    });
    versions.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::api_versions_response::ApiVersion;

    #[test]
    fn the_highest_common_version_is_used_if_there_is_one() {
        let range = |api: ApiKey, min_version, max_version| ApiVersion {
            api_key: api.code(),
            min_version,
            max_version,
            ..ApiVersion::default()
        };
        let ours = ApiKey::ListGroups.implemented().expect("it is declared");
        let api_keys = vec![
            range(ApiKey::ListGroups, 0, 3),
            range(ApiKey::DescribeGroups, 0, 99),
            range(ApiKey::DeleteGroups, 90, 99),
            range(ApiKey::Vote, 0, 1),
        ];
        let versions = common(&ApiVersionsResponse { api_keys, ..ApiVersionsResponse::default() });
        let newest = ApiKey::DescribeGroups.implemented().map(|versions| versions.max);
        assert!(ours.max > 3);
        assert_eq!(versions.get(&ApiKey::ListGroups), Some(&3));
        assert_eq!(versions.get(&ApiKey::DescribeGroups).copied(), newest);
        assert_eq!(versions.len(), 2, "{versions:?}");
    }
}
