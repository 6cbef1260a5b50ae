//! What the codec promises, fact by fact. Comparison with other implementations is in `tests/wire_*.rs`.

use super::schema::prelude::*;
use super::schema::structure;
use super::*;
use super::{fetch_response::*, produce_request::*};

structure! {
    /// A struct with everything that Kafka's own messages happen not to combine.
    Odd {
        /// Bytes within a tagged field.
        inner: OddInner [since(1).tag(5)],
        /// A tag above.
        late: i32 [always().tag(9)] = 7,
    }
}

structure! {
    /// A struct to be tagged.
    OddInner {
        /// Text before the bytes.
        before: String [always()],
        /// Bytes, a chunk of their own.
        bytes: Bytes [always()],
        /// Text after the bytes.
        after: String [always()],
    }
}

fn written(value: &impl Wire, version: i16) -> Result<Bytes, EncodeError> {
    let mut encoder = Encoder::new("Odd", version, true);
    value.encode(&mut encoder, Nulls::Forbidden)?;
    Ok(join(&encoder.finish()))
}

fn read(bytes: &Bytes, version: i16) -> Result<Odd, DecodeError> {
    let mut decoder = Decoder::new(bytes, 0, "Odd", version, true);
    let value = Odd::decode(&mut decoder, Nulls::Forbidden)?;
    decoder.finish()?;
    Ok(value)
}

