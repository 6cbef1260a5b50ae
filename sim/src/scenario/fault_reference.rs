//! The kinds of faults, each with the keys of its table: a part of the [reference](super::reference).

use brokerlab::types::Duration;

use super::model::{DiskOperation, Fate};
use super::reference::{Key, Section, Shape, apis, default, fault_kinds, optional, required};

pub(super) const ID: Key = required("id", Shape::FaultId, "permanent: chance that concerns the fault is keyed by it");
pub(super) const AT: Key = required("at", Shape::Duration, "when, from the begin of the fault phase");
pub(super) const FOR: Key =
    required("for", Shape::Duration, "how long; for crashes and restarts: until the process is started again");
const AT_ONCE: Key = default("for", Shape::Duration, "\"0s\"", "of no meaning: it happens at once");
pub(super) const KIND: Key = required("kind", Shape::OneOf(fault_kinds), "what");
const TARGET: Key = required("target", Shape::Target, "whom; found out when the fault fires");
const FROM: Key = required("from", Shape::Target, "one end of the link");
const TO: Key = required("to", Shape::Target, "the other end");
const ANY_TO: Key = optional("to", Shape::Target, "the other end; without: all links of `from`");
const PATH: Key = default("path", Shape::Text, "\"\"", "only files whose path contains this");
const NTH: Key = default("nth", Shape::Count(1, 1 << 32), "1", "which operation, from 1");
const BY: Key = required("by", Shape::Duration, "how much longer everything takes");

