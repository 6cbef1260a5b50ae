"""What kafka-python can do with the broker: one line of output for each thing tried.

usage: kafka_python.py BOOTSTRAP [broker-stop | coordinator-stop | member GROUP TOPIC]
"""

import sys
import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.errors import (
    CoordinatorNotAvailableError, InvalidConfigurationError, InvalidTopicError, MessageSizeTooLargeError, TopicAlreadyExistsError,
)

from common import CODECS, GROUP_RECORDS, PARTITIONS, RECORDS, STOP_RECORDS, Journal, Sharing, duplicate_headers, key_of, time_of, value_of

bootstrap = sys.argv[1]
topic = "kafka-python"
journal = Journal(topic)
admin = KafkaAdminClient(bootstrap_servers=bootstrap)


def create_topic():
    admin.create_topics([NewTopic(topic, PARTITIONS, 3, topic_configs={"min.insync.replicas": "2"})])
    journal.eventually(lambda: len(described().get("partitions", [])) == PARTITIONS)


def described():
    return admin.describe_topics([topic])[0]


def produce():
    for codec in CODECS:
        producer = KafkaProducer(
            bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=5,
            compression_type=None if codec == "none" else codec,
        )
        headers = lambda n: [(name, value.encode()) for name, value in duplicate_headers(n)]
        sent = [(n, producer.send(topic, value_of(n), key_of(n), headers(n), timestamp_ms=time_of(n))) for n in journal.block(codec)]
        for n, future in sent:
            metadata = future.get(30)
            journal.note(n, metadata.partition, metadata.offset)
        producer.close()
    assert len(journal.noted) == RECORDS, len(journal.noted)


def reader(partitions=range(PARTITIONS)):
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, consumer_timeout_ms=20_000)
    consumer.assign([TopicPartition(topic, index) for index in partitions])
    return consumer


def consume():
    consumer = reader()
    consumer.seek_to_beginning()
    left = RECORDS
    for record in consumer:
        headers = [(name, value.decode()) for name, value in record.headers]
        journal.check(record.partition, record.offset, record.key, record.value, headers, record.timestamp)
        left -= 1
        if left == 0:
            break
    assert left == 0, f"{left} records did not come"
    consumer.close()
    journal.finish()


def ends():
    consumer = reader()
    found = consumer.end_offsets([TopicPartition(topic, index) for index in range(PARTITIONS)])
    assert {place.partition: end for place, end in found.items()} == {i: journal.end(i) for i in range(PARTITIONS)}, found
    consumer.close()