fn produce(records: &[&'static [u8]]) -> ProduceRequest {
    let partition = |(index, records): (i32, &&'static [u8])| PartitionProduceData {
        index,
        records: Some(Bytes::from_static(records)),
        ..Default::default()
    };
    let partition_data = (0..).zip(records).map(partition).collect();
    let topic = TopicProduceData { name: "orders".into(), partition_data, ..Default::default() };
    ProduceRequest { acks: -1, topic_data: vec![topic], ..Default::default() }
}

#[test]
fn a_tagged_field_with_bytes_in_it_has_the_right_size() {
    let inner = OddInner {
        before: "a".into(),
        bytes: Bytes::from_static(&[1; 200]),
        after: "b".into(),
        unknown_tags: UnknownTags::new(),
    };
    let odd = Odd { inner, late: 1, unknown_tags: UnknownTags::new() };
    let bytes = written(&odd, 1).unwrap();
    assert_eq!(read(&bytes, 1), Ok(odd));
}

#[test]
fn unknown_tags_are_kept_between_the_known_ones() {
    let unknown = |tag: u32| (tag, Bytes::from(vec![tag as u8; 3]));
    let odd = Odd { late: 1, unknown_tags: [unknown(2), unknown(6), unknown(11)].into_iter().collect(), ..Default::default() };
    let bytes = written(&odd, 1).unwrap();
    assert_eq!(read(&bytes, 1), Ok(odd.clone()));
    let tags: Vec<u8> = bytes[1..].chunk_by(|_, next| ![2, 6, 9, 11].contains(next)).map(|chunk| chunk[0]).collect();
    assert_eq!((bytes[0], tags[0]), (4, 2), "four tags in rising order: {bytes:?}");
}

#[test]
fn a_tag_that_a_version_does_not_know_is_carried_but_cannot_clash() {
    let odd = Odd { inner: OddInner { before: "x".into(), ..Default::default() }, ..Default::default() };
    let seen_by_old = read(&written(&odd, 1).unwrap(), 0).unwrap();
    assert_eq!(seen_by_old.unknown_tags.len(), 1, "version 0 does not know tag 5");
    assert_eq!(read(&written(&seen_by_old, 0).unwrap(), 1), Ok(odd));
    let clash = Odd { inner: OddInner { before: "y".into(), ..Default::default() }, ..seen_by_old };
    assert_eq!(written(&clash, 1), Err(EncodeError::TagOrder { message: "Odd", field: "inner", tag: 5 }));
}

#[test]
fn tags_that_do_not_rise_are_refused() {
    let twice = Bytes::from_static(&[2, 9, 4, 0, 0, 0, 1, 9, 4, 0, 0, 0, 2]);
    assert!(matches!(read(&twice, 1), Err(DecodeError::TagOrder { tag: 9, .. })));
    let falling = Odd { unknown_tags: [(3, Bytes::new()), (2, Bytes::new())].into_iter().collect(), ..Default::default() };
    assert_eq!(written(&falling, 1), Err(EncodeError::TagOrder { message: "Odd", field: "unknown_tags", tag: 2 }));
}

#[test]
fn a_tagged_field_must_fill_its_size() {
    let short = Bytes::from_static(&[1, 9, 5, 0, 0, 0, 1, 0]);
    assert!(matches!(read(&short, 1), Err(DecodeError::Leftover { remaining: 1, .. })));
    let long = Bytes::from_static(&[1, 9, 3, 0, 0, 0, 1]);
    assert!(matches!(read(&long, 1), Err(DecodeError::Truncated { needed: 4, remaining: 3, .. })));
}

#[test]
fn records_are_chunks_of_their_own_and_slices_of_the_frame() {
    let request = produce(&[b"first batch", b"second batch"]);
    for version in [7, 9] {
        let chunks = encode_request(&RequestHeader::new(ApiKey::Produce, version, 1), &request.clone().into()).unwrap();
        let records: Vec<&Bytes> =
            request.topic_data[0].partition_data.iter().map(|partition| partition.records.as_ref().unwrap()).collect();
        assert_eq!(chunks[1].as_ptr(), records[0].as_ptr(), "not copied");
        assert_eq!(chunks[3].as_ptr(), records[1].as_ptr(), "not copied");
        assert!(chunks.iter().all(|chunk| !chunk.is_empty()));

        let frame = join(&chunks);
        let Ok((_, Request::Produce(again))) = decode_request(&frame) else { panic!("version {version} is read") };
        assert_eq!(again, request);
        let read = again.topic_data[0].partition_data[0].records.clone().unwrap();
        let at = chunks[0].len();
        assert_eq!(read.as_ptr(), frame[at..].as_ptr(), "not copied");
    }
}

#[test]
fn a_value_that_a_version_cannot_carry_is_refused() {
    let partition = PartitionData { preferred_read_replica: 2, ..Default::default() };
    let topic = FetchableTopicResponse { topic: "t".into(), partitions: vec![partition], ..Default::default() };
    let response = FetchResponse { responses: vec![topic], ..Default::default() };
    assert!(response.to_chunks(11).is_ok());
    let refusal = EncodeError::CannotCarry { message: "PartitionData", field: "preferred_read_replica", version: 10 };
    assert_eq!(response.to_chunks(10), Err(refusal));
}

#[test]
fn a_value_that_may_be_ignored_is_dropped() {
    let request = FetchRequest { rack_id: "a".into(), ..Default::default() };
    let bytes = join(&request.to_chunks(10).unwrap());
    assert_eq!(FetchRequest::from_bytes(10, &bytes), Ok(FetchRequest::default()));
}

#[test]
fn null_is_refused_where_the_version_does_not_know_it() {
    let all_topics = MetadataRequest { topics: None, ..Default::default() };
    assert!(all_topics.to_chunks(1).is_ok());
    assert_eq!(all_topics.to_chunks(0), Err(EncodeError::Null { message: "MetadataRequest", field: "topics", version: 0 }));
    let bytes = Bytes::from_static(&[0xff; 4]);
    assert!(matches!(MetadataRequest::from_bytes(0, &bytes), Err(DecodeError::Null { .. })));
}

#[test]
fn names_longer_than_their_length_field_are_refused_both_ways() {
    let name = "x".repeat(1 << 15);
    let topic = metadata_request::MetadataRequestTopic { name: Some(name.clone()), ..Default::default() };
    let request = MetadataRequest { topics: Some(vec![topic]), ..Default::default() };
    for version in [1, 9] {
        let too_long = EncodeError::TooLong { message: "MetadataRequestTopic", field: "name" };
        assert_eq!(request.to_chunks(version), Err(too_long));
    }
    let bytes = [&[2, 0x81, 0x80, 2], name.as_bytes(), &[0; 4]].concat().into();
    assert!(matches!(MetadataRequest::from_bytes(9, &bytes), Err(DecodeError::Malformed { .. })));
}

#[test]
fn an_error_names_the_field_and_the_byte() {
    let bytes = join(&produce(&[b"abc"]).to_chunks(7).unwrap());
    let error = ProduceRequest::from_bytes(7, &bytes.slice(..bytes.len() - 1)).unwrap_err();
    assert_eq!(error.to_string(), "PartitionProduceData.records at byte 32: 3 bytes needed, 2 left");
    let longer = [&bytes[..], b"!"].concat().into();
    let error = ProduceRequest::from_bytes(7, &longer).unwrap_err();
    assert_eq!(error.to_string(), "ProduceRequest.tags at byte 35: 1 bytes left over");
}

#[test]
fn an_unknown_version_of_api_versions_is_answered_in_version_0() {
    let frame = Bytes::from_static(&[0, 18, 0, 99, 0, 0, 0, 7, 0, 1, b'c', 1, 2, 3]);
    let Err(DecodeError::UnsupportedVersion { header }) = decode_request(&frame) else { panic!("version 99 is unknown") };
    assert_eq!((header.api_key, header.api_version, header.correlation_id), (ApiKey::ApiVersions, 99, 7));
    let answer = join(&unsupported_api_versions(7));
    assert_eq!(answer[..], [0, 0, 0, 7, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4]);
    let Ok((header, Response::ApiVersions(response))) = decode_response(ApiKey::ApiVersions, 4, &answer) else {
        panic!("a client that asked in version 4 reads the refusal")
    };
    assert_eq!((header.correlation_id, response.error_code), (7, 35));
}

#[test]
fn an_api_that_is_not_declared_is_named_all_the_same() {
    let frame = Bytes::from_static(&[0, 26, 0, 5, 0, 0, 0, 7, 0xff, 0xff]);
    let Err(DecodeError::UnsupportedVersion { header }) = decode_request(&frame) else { panic!("EndTxn is not declared") };
    assert_eq!((header.api_key, header.api_version), (ApiKey::EndTxn, 5));
    assert_eq!(peek_request_header(&frame), Ok(header));
    let unknown = Bytes::from_static(&[0x7f, 0, 0, 5, 0, 0, 0, 7, 0xff, 0xff]);
    assert_eq!(decode_request(&unknown), Err(DecodeError::UnknownKey { key: 0x7f00 }));
}

#[test]
fn brokers_advertise_produce_from_0_and_no_controller_apis() {
    let offered = api_versions(Listener::Broker);
    let produce = offered.iter().find(|api| api.api_key == 0).unwrap();
    assert_eq!((produce.min_version, produce.max_version), (0, 13));
    assert!(!offered.iter().any(|api| api.api_key == ApiKey::AlterPartition.code()));
    assert!(api_versions(Listener::Controller).iter().any(|api| api.api_key == ApiKey::AlterPartition.code()));
}

#[test]
fn controllers_advertise_nothing_of_groups() {
    let offered = api_versions(Listener::Controller);
    for key in [ApiKey::FindCoordinator, ApiKey::JoinGroup, ApiKey::OffsetCommit, ApiKey::ConsumerGroupHeartbeat] {
        assert!(key.implemented().is_some() && !offered.iter().any(|api| api.api_key == key.code()), "{key}");
    }
}

#[test]
fn requests_and_headers_of_different_apis_do_not_mix() {
    let header = RequestHeader::new(ApiKey::Fetch, 12, 1);
    let wrong = Err(EncodeError::WrongApi { api: ApiKey::Fetch });
    assert_eq!(encode_request(&header, &ProduceRequest::default().into()), wrong);
    assert_eq!(encode_response(ApiKey::Fetch, 12, 1, &ProduceResponse::default().into()), wrong);
    let missing = EncodeError::UnsupportedVersion { message: "FetchRequest", version: 3 };
    assert_eq!(FetchRequest::default().to_chunks(3), Err(missing));
}

/// Every struct reachable from `schema`.
fn structs(schema: &'static Schema, found: &mut Vec<&'static Schema>) {
    found.push(schema);
    for field in schema.fields {
        let mut kind = field.kind;
        while let Kind::Array(element) = kind {
            kind = *element;
        }
        if let Kind::Struct(inner) = kind {
            structs(inner, found);
        }
    }
}

#[test]
fn declared_tags_rise() {
    let mut found = Vec::new();
    for schema in [&ProduceResponse::SCHEMA, &FetchRequest::SCHEMA, &FetchResponse::SCHEMA, &ApiVersionsResponse::SCHEMA] {
        structs(schema, &mut found);
    }
    structs(&group::OffsetCommitValue::SCHEMA, &mut found);
    for schema in [&metadata::PartitionRecord::SCHEMA, &metadata::PartitionChangeRecord::SCHEMA] {
        structs(schema, &mut found);
    }
    for schema in found {
        let tags: Vec<u32> = schema.fields.iter().filter_map(|field| field.rule.tag).collect();
        assert!(tags.is_sorted_by(|a, b| a < b), "{}: {tags:?}", schema.name);
    }
}
