//! Asking a broker whether it takes part: it does when the metadata that it gives to clients names it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::types::{Address, BrokerId};
use crate::wire::frame::prefix;
use crate::wire::{ApiKey, MetadataRequest, Request, RequestHeader, Response, decode_response, encode_request, join};

/// The version of Metadata that is asked with: old enough for anybody.
const VERSION: i16 = 4;
/// Pause between two questions.
const PAUSE: Duration = Duration::from_millis(10);
/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Waits until the broker that listens there knows itself to be part of the cluster.
pub async fn takes_part(broker: BrokerId, at: &Address) {
    loop {
        if let Ok(Some(living)) = tokio::time::timeout(PATIENCE, living(at)).await
            && living.contains(&broker)
        {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The brokers that clients are told of; `None` if nobody answers.
async fn living(at: &Address) -> Option<Vec<BrokerId>> {
    let request = MetadataRequest { topics: Some(Vec::new()), allow_auto_topic_creation: false, ..MetadataRequest::default() };
    let header = RequestHeader::new(ApiKey::Metadata, VERSION, 1);
    let frame = join(&prefix(encode_request(&header, &Request::from(request)).ok()?));
    let mut stream = TcpStream::connect((&*at.host, at.port)).await.ok()?;
    stream.write_all(&frame).await.ok()?;
    let length = usize::try_from(stream.read_i32().await.ok()?).ok()?;
    let mut answer = BytesMut::zeroed(length.min(1 << 20));
    stream.read_exact(&mut answer).await.ok()?;
    let (_, response) = decode_response(ApiKey::Metadata, VERSION, &Bytes::from(answer)).ok()?;
    let Response::Metadata(response) = response else { return None };
    Some(response.brokers.iter().map(|broker| BrokerId(broker.node_id)).collect())
}