def seek_by_time():
    consumer = reader()
    middle = time_of(RECORDS // 2)
    found = consumer.offsets_for_times({TopicPartition(topic, index): middle for index in range(PARTITIONS)})
    for place, answer in found.items():
        first = journal.first_at(place.partition, middle)
        assert answer.offset == first, (place, answer, first)
        assert answer.timestamp == time_of(journal.noted[(place.partition, first)]), answer
    later = consumer.offsets_for_times({TopicPartition(topic, 0): time_of(RECORDS + 1)})
    assert later[TopicPartition(topic, 0)] is None, later
    consumer.close()


def configs(kind=ConfigResourceType.TOPIC, name=topic):
    told = admin.describe_configs([ConfigResource(kind, name)], include_synonyms=True, config_filter="all")
    return next(iter(told.values()))[name]


def describe_configs():
    own, usual = configs()["min.insync.replicas"], configs()["retention.ms"]
    assert (own["value"], own["config_source"]) == ("2", "DYNAMIC_TOPIC_CONFIG"), own
    assert (usual["value"], usual["config_source"]) == ("604800000", "DEFAULT_CONFIG"), usual
    assert [synonym["name"] for synonym in configs()["segment.bytes"]["synonyms"]] == ["log.segment.bytes"]
    assert configs(ConfigResourceType.BROKER, "1")["message.max.bytes"]["value"] == "1048588"


def alter_configs():
    def change(value):
        return admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": value})])

    change("3600000")
    journal.eventually(lambda: configs()["retention.ms"]["value"] == "3600000")
    try:
        told = change("soon")
        assert "Invalid value soon for configuration retention.ms" in str(told), told
    except InvalidConfigurationError as error:
        assert "retention.ms" in str(error), error


def too_large():
    admin.create_topics([NewTopic(f"{topic}-small", 1, 3, topic_configs={"max.message.bytes": "1000"})])
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    try:
        producer.send(f"{topic}-small", b"x" * 2000).get(30)
    except MessageSizeTooLargeError:
        pass
    else:
        raise AssertionError("a record larger than max.message.bytes was taken")
    finally:
        producer.close()


def create_partitions():
    admin.create_partitions({topic: NewPartitions(PARTITIONS + 2)})
    journal.eventually(lambda: len(described()["partitions"]) == PARTITIONS + 2)


def describe_cluster():
    cluster = admin.describe_cluster()
    assert len(cluster["brokers"]) == 3 and cluster["cluster_id"], cluster


def delete_records():
    told = admin.delete_records({TopicPartition(topic, 0): 10})
    assert "10" in str(told), told
    consumer = reader([0])
    assert consumer.beginning_offsets([TopicPartition(topic, 0)]) == {TopicPartition(topic, 0): 10}
    consumer.close()


def auto_create():
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    assert producer.send(f"{topic}-auto", b"first").get(30).offset == 0
    producer.close()


def refusals():
    for name, wanted in [("a/b", InvalidTopicError), (topic, TopicAlreadyExistsError)]:
        try:
            admin.create_topics([NewTopic(name, 1, 1)])
        except wanted:
            continue
        raise AssertionError(f"{name} was created")


def broker_stop():
    name = f"{topic}-stop"
    admin.create_topics([NewTopic(name, PARTITIONS, 3, topic_configs={"min.insync.replicas": "2"})])
    producer = KafkaProducer(bootstrap_servers=bootstrap.split(","), acks="all", enable_idempotence=True, linger_ms=5)
    sent, written, read = [], {}, {}
    for n in range(STOP_RECORDS):
        if n == STOP_RECORDS // 3:
            print("halfway", flush=True)
        sent.append((value_of(n), producer.send(name, value_of(n), key_of(n))))
        time.sleep(0.002)
    for value, future in sent:
        place = future.get(60)
        written[(place.partition, place.offset)] = value
    producer.close()
    consumer = KafkaConsumer(bootstrap_servers=bootstrap.split(","), enable_auto_commit=False, consumer_timeout_ms=30_000)
    consumer.assign([TopicPartition(name, index) for index in range(PARTITIONS)])
    consumer.seek_to_beginning()
    for record in consumer:
        read[(record.partition, record.offset)] = record.value
        if len(read) == STOP_RECORDS:
            break
    assert read == written, "what was acknowledged is not what is there"
    consumer.close()


def join(group, name):
    return KafkaConsumer(
        name, bootstrap_servers=bootstrap.split(","), group_id=group, auto_offset_reset="earliest", enable_auto_commit=False,
        session_timeout_ms=6000, heartbeat_interval_ms=500,
    )


def poll(member):
    return [(place.partition, record.offset, record.value) for place, records in member.poll(200).items() for record in records]


def write(name, values):
    producer = KafkaProducer(bootstrap_servers=bootstrap.split(","), acks="all", linger_ms=5)
    for sent in [producer.send(name, value, partition=n % PARTITIONS) for n, value in enumerate(values)]:
        sent.get(60)
    producer.close()


sharing = Sharing(
    __file__, join, poll, lambda member: [place.partition for place in member.assignment()], lambda member: member.commit(),
    lambda member: member.close(autocommit=False), write,
)


def groups():
    name = f"{topic}-shared"
    admin.create_topics([NewTopic(name, PARTITIONS, 3)])
    sharing.live(bootstrap, name)


def group_admin():
    group, name = f"{topic}-shared-group", f"{topic}-shared"
    assert group in str(admin.list_groups()), admin.list_groups()
    member = join(group, name)
    sharing.settle([member], {})
    assert "Stable" in str(admin.describe_groups([group])), admin.describe_groups([group])
    member.close(autocommit=False)
    offsets = admin.list_group_offsets([group])[group]
    assert sum(place.offset for place in offsets.values()) == GROUP_RECORDS + 100, offsets
    admin.delete_groups([group])
    assert group not in str(admin.list_groups()), admin.list_groups()


def coordinator_stop():
    name = f"{topic}-outlived"
    admin.create_topics([NewTopic(name, PARTITIONS, 3, topic_configs={"min.insync.replicas": "2"})])
    groups = (f"{name}-{n}" for n in range(50))
    sharing.outlive(name, next(group for group in groups if coordinator(group) == 1))


def coordinator(group):
    """Asked for the first time, the broker has to create the topic of the coordinators, and says so."""
    found = []

    def ask():
        try:
            found.append(admin._manager.run(admin._find_coordinator_id, group))
        except CoordinatorNotAvailableError:
            return False
        return True
    journal.eventually(ask)
    return found[0]


def delete_topic():
    admin.delete_topics([topic])
    journal.eventually(lambda: topic not in admin.list_topics())


if sys.argv[2:3] == ["member"]:
    sharing.be_member(*sys.argv[3:5])
journal.run({"broker-stop": [broker_stop], "coordinator-stop": [coordinator_stop]}.get(sys.argv[2]) if sys.argv[2:] else [
    create_topic, produce, consume, ends, seek_by_time, describe_configs, alter_configs, too_large, create_partitions,
    describe_cluster, delete_records, auto_create, refusals, groups, group_admin, delete_topic,
])
