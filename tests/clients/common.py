"""The records that every client writes and reads, and how a program tells what it tried.

Record n has key, value, headers and time that follow from n alone, so a reader can judge what it reads without a copy.
A line of output is `ok WHAT`, or `failed WHAT: WHY`.
"""

import time
import traceback

PARTITIONS = 6
RECORDS = 5000
# Written while a broker is killed and comes back.
STOP_RECORDS = 3000
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
# Yesterday: what is written today may neither be given up by retention nor lie in the future.
BEGINNING = (int(time.time()) - 86_400) * 1000


def key_of(n):
    return f"key-{n % 97}".encode()


def value_of(n):
    return (f"value {n} " + "abcdefgh" * (n % 13)).encode()


def time_of(n):
    return BEGINNING + n * 1000


def duplicate_headers(n):
    return [("n", str(n)), ("twice", "first"), ("twice", "second")]


class Journal:
    """What was acknowledged, where; and what was read."""

    def __init__(self, topic):
        self.topic = topic
        self.noted = {}
        self.read = set()

    def block(self, codec):
        """The records written with this codec."""
        size = RECORDS // len(CODECS)
        first = CODECS.index(codec) * size
        return range(first, first + size)

    def note(self, n, partition, offset):
        """Record n was acknowledged at this place."""
        assert (partition, offset) not in self.noted, f"{partition}/{offset} was given twice"
        self.noted[(partition, offset)] = n

    def end(self, partition):
        """Where the partition ends."""
        return sum(1 for place, _ in self.noted if place == partition)

    def check(self, partition, offset, key, value, headers, timestamp):
        """A record was read: is it the one that was acknowledged there?"""
        n = self.noted[(partition, offset)]
        assert (partition, offset) not in self.read, f"{partition}/{offset} was read twice"
        before = max((o for p, o in self.last() if p == partition), default=-1)
        assert offset == before + 1, f"{partition}/{offset} comes after {before}"
        self.lasts[partition] = offset
        self.read.add((partition, offset))
        found, wanted = (key, value, headers, timestamp), (key_of(n), value_of(n), duplicate_headers(n), time_of(n))
        assert found == wanted, f"{partition}/{offset}: {found} instead of {wanted}"

    lasts = {}

    def last(self):
        """The newest offset read of each partition."""
        return self.lasts.items()

    def finish(self):
        """All that was acknowledged must have been read."""
        assert self.read == set(self.noted), f"{len(self.noted) - len(self.read)} records are missing"

    def first_at(self, partition, timestamp):
        """The first offset of the partition whose record is not older."""
        return min(offset for (place, offset), n in self.noted.items() if place == partition and time_of(n) >= timestamp)

    def eventually(self, holds):
        """What the controller has decided reaches each broker a little later."""
        deadline = time.time() + 20
        while not holds():
            assert time.time() < deadline, "it did not come true within 20 s"
            time.sleep(0.1)

    def run(self, steps):
        """Tries each step, and tells how it went."""
        for step in steps:
            name = step.__name__.replace("_", "-")
            try:
                step()
                print(f"ok {name}", flush=True)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told
                traceback.print_exc()
                print(f"failed {name}: {type(error).__name__} {error}", flush=True)
