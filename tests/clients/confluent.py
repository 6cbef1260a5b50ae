"""What confluent-kafka (librdkafka) can do with the broker: one line of output for each thing tried.

usage: confluent.py BOOTSTRAP [broker-stop | coordinator-stop | newer-coordinator-stop | member GROUP TOPIC | newer-member GROUP TOPIC]
"""

import sys

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ConfigEntry, AlterConfigOpType, NewPartitions, NewTopic, OffsetSpec
from confluent_kafka import KafkaException, ConsumerGroupTopicPartitions  # noqa: F401

from common import CODECS, GROUP_RECORDS, PARTITIONS, RECORDS, STOP_RECORDS, Journal, Sharing, duplicate_headers, key_of, time_of, value_of

bootstrap = sys.argv[1]
topic = "confluent"
journal = Journal(topic)
admin = AdminClient({"bootstrap.servers": bootstrap})


def done(futures):
    return [future.result(30) for future in futures.values()]


def create_topic():
    done(admin.create_topics([NewTopic(topic, PARTITIONS, 3, config={"min.insync.replicas": "2"})]))
    described = admin.list_topics(topic, timeout=10).topics[topic]
    assert len(described.partitions) == PARTITIONS, described.partitions


def produce():
    for codec in CODECS:
        producer = Producer({
            "bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True, "compression.type": codec, "linger.ms": 5,
        })
        for n in journal.block(codec):
            def noted(error, message, n=n):
                assert error is None, error
                journal.note(n, message.partition(), message.offset())
            producer.produce(topic, value_of(n), key_of(n), headers=duplicate_headers(n), timestamp=time_of(n), on_delivery=noted)
            producer.poll(0)
        assert producer.flush(30) == 0, "not everything was acknowledged"
    assert len(journal.noted) == RECORDS, len(journal.noted)


def consumer():
    return Consumer({"bootstrap.servers": bootstrap, "group.id": "unused", "enable.auto.commit": False})


def consume():
    reader = consumer()
    reader.assign([TopicPartition(topic, index, 0) for index in range(PARTITIONS)])
    left = RECORDS
    while left > 0:
        messages = reader.consume(500, 30)
        assert messages, f"{left} records did not come"
        for message in messages:
            assert message.error() is None, message.error()
            headers = [(name, value.decode()) for name, value in message.headers()]
            journal.check(message.partition(), message.offset(), message.key(), message.value(), headers, message.timestamp()[1])
            left -= 1
    reader.close()
    journal.finish()


def ends():
    reader = consumer()
    for index in range(PARTITIONS):
        assert reader.get_watermark_offsets(TopicPartition(topic, index), timeout=10) == (0, journal.end(index))
    reader.close()


def seek_by_time():
    reader = consumer()
    middle = time_of(RECORDS // 2)
    asked = [TopicPartition(topic, index, middle) for index in range(PARTITIONS)]
    for found in reader.offsets_for_times(asked, timeout=10):
        assert found.error is None, found.error
        assert found.offset == journal.first_at(found.partition, middle), found
    later = reader.offsets_for_times([TopicPartition(topic, 0, time_of(RECORDS + 1))], timeout=10)
    assert later[0].offset == -1, later
    reader.close()


def describe_configs():
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    entries = done(admin.describe_configs([resource]))[0]
    assert entries["min.insync.replicas"].value == "2" and not entries["min.insync.replicas"].is_default
    assert entries["retention.ms"].value == "604800000" and entries["retention.ms"].is_default
    broker = done(admin.describe_configs([ConfigResource(ConfigResource.Type.BROKER, "1")]))[0]
    assert broker["message.max.bytes"].value == "1048588", broker["message.max.bytes"]


def alter_configs():
    entry = ConfigEntry("retention.ms", "3600000", incremental_operation=AlterConfigOpType.SET)
    done(admin.incremental_alter_configs([ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])]))
    journal.eventually(lambda: done(admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic)]))[0]["retention.ms"].value == "3600000")
    wrong = ConfigEntry("retention.ms", "soon", incremental_operation=AlterConfigOpType.SET)
    try:
        done(admin.incremental_alter_configs([ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[wrong])]))
    except KafkaException as error:
        assert error.args[0].name() == "INVALID_CONFIG" and "retention.ms" in error.args[0].str(), error
    else:
        raise AssertionError("a wrong value was taken")


def too_large():
    done(admin.create_topics([NewTopic(f"{topic}-small", 1, 3, config={"max.message.bytes": "1000"})]))
    told = []
    producer = Producer({"bootstrap.servers": bootstrap})
    producer.produce(f"{topic}-small", b"x" * 2000, on_delivery=lambda error, _: told.append(error))
    producer.flush(30)
    assert told and told[0] is not None and told[0].name() == "MSG_SIZE_TOO_LARGE", told


def create_partitions():
    done(admin.create_partitions([NewPartitions(topic, PARTITIONS + 2)]))
    journal.eventually(lambda: len(admin.list_topics(topic, timeout=10).topics[topic].partitions) == PARTITIONS + 2)


def describe_cluster():
    cluster = admin.describe_cluster().result(30)
    assert len(cluster.nodes) == 3 and cluster.cluster_id, cluster
    described = done(admin.describe_topics(__import__("confluent_kafka").TopicCollection([topic])))[0]
    assert described.topic_id is not None and len(described.partitions[0].isr) == 3


def delete_records():
    deleted = done(admin.delete_records([TopicPartition(topic, 0, 10)]))[0]
    assert deleted.low_watermark == 10, deleted
    listed = done(admin.list_offsets({TopicPartition(topic, 0): OffsetSpec.earliest()}))[0]
    assert listed.offset == 10, listed


