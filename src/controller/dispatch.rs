//! Which request is for which handler, and what is inside an envelope.
//!
//! A client's admin request comes to the controller through a broker, wrapped as it was: header and body in an Envelope, and the answer
//! goes back the same way (KIP-590). The envelope itself only fails if what is in it cannot be read or is nothing that may be
//! forwarded; the refusals of the inner request are inside.

use bytes::Bytes;

use super::state::Controller;
use crate::types::{BrokerId, Time};
use crate::wire::api_versions_response::ApiVersionsResponse;
use crate::wire::envelope_response::EnvelopeResponse;
use crate::wire::fetch_request::FetchRequest;
use crate::wire::{DecodeError, ErrorCode, Listener, Request, Response, api_versions, decode_request, encode_response, join};

/// What becomes of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Handled {
    /// An answer that rests on the state: it leaves when that is committed.
    Deferred(Response),
    /// An answer that rests on the records about one broker: it leaves when these are committed.
    AboutBroker(BrokerId, Response),
    /// An answer that rests on nothing.
    AtOnce(Response),
    /// A broker reads the metadata log.
    Fetch(FetchRequest),
    /// Nothing that a controller serves.
    NotServed,
}

/// Lets the controller handle a request.
pub fn handle(controller: &mut Controller, now: Time, request: Request) -> Handled {
    Handled::Deferred(match request {
        Request::ApiVersions(_) => {
            let api_keys = api_versions(Listener::Controller);
            return Handled::AtOnce(ApiVersionsResponse { api_keys, ..ApiVersionsResponse::default() }.into());
        }
        Request::Fetch(request) => return Handled::Fetch(request),
        Request::BrokerRegistration(request) => controller.on_register(now, &request).into(),
        Request::BrokerHeartbeat(request) => {
            let response = controller.on_heartbeat(now, &request);
            return Handled::AboutBroker(BrokerId(request.broker_id), response.into());
        }
        Request::AlterPartition(request) => controller.on_alter_partition(&request).into(),
        Request::AllocateProducerIds(request) => controller.on_allocate_producer_ids(&request).into(),
        Request::CreateTopics(request) => controller.on_create_topics(&request).into(),
        Request::DeleteTopics(request) => controller.on_delete_topics(&request).into(),
        Request::ElectLeaders(request) => controller.on_elect_leaders(&request).into(),
        Request::DescribeQuorum(request) => controller.on_describe_quorum(&request).into(),
        Request::CreatePartitions(request) => controller.on_create_partitions(&request).into(),
        Request::AlterConfigs(request) => controller.on_alter_configs(&request).into(),
        Request::IncrementalAlterConfigs(request) => controller.on_incremental_alter_configs(&request).into(),
        Request::Envelope(request) => unwrap(controller, &request.request_data).into(),
        Request::Produce(_)
        | Request::ListOffsets(_)
        | Request::Metadata(_)
        | Request::DeleteRecords(_)
        | Request::InitProducerId(_)
        | Request::OffsetForLeaderEpoch(_)
        | Request::DescribeConfigs(_)
        | Request::DescribeLogDirs(_)
        | Request::DescribeCluster(_)
        | Request::DescribeTopicPartitions(_)
        | Request::ListConfigResources(_)
        | Request::ListPartitionReassignments(_)
        | Request::AlterReplicaLogDirs(_)
        | Request::FindCoordinator(_)
        | Request::JoinGroup(_)
        | Request::SyncGroup(_)
        | Request::Heartbeat(_)
        | Request::LeaveGroup(_)
        | Request::OffsetCommit(_)
        | Request::OffsetFetch(_)
        | Request::OffsetDelete(_)
        | Request::ListGroups(_)
        | Request::DescribeGroups(_)
        | Request::DeleteGroups(_)
        | Request::ConsumerGroupHeartbeat(_)
        | Request::ConsumerGroupDescribe(_) => return Handled::NotServed,
    })
}

fn unwrap(controller: &mut Controller, frame: &Bytes) -> EnvelopeResponse {
    let refused = |error: ErrorCode| EnvelopeResponse { error_code: error.code(), ..EnvelopeResponse::default() };
    let (header, request) = match decode_request(frame) {
        Ok(decoded) => decoded,
        Err(DecodeError::UnsupportedVersion { .. }) => return refused(ErrorCode::UNSUPPORTED_VERSION),
        Err(_) => return refused(ErrorCode::INVALID_REQUEST),
    };
    #[allow(clippy::wildcard_enum_match_arm)]
    let response: Response = match request {
        Request::CreateTopics(request) => controller.on_create_topics(&request).into(),
        Request::DeleteTopics(request) => controller.on_delete_topics(&request).into(),
        Request::ElectLeaders(request) => controller.on_elect_leaders(&request).into(),
        Request::DescribeQuorum(request) => controller.on_describe_quorum(&request).into(),
        Request::CreatePartitions(request) => controller.on_create_partitions(&request).into(),
        Request::AlterConfigs(request) => controller.on_alter_configs(&request).into(),
        Request::IncrementalAlterConfigs(request) => controller.on_incremental_alter_configs(&request).into(),
        _ => return refused(ErrorCode::INVALID_REQUEST),
    };
    match encode_response(header.api_key, header.api_version, header.correlation_id, &response) {
        Ok(chunks) => EnvelopeResponse { response_data: Some(join(&chunks)), ..EnvelopeResponse::default() },
        Err(_) => refused(ErrorCode::UNKNOWN_SERVER_ERROR),
    }
}
