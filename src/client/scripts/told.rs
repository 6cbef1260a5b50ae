//! How scripts print what clients send and say.

use bytes::Bytes;

use crate::operation::{Completion, Outcome};
use crate::wire::ErrorCode;
use crate::wire::record::batches;

/// The batches a producer sends.
pub(super) fn tell_records(records: Option<&Bytes>) -> String {
    let mut parts = Vec::new();
    for batch in records.iter().flat_map(|bytes| batches(bytes)) {
        let batch = batch.expect("producers send batches");
        batch.verify_crc().expect("with the right checksum");
        let header = batch.header;
        if header.has_producer() {
            parts.push(format!("pid={}/{} seq={}", header.producer_id, header.producer_epoch, header.base_sequence));
        }
        let records = batch.records().expect("not compressed");
        let values = records.map(|record| record.expect("well formed").value.expect("with a value"));
        parts.push(format!("[{}]", values.map(|v| String::from_utf8_lossy(&v).into_owned()).collect::<Vec<_>>().join(" ")));
    }
    parts.join(" ")
}

/// How a command ended.
pub(super) fn tell(completion: &Completion) -> String {
    match &completion.outcome {
        Outcome::Produced { partition, offset } => match offset {
            Some(offset) => format!("written {partition}@{offset}"),
            None => format!("written {partition}@?"),
        },
        Outcome::Assigned => "assigned".to_owned(),
        Outcome::Subscribed => "subscribed".to_owned(),
        Outcome::Unsubscribed => "unsubscribed".to_owned(),
        Outcome::Committed { offsets } => {
            let told: Vec<String> = offsets.iter().map(|o| format!("{}@{}/{}", o.partition, o.offset, o.leader_epoch)).collect();
            format!("committed [{}]", told.join(" "))
        }
        Outcome::Polled { records } => {
            let value = |value: &Option<Bytes>| String::from_utf8_lossy(value.as_deref().unwrap_or_default()).into_owned();
            let records: Vec<String> =
                records.iter().map(|r| format!("{}@{}={}", r.partition, r.offset, value(&r.value))).collect();
            format!("polled [{}]", records.join(" "))
        }
        Outcome::Offset { partition, offset } => format!("offset {partition}@{offset}"),
        Outcome::TopicCreated { topic } => format!("created id={}", topic.0),
        Outcome::TopicDeleted => "deleted".to_owned(),
        Outcome::TopicDescribed { topic, partitions } => {
            let leaders: Vec<String> = partitions.iter().map(|p| format!("b{}/{}", p.leader, p.leader_epoch)).collect();
            format!("described id={} leaders={}", topic.0, leaders.join(","))
        }
        Outcome::RecordsDeleted { low_watermark } => format!("records deleted below {low_watermark}"),
        Outcome::LeadersElected { partitions } => {
            let told: Vec<String> = partitions.iter().map(|(p, code)| format!("{p} {}", ErrorCode(*code))).collect();
            format!("elected [{}]", told.join(", "))
        }
        Outcome::Stopped => "stopped".to_owned(),
        Outcome::Failed { code, certainty } => format!("failed {} {certainty:?}", ErrorCode(*code)),
    }
}
