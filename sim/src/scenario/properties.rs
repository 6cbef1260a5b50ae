//! Kafka's property names that the laboratory knows, and the values that they take.
//!
//! A property that nobody reads would be worse than an error: the student believes to have configured something.

/// A property of Kafka.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    /// Kafka's own name.
    pub name: &'static str,
    /// What it may be.
    pub form: Form,
    /// One line.
    pub about: &'static str,
}

/// What a property may be.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// A whole number between two bounds.
    Number(i64, i64),
    /// `true` or `false`.
    Flag,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

const fn number(name: &'static str, low: i64, high: i64, about: &'static str) -> Property {
    Property { name, form: Form::Number(low, high), about }
}

const fn flag(name: &'static str, about: &'static str) -> Property {
    Property { name, form: Form::Flag, about }
}

const fn words(name: &'static str, words: &'static [&'static str], about: &'static str) -> Property {
    Property { name, form: Form::OneOf(words), about }
}

const DAY_MS: i64 = 86_400_000;
const ANY: i64 = i64::MAX;

/// Of a topic.
pub const TOPIC: &[Property] = &[
    number("min.insync.replicas", 1, 100, "acks=all needs at least so many replicas in the ISR"),
    flag("unclean.leader.election.enable", "a replica outside the ISR may lead when nothing else is left: loses records"),
    number("flush.messages", 1, ANY, "records between two flushes; 1: what is acknowledged is on the medium"),
    number("flush.ms", 1, ANY, "longest time until a record is flushed"),
    number("segment.bytes", 1024, 1 << 30, "size at which a new segment is begun"),
    number("segment.ms", 1, ANY, "age at which a new segment is begun"),
    number("index.interval.bytes", 1, 1 << 30, "bytes between two entries of the offset index"),
    number("retention.bytes", -1, ANY, "size beyond which old segments are deleted; -1: none"),
    number("retention.ms", -1, ANY, "age beyond which old segments are deleted; -1: none"),
    number("max.message.bytes", 0, 1 << 30, "largest record batch"),
    words("cleanup.policy", &["delete", "compact"], "what becomes of old segments"),
    words("message.timestamp.type", &["CreateTime", "LogAppendTime"], "who stamps the time"),
    words("compression.type", &["producer", "uncompressed"], "compression on the broker"),
];

/// Of brokers and controllers.
pub const CLUSTER: &[Property] = &[
    number("replica.lag.time.max.ms", 1, DAY_MS, "a follower that has not caught up for so long leaves the ISR"),
    number("replica.fetch.wait.max.ms", 0, DAY_MS, "longest wait of a follower's fetch"),
    number("replica.fetch.min.bytes", 0, 1 << 30, "a follower's fetch waits for so much"),
    number("replica.fetch.max.bytes", 1, 1 << 30, "most bytes per partition in a follower's fetch"),
    number("replica.fetch.response.max.bytes", 1, 1 << 30, "most bytes in a follower's fetch"),
    number("replica.fetch.backoff.ms", 0, DAY_MS, "pause after a failed fetch"),
    number("replica.socket.timeout.ms", 1, DAY_MS, "a follower gives up on a silent leader after so long"),
    number("replica.high.watermark.checkpoint.interval.ms", 1, DAY_MS, "time between two checkpoints of the high watermark"),
    number("broker.session.timeout.ms", 1, DAY_MS, "a broker silent for so long is fenced"),
    number("broker.heartbeat.interval.ms", 1, DAY_MS, "time between two heartbeats"),
    number("controller.socket.timeout.ms", 1, DAY_MS, "a broker gives up on a silent controller after so long"),
    number("log.flush.offset.checkpoint.interval.ms", 1, DAY_MS, "time between two checkpoints of the recovery point"),
    number("log.flush.scheduler.interval.ms", 1, ANY, "time between two looks for logs to flush"),
    number("log.retention.check.interval.ms", 1, DAY_MS, "time between two looks for segments to delete"),
    number("log.segment.bytes", 1024, 1 << 30, "default of segment.bytes"),
    number("min.insync.replicas", 1, 100, "default for topics"),
    flag("unclean.leader.election.enable", "default for topics"),
    number("default.replication.factor", 1, 100, "replicas of a topic that does not say"),
    number("num.partitions", 1, 64, "partitions of a topic that does not say"),
    flag("auto.leader.rebalance.enable", "give partitions back to their preferred leader"),
    flag("auto.create.topics.enable", "create topics on first use"),
    flag("eligible.leader.replicas.enable", "KIP-966"),
    number("leader.imbalance.check.interval.seconds", 1, 86_400, "time between two looks for imbalance"),
    number("request.timeout.ms", 1, DAY_MS, "longest wait of a request between brokers"),
    number("controlled.shutdown.max.retries", 0, 100, "attempts to hand over the leaders"),
    number("metadata.max.idle.interval.ms", 0, DAY_MS, "time between two no-op records"),
    number("fetch.purgatory.purge.interval.requests", 1, ANY, "housekeeping"),
];

/// Of a producer.
pub const PRODUCER: &[Property] = &[
    words("acks", &["all", "-1", "0", "1"], "whose append is waited for"),
    flag("enable.idempotence", "each record once, in order, in spite of retries"),
    number("max.in.flight.requests.per.connection", 1, 100, "requests sent before the first is answered"),
    number("linger.ms", 0, DAY_MS, "wait for more records to send together"),
    number("batch.size", 0, 1 << 24, "largest batch in bytes"),
    number("buffer.memory", 1, ANY, "bytes of records that wait to be sent"),
    number("delivery.timeout.ms", 1, DAY_MS, "a record is given up after so long"),
    number("request.timeout.ms", 1, DAY_MS, "a request is given up after so long"),
    number("retries", 0, i32::MAX as i64, "attempts after the first"),
    number("retry.backoff.ms", 0, DAY_MS, "pause before a retry"),
    number("retry.backoff.max.ms", 0, DAY_MS, "longest pause before a retry"),
    number("reconnect.backoff.ms", 0, DAY_MS, "pause before connecting again"),
    number("reconnect.backoff.max.ms", 0, DAY_MS, "longest pause before connecting again"),
    number("max.block.ms", 0, DAY_MS, "longest wait for metadata or room"),
    number("max.request.size", 1, 1 << 30, "largest request"),
    number("metadata.max.age.ms", 1, DAY_MS, "metadata is asked for again after so long"),
    number("socket.connection.setup.timeout.ms", 1, DAY_MS, "a connection attempt is given up after so long"),
    flag("partitioner.ignore.keys", "keys do not choose the partition"),
    words("compression.type", &["none"], "compression of batches"),
];

/// Of a consumer.
pub const CONSUMER: &[Property] = &[
    words("auto.offset.reset", &["earliest", "latest", "none"], "where to go on when the position is gone"),
    words("isolation.level", &["read_uncommitted", "read_committed"], "whether records of open transactions are shown"),
    number("fetch.max.wait.ms", 0, DAY_MS, "longest wait of a fetch"),
    number("fetch.min.bytes", 0, 1 << 30, "a fetch waits for so much"),
    number("fetch.max.bytes", 1, 1 << 30, "most bytes in a fetch"),
    number("max.partition.fetch.bytes", 1, 1 << 30, "most bytes per partition in a fetch"),
    number("max.poll.records", 1, 1 << 20, "most records in a poll"),
    number("request.timeout.ms", 1, DAY_MS, "a request is given up after so long"),
    number("retry.backoff.ms", 0, DAY_MS, "pause before a retry"),
    number("retry.backoff.max.ms", 0, DAY_MS, "longest pause before a retry"),
    number("reconnect.backoff.ms", 0, DAY_MS, "pause before connecting again"),
    number("reconnect.backoff.max.ms", 0, DAY_MS, "longest pause before connecting again"),
    number("metadata.max.age.ms", 1, DAY_MS, "metadata is asked for again after so long"),
    number("default.api.timeout.ms", 1, DAY_MS, "a call is given up after so long"),
    number("socket.connection.setup.timeout.ms", 1, DAY_MS, "a connection attempt is given up after so long"),
    flag("check.crcs", "verify checksums"),
];

impl Form {
    /// Whether the property may have this value.
    #[must_use]
    pub fn allows(self, value: &str) -> bool {
        match self {
            Form::Number(low, high) => value.parse::<i64>().is_ok_and(|n| (low..=high).contains(&n)),
            Form::Flag => value == "true" || value == "false",
            Form::OneOf(words) => words.contains(&value),
        }
    }

    /// What is allowed, in words.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Form::Number(low, i64::MAX) => format!("a whole number from {low}"),
            Form::Number(low, high) => format!("a whole number from {low} to {high}"),
            Form::Flag => "true or false".into(),
            Form::OneOf(words) => words.join(" or "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_property_is_listed_twice() {
        for list in [TOPIC, CLUSTER, PRODUCER, CONSUMER] {
            let mut names: Vec<_> = list.iter().map(|property| property.name).collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        }
    }

    #[test]
    fn values_are_checked() {
        let allows = |list: &[Property], name, value| list.iter().any(|p| p.name == name && p.form.allows(value));
        assert!(allows(PRODUCER, "acks", "all") && !allows(PRODUCER, "acks", "most"));
        assert!(allows(TOPIC, "min.insync.replicas", "2") && !allows(TOPIC, "min.insync.replicas", "0"));
        assert!(!allows(TOPIC, "unclean.leader.election.enable", "yes"));
    }
}
