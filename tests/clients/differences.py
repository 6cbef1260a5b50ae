"""Asks a broker many questions and prints one line for each answer, `QUESTION: ANSWER`, so that the answers of two can be compared.

usage: differences.py BOOTSTRAP

The broker is alone in its cluster, has number 1, and holds nothing yet.
"""

import sys
import time

from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType as Op, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec,
)

bootstrap = sys.argv[1]
admin = AdminClient({"bootstrap.servers": bootstrap})
BEGUN = int(time.time() * 1000)
TOPIC, BROKER = ConfigResource.Type.TOPIC, ConfigResource.Type.BROKER


def tell(question, answer):
    print(f"{question}: {answer}", flush=True)


def ask(question, futures, value=lambda result: "ok"):
    """Tells how it ended, and in a line of its own what was said about it."""
    for future in futures.values():
        try:
            tell(question, value(future.result(20)))
        except KafkaException as error:
            tell(question, error.args[0].name())
            tell(f"{question}, in words", error.args[0].str())


def dated(timestamp):
    """Present times differ from run to run."""
    return "now" if timestamp > BEGUN - 60_000 else timestamp


def create(question, name, partitions=1, replicas=1, **more):
    if "replica_assignment" not in more:
        more["replication_factor"] = replicas
    ask(f"create {question}", admin.create_topics([NewTopic(name, partitions, **more)]))


def partitions(question, name, count, **more):
    ask(f"more partitions, {question}", admin.create_partitions([NewPartitions(name, count, **more)]))


def alter(question, name, *changes, kind=TOPIC):
    entries = [ConfigEntry(entry, value, incremental_operation=what) for entry, what, value in changes]
    ask(f"configure {question}", admin.incremental_alter_configs([ConfigResource(kind, name, incremental_configs=entries)]))


def names():
    create("a topic", "t", 2)
    create("it again", "t", 2)
    for question, name in [("a/b", "a/b"), ("without a name", ""), ("..", ".."), ("a name of 250 letters", "x" * 250), ("c.d", "c.d"), ("c_d", "c_d")]:
        create(question, name)
    create("with 0 partitions", "p0", 0)
    create("with 0 replicas", "r0", 1, 0)
    create("with 9 replicas", "r9", 1, 9)
    create("assigned to broker 1", "as1", 2, replica_assignment=[[1], [1]])
    create("assigned to broker 7", "as2", 1, replica_assignment=[[7]])


def values():
    for entry, value in [
        ("no.such", "1"), ("retention.ms", "soon"), ("retention.ms", "-2"), ("cleanup.policy", "forget"), ("compression.type", "x"),
        ("min.insync.replicas", "0"), ("unclean.leader.election.enable", "yes"), ("min.cleanable.dirty.ratio", "2"), ("segment.bytes", "100"),
        ("max.message.bytes", "-1"), ("message.timestamp.type", "Now"), ("flush.messages", "0"),
    ]:
        create(f"with {entry}={value}", f"with-{entry}-{value}", config={entry: value})
    create("with contradicting lags", "lags", config={"min.compaction.lag.ms": "5", "max.compaction.lag.ms": "4"})


def more_partitions():
    partitions("3 instead of 2", "t", 3)
    partitions("as many", "t", 3)
    partitions("fewer", "t", 2)
    partitions("no such topic", "nothing", 2)
    partitions("too many assignments", "t", 4, replica_assignment=[[1], [1]])
    partitions("assigned to broker 9", "t", 4, replica_assignment=[[9]])