/// The kinds of faults, each with the keys of its table.
pub const FAULTS: &[Section] = &[
    Section {
        name: "crash",
        about: "kill -9: what the process wrote stays in the page cache",
        keys: &[ID, AT, FOR, KIND, TARGET],
    },
    Section {
        name: "outage",
        about: "kill -9 of every broker that runs, at once: nothing is lost but what was only in memory",
        keys: &[ID, AT, FOR, KIND],
    },
    Section {
        name: "power-loss",
        about: "kernel and process die; each unsynced sector survives or not, on its own",
        keys: &[ID, AT, FOR, KIND, TARGET],
    },
    Section {
        name: "power-loss-at-operation",
        about: "power is lost at the n-th disk operation after `at`, possibly in the middle of a step",
        keys: &[ID, AT, FOR, KIND, TARGET, required("nth", Shape::Count(1, 1 << 32), "which operation, from 1")],
    },
    Section {
        name: "crash-loop",
        about: "killed, started after `for`, killed again after `every`, and so on",
        keys: &[
            ID,
            AT,
            FOR,
            KIND,
            TARGET,
            required("times", Shape::Count(1, 1000), "how many crashes"),
            required("every", Shape::Duration, "time from a start to the next crash"),
        ],
    },
    Section {
        name: "failed-sync",
        about: "a sync says EIO once; what it covered never reaches the medium, and the next sync says OK",
        keys: &[ID, AT, FOR, KIND, TARGET, PATH, NTH],
    },
    Section {
        name: "io-error",
        about: "operations on a disk say EIO; a write may have written a part",
        keys: &[
            ID,
            AT,
            FOR,
            KIND,
            TARGET,
            required("operation", Shape::OneOf(disk_operations), "what fails"),
            PATH,
            NTH,
            default("times", Shape::Count(1, 1 << 32), "1", "how many in a row"),
        ],
    },
    Section {
        name: "full-disk",
        about: "no space is left on a disk",
        keys: &[ID, AT, FOR, KIND, TARGET, default("room", Shape::Size, "\"0B\"", "what still fits")],
    },
    Section {
        name: "bit-rot",
        about: "bits turn in sectors of logs that are on the medium; found when read",
        keys: &[ID, AT, FOR, KIND, TARGET, default("flips", Shape::Count(1, 1000), "1", "how many bits")],
    },
    Section {
        name: "wipe-disk",
        about: "killed, and started after `for` with an empty disk",
        keys: &[ID, AT, FOR, KIND, TARGET],
    },
    Section {
        name: "clock-jump",
        about: "the wall clock is off for `for`, then right again",
        keys: &[
            ID,
            AT,
            FOR,
            KIND,
            TARGET,
            required("by", Shape::Duration, "how far ahead it is"),
            default("back", Shape::Flag, "false", "behind instead of ahead"),
        ],
    },
    Section {
        name: "clock-skew",
        about: "the monotonic clock runs too fast",
        keys: &[
            ID,
            AT,
            FOR,
            KIND,
            TARGET,
            required("ppm", Shape::Count(1, 800_000), "how much, in parts per million"),
            default("slow", Shape::Flag, "false", "too slow instead"),
        ],
    },
    Section {
        name: "pause",
        about: "the process is frozen, its kernel still takes in bytes: a zombie",
        keys: &[ID, AT, FOR, KIND, TARGET],
    },
    Section { name: "restart", about: "a clean shutdown, leaders handed over", keys: &[ID, AT, FOR, KIND, TARGET] },
    Section {
        name: "isolate",
        about: "cut off from every other node",
        keys: &[ID, AT, FOR, KIND, TARGET, default("except_clients", Shape::Flag, "false", "clients still reach it")],
    },
    Section {
        name: "cut",
        about: "the link between two nodes: bytes freeze, connections time out",
        keys: &[ID, AT, FOR, KIND, FROM, TO, default("one_way", Shape::Flag, "false", "only what flows from `from` to `to`")],
    },
    Section { name: "slow-link", about: "everything between two nodes takes longer", keys: &[ID, AT, FOR, KIND, FROM, TO, BY] },
    Section { name: "slow-disk", about: "every sync takes longer", keys: &[ID, AT, FOR, KIND, TARGET, BY] },
    Section { name: "stuck-disk", about: "no sync ends before the fault does", keys: &[ID, AT, FOR, KIND, TARGET] },
    Section {
        name: "frame",
        about: "something happens to single frames, picked by their headers",
        keys: &[
            ID,
            AT,
            FOR,
            KIND,
            optional("api", Shape::SomeOf(apis), "Kafka's names of their APIs; without: all"),
            default("part", Shape::OneOf(parts), "\"request\"", "the request or its response"),
            optional("from", Shape::Target, "who asks; without: anybody"),
            optional("to", Shape::Target, "who answers; without: anybody"),
            default("nth", Shape::Count(1, 1 << 32), "1", "the first one that is struck, counted from 1 after `at`"),
            default("count", Shape::Count(1, 1 << 32), "1", "how many are struck, one after the other"),
            required(
                "fate",
                Shape::OneOf(fates),
                "hold: stays in the network until the fault ends, even if its connection is long given up; delay: `by`; sever-before: \
                 lost with its connection; sever-after: arrives, then its connection breaks",
            ),
            default("by", Shape::Duration, "\"1s\"", "for a delay: how much later"),
        ],
    },
    Section {
        name: "stale-metadata",
        about: "a broker's view of the cluster grows old: answers to its metadata fetches are late, everything else of it flows",
        keys: &[ID, AT, FOR, KIND, TARGET, optional("by", Shape::Duration, "so much later; without: when the fault ends")],
    },
    Section {
        name: "split",
        about: "groups of nodes do not reach each other; servers in no group are the last group, clients in no group reach everybody",
        keys: &[
            ID,
            AT,
            FOR,
            KIND,
            required("groups", Shape::Groups, "the members of each group"),
            default("one_way", Shape::Flag, "false", "only what flows from an earlier group to a later one"),
        ],
    },
    Section {
        name: "bridge",
        about: "two halves of the servers reach each other only through one node",
        keys: &[ID, AT, FOR, KIND, TARGET],
    },
    Section {
        name: "majorities-ring",
        about: "every server reaches a majority of the servers, no two of them the same one; needs four servers",
        keys: &[ID, AT, FOR, KIND],
    },
    Section {
        name: "flapping-link",
        about: "a link that goes down and comes up again",
        keys: &[
            ID,
            AT,
            FOR,
            KIND,
            FROM,
            ANY_TO,
            required("every", Shape::Duration, "the period"),
            required("down", Shape::Duration, "the part of each period in which nothing gets through"),
            default("one_way", Shape::Flag, "false", "only what flows from `from` to `to`"),
        ],
    },
    Section {
        name: "cut-clients",
        about: "servers that no client reaches, while they reach each other",
        keys: &[
            ID,
            AT,
            FOR,
            KIND,
            required("targets", Shape::Targets, "the servers"),
            default("one_way", Shape::Flag, "false", "only what clients send"),
        ],
    },
    Section {
        name: "narrow-link",
        about: "a link that carries little: what is large delays what comes behind it",
        keys: &[ID, AT, FOR, KIND, FROM, ANY_TO, required("bandwidth", Shape::Size, "bytes per second, in each direction")],
    },
    Section {
        name: "elect-preferred",
        about: "the admin asks for the preferred leader of a partition (`leader of orders-0`) or of all (`controller`); nobody is fenced",
        keys: &[ID, AT, AT_ONCE, KIND, TARGET],
    },
    Section {
        name: "recreate-topic",
        about: "the admin deletes a topic and creates another of the same name; `target` is the leader of one of its partitions",
        keys: &[ID, AT, FOR, KIND, TARGET],
    },
    Section {
        name: "member-joins",
        about: "a member that stood by takes part in its group for `for`, then leaves in order",
        keys: &[ID, AT, FOR, KIND, TARGET],
    },
    Section {
        name: "member-leaves",
        about: "a member leaves its group in order, and joins again after `for`",
        keys: &[ID, AT, FOR, KIND, TARGET],
    },
    Section {
        name: "slow-processing",
        about: "each record takes the application of a member longer, while its client goes on with its heartbeats",
        keys: &[ID, AT, FOR, KIND, TARGET, BY],
    },
    Section {
        name: "delete-records",
        about: "the admin has the oldest records of a partition (`leader of orders-0`) deleted",
        keys: &[
            ID,
            AT,
            AT_ONCE,
            KIND,
            TARGET,
            default("keep", Shape::Count(0, 1 << 40), "0", "so many records below the high watermark stay"),
        ],
    },
];

fn disk_operations() -> Vec<&'static str> {
    DiskOperation::ALL.iter().map(|operation| operation.name()).collect()
}

fn parts() -> Vec<&'static str> {
    vec!["request", "response"]
}

fn fates() -> Vec<&'static str> {
    [Fate::Hold, Fate::Delay(Duration::ZERO), Fate::SeverBefore, Fate::SeverAfter].map(Fate::name).to_vec()
}