def auto_create():
    producer = Producer({"bootstrap.servers": bootstrap})
    producer.produce(f"{topic}-auto", b"first")
    assert producer.flush(30) == 0


def refusals():
    for name, partitions, wanted in [("a/b", 1, "TOPIC_EXCEPTION"), (topic, 1, "TOPIC_ALREADY_EXISTS")]:
        try:
            done(admin.create_topics([NewTopic(name, partitions, 1)]))
        except KafkaException as error:
            assert error.args[0].name() == wanted, error
        else:
            raise AssertionError(f"{name} was created")


def broker_stop():
    name = f"{topic}-stop"
    done(admin.create_topics([NewTopic(name, PARTITIONS, 3, config={"min.insync.replicas": "2"})]))
    written, read = {}, {}
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True, "linger.ms": 5})

    def noted(error, message):
        assert error is None, error
        written[(message.partition(), message.offset())] = message.value()
    for n in range(STOP_RECORDS):
        if n == STOP_RECORDS // 3:
            print("halfway", flush=True)
        producer.produce(name, value_of(n), key_of(n), on_delivery=noted)
        producer.poll(0.002)
    assert producer.flush(60) == 0, "not everything was acknowledged"
    reader = consumer()
    reader.assign([TopicPartition(name, index, 0) for index in range(PARTITIONS)])
    while len(read) < STOP_RECORDS:
        messages = reader.consume(500, 30)
        assert messages, f"{STOP_RECORDS - len(read)} records did not come"
        read.update({(message.partition(), message.offset()): message.value() for message in messages if message.error() is None})
    assert read == written, "what was acknowledged is not what is there"
    reader.close()


CLASSIC = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 500}
# The broker says how long a session is.
NEWER = {"group.protocol": "consumer"}


def joining(protocol):
    def join(group, name):
        member = Consumer({
            "bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False, **protocol,
        })
        member.subscribe([name])
        return member
    return join


def poll(member):
    messages = member.consume(200, 0.2)
    assert all(message.error() is None for message in messages), [message.error() for message in messages]
    return [(message.partition(), message.offset(), message.value()) for message in messages]


def commit(member):
    places = [place for place in member.position(member.assignment()) if place.offset >= 0]
    for place in member.commit(offsets=places, asynchronous=False) if places else []:
        assert place.error is None, place.error


def write(name, values):
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 5})
    for n, value in enumerate(values):
        producer.produce(name, value, partition=n % PARTITIONS)
    assert producer.flush(60) == 0, "not everything was acknowledged"


def owned(member):
    return [place.partition for place in member.assignment()]


def leave(member):
    member.close()


sharing = Sharing(__file__, joining(CLASSIC), poll, owned, commit, leave, write)
newer = Sharing(__file__, joining(NEWER), poll, owned, commit, leave, write, "newer-member")


def groups():
    name = f"{topic}-shared"
    done(admin.create_topics([NewTopic(name, PARTITIONS, 3)]))
    sharing.live(bootstrap, name)


def newer_groups():
    name = f"{topic}-newer"
    done(admin.create_topics([NewTopic(name, PARTITIONS, 3)]))
    newer.live(bootstrap, name)


def group_admin():
    group, name = f"{topic}-shared-group", f"{topic}-shared"
    listed = admin.list_consumer_groups().result(30)
    assert not listed.errors and group in [told.group_id for told in listed.valid], listed.valid
    told = done(admin.describe_consumer_groups([group]))[0]
    assert told.state.name == "EMPTY" and not told.members, told.state
    member = sharing.join(group, name)
    sharing.settle([member], {})
    told = done(admin.describe_consumer_groups([group]))[0]
    assert told.state.name == "STABLE" and len(told.members[0].assignment.topic_partitions) == PARTITIONS, told.members
    member.close()
    offsets = done(admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]))[0].topic_partitions
    assert sum(place.offset for place in offsets) == GROUP_RECORDS + 100, offsets
    wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(name, 0, 7)])
    done(admin.alter_consumer_group_offsets([wanted]))
    asked = ConsumerGroupTopicPartitions(group, [TopicPartition(name, 0)])
    assert done(admin.list_consumer_group_offsets([asked]))[0].topic_partitions[0].offset == 7
    done(admin.delete_consumer_groups([group]))
    assert group not in [told.group_id for told in admin.list_consumer_groups().result(30).valid]


def coordinator_stop():
    outlive(sharing, f"{topic}-outlived")


def newer_coordinator_stop():
    outlive(newer, f"{topic}-newer-outlived")


def outlive(protocol, name):
    done(admin.create_topics([NewTopic(name, PARTITIONS, 3, config={"min.insync.replicas": "2"})]))
    groups = [f"{name}-{n}" for n in range(20)]
    journal.eventually(lambda: all(told.coordinator for told in done(admin.describe_consumer_groups(groups))))
    mine = [told.group_id for told in done(admin.describe_consumer_groups(groups)) if told.coordinator.id == 1]
    protocol.outlive(name, mine[0])


def delete_topic():
    done(admin.delete_topics([topic]))
    journal.eventually(lambda: topic not in admin.list_topics(timeout=10).topics)


if sys.argv[2:3] == ["member"]:
    sharing.be_member(*sys.argv[3:5])
if sys.argv[2:3] == ["newer-member"]:
    newer.be_member(*sys.argv[3:5])
deaths = {"broker-stop": broker_stop, "coordinator-stop": coordinator_stop, "newer-coordinator-stop": newer_coordinator_stop}
journal.run([deaths[sys.argv[2]]] if sys.argv[2:] else [
    create_topic, produce, consume, ends, seek_by_time, describe_configs, alter_configs, too_large, create_partitions,
    describe_cluster, delete_records, auto_create, refusals, groups, group_admin, newer_groups, delete_topic,
])