def configure():
    alter("one", "t", ("retention.ms", Op.SET, "5000"))
    alter("with a wrong value", "t", ("retention.ms", Op.SET, "x"))
    alter("what there is not", "t", ("nope", Op.SET, "x"))
    alter("by adding to a list", "t", ("cleanup.policy", Op.APPEND, "compact"))
    alter("by adding to a number", "t", ("retention.ms", Op.APPEND, "5"))
    alter("by taking from a list", "t", ("cleanup.policy", Op.SUBTRACT, "delete"))
    alter("no such topic", "nothing", ("retention.ms", Op.SET, "5"))
    alter("a/b", "a/b", ("retention.ms", Op.SET, "5"))
    alter("one twice", "t", ("retention.ms", Op.SET, "5"), ("retention.ms", Op.SET, "6"))
    alter("by deleting what is not set", "t", ("segment.ms", Op.DELETE, None))
    alter("no policy", "t", ("cleanup.policy", Op.SET, ""))
    alter("a broker's number", "1", ("node.id", Op.SET, "5"), kind=BROKER)


def described():
    for kind, name, what in [(TOPIC, "t", "topic"), (BROKER, "1", "broker")]:
        entries = list(admin.describe_configs([ConfigResource(kind, name)]).values())[0].result(20)
        for entry in sorted(entries.values(), key=lambda entry: entry.name):
            if entry.name in ("advertised.listeners", "listeners", "log.dirs", "process.roles"):
                continue
            tell(f"value of {entry.name} of a {what}", entry.value)
            tell(f"source of {entry.name} of a {what}", (entry.source, "read-only" if entry.is_read_only else "free"))
            if what == "topic":
                tell(f"synonyms of {entry.name} of a {what}", sorted((s.name, s.value, s.source) for s in entry.synonyms.values()))
    ask("describe nothing", admin.describe_configs([ConfigResource(TOPIC, "nothing")]))
    ask("describe a/b", admin.describe_configs([ConfigResource(TOPIC, "a/b")]))


def write(question, name, *record, **more):
    producer, told = Producer({"bootstrap.servers": bootstrap, "acks": "all", "message.max.bytes": 3_000_000}), []
    producer.produce(name, *record, on_delivery=lambda error, message: told.append(error.name() if error else message.offset()), **more)
    producer.flush(15)
    tell(f"write {question}", told)


def records():
    create("records", "o")
    create("small", "s", config={"max.message.bytes": "1000"})
    create("compacted", "k", config={"cleanup.policy": "compact"})
    time.sleep(1)
    for at in (1000, 2000, 3000, 100, 5000):
        write(f"a record of {at}", "o", b"x", timestamp=at)
    write("into the future", "o", b"x", timestamp=BEGUN + 7_200_000)
    write("900,000 bytes", "o", b"x" * 900_000)
    write("2,000,000 bytes", "o", b"x" * 2_000_000)
    write("2,000 bytes where 1,000 are allowed", "s", b"x" * 2000)
    write("without key to a compacted topic", "k", b"x")
    write("with key to a compacted topic", "k", b"x", b"k")


def offsets():
    specs = [("earliest", OffsetSpec.earliest()), ("latest", OffsetSpec.latest()), ("youngest", OffsetSpec.max_timestamp())]
    specs += [(f"at {at}", OffsetSpec.for_timestamp(at)) for at in (0, 1000, 1500, 3000, 5000, 5001)]
    specs += [("in the future", OffsetSpec.for_timestamp(BEGUN * 2))]
    place = TopicPartition("o", 0)
    found = lambda result: (result.offset, dated(result.timestamp), result.leader_epoch)  # noqa: E731
    for name, spec in specs:
        ask(f"offset {name}", admin.list_offsets({place: spec}), found)
    watermark = lambda result: result.low_watermark  # noqa: E731
    ask("give up what is below 2", admin.delete_records([TopicPartition("o", 0, 2)]), watermark)
    ask("give up what is below 200", admin.delete_records([TopicPartition("o", 0, 200)]), watermark)
    ask("offset at 0 after that", admin.list_offsets({place: OffsetSpec.for_timestamp(0)}), found)
    ask("delete nothing", admin.delete_topics(["nothing"]))
    ask("delete a topic", admin.delete_topics(["t"]))


for step in (names, values, more_partitions, configure, lambda: time.sleep(1), described, records, offsets):
    step()
