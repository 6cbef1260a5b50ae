package brokerlab;

import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.utils.LogContext;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.group.GroupCoordinatorRecordHelpers;
import org.apache.kafka.coordinator.group.GroupCoordinatorRecordSerde;
import org.apache.kafka.coordinator.group.OffsetAndMetadata;
import org.apache.kafka.coordinator.group.classic.ClassicGroup;
import org.apache.kafka.coordinator.group.classic.ClassicGroupState;
import org.apache.kafka.coordinator.group.generated.*;
import org.apache.kafka.coordinator.group.modern.MemberState;
import org.apache.kafka.coordinator.group.modern.consumer.ConsumerGroupMember;
import org.apache.kafka.coordinator.group.modern.consumer.ResolvedRegularExpression;
import org.apache.kafka.server.common.ApiMessageAndVersion;

/** Writes records of a group coordinator, and what consumers tell each other through it. */
final class GroupRecords {
    private static final Uuid TOPIC = new Uuid(0x0102030405060708L, 0x090a0b0c0d0e0f10L);
    private static final Uuid OTHER = new Uuid(0x1112131415161718L, 0x191a1b1c1d1e1f20L);
    private static final GroupCoordinatorRecordSerde SERDE = new GroupCoordinatorRecordSerde();

    private final PrintWriter out;

    private GroupRecords(PrintWriter out) {
        this.out = out;
    }

    static void write(Path folder) throws Exception {
        try (PrintWriter out = new PrintWriter(folder.resolve("group-records.txt").toFile())) {
            GroupRecords records = new GroupRecords(out);
            records.offsets();
            records.classic();
            records.modern();
            records.written();
        }
        try (PrintWriter out = new PrintWriter(folder.resolve("consumer-protocol.txt").toFile())) {
            new GroupRecords(out).consumerProtocol();
        }
    }

    private void offsets() {
        LegacyOffsetCommitKey legacy = new LegacyOffsetCommitKey().setGroup("g").setTopic("orders").setPartition(7);
        line("full", legacy, new LegacyOffsetCommitValue().setOffset(42).setMetadata("m").setCommitTimestamp(1000), 0);
        line("tombstone", legacy, null, 0);
        OffsetCommitKey key = new OffsetCommitKey().setGroup("g").setTopic("orders").setPartition(7);
        for (int version = 0; version <= 4; version++) {
            OffsetCommitValue value = new OffsetCommitValue().setOffset(42).setMetadata("Größe").setCommitTimestamp(1000);
            if (version == 1) value.setExpireTimestamp(2000);
            if (version >= 3) value.setLeaderEpoch(3);
            if (version >= 4) value.setTopicId(TOPIC);
            line("full", key, value, version);
        }
        line("default", new OffsetCommitKey(), new OffsetCommitValue(), 4);
        line("tombstone", key, null, 4);
    }

    private void classic() {
        GroupMetadataKey key = new GroupMetadataKey().setGroup("g");
        for (int version = 0; version <= 4; version++) {
            GroupMetadataValue value = new GroupMetadataValue().setProtocolType("consumer").setGeneration(5).setProtocol("range")
                .setLeader("m1");
            if (version >= 2) value.setCurrentStateTimestamp(1000);
            value.members().add(member("m1", version).setGroupInstanceId(version >= 3 ? "i1" : null));
            value.members().add(member("m2", version));
            line("full", key, value, version);
        }
        line("empty", key, new GroupMetadataValue().setProtocol(null).setLeader(null), 3);
        line("default", key, new GroupMetadataValue(), 4);
        line("tombstone", key, null, 3);
    }

    private static GroupMetadataValue.MemberMetadata member(String id, int version) {
        GroupMetadataValue.MemberMetadata member = new GroupMetadataValue.MemberMetadata().setMemberId(id).setClientId("c")
            .setClientHost("/h").setSessionTimeout(45000).setSubscription(new byte[] {0, 1}).setAssignment(new byte[] {2, 3, 4});
        return version >= 1 ? member.setRebalanceTimeout(300000) : member;
    }

    private void modern() {
        ConsumerGroupMetadataKey group = new ConsumerGroupMetadataKey().setGroupId("g");
        line("full", group, new ConsumerGroupMetadataValue().setEpoch(9).setMetadataHash(0x1122334455667788L), 0);
        line("no-hash", group, new ConsumerGroupMetadataValue().setEpoch(9), 0);
        line("tombstone", group, null, 0);
        ConsumerGroupPartitionMetadataKey topics = new ConsumerGroupPartitionMetadataKey().setGroupId("g");
        line("full", topics, partitionMetadata(), 0);
        line("tombstone", topics, null, 0);
        members();
        ConsumerGroupTargetAssignmentMetadataKey target = new ConsumerGroupTargetAssignmentMetadataKey().setGroupId("g");
        line("full", target, new ConsumerGroupTargetAssignmentMetadataValue().setAssignmentEpoch(9), 0);
        line("tombstone", target, null, 0);
        assignments();
        ConsumerGroupRegularExpressionKey regex = new ConsumerGroupRegularExpressionKey().setGroupId("g").setRegularExpression("o.*");
        line("full", regex, new ConsumerGroupRegularExpressionValue().setTopics(List.of("orders", "other")).setVersion(77)
            .setTimestamp(1000), 0);
        line("tombstone", regex, null, 0);
    }

    private static ConsumerGroupPartitionMetadataValue partitionMetadata() {
        var partition = new ConsumerGroupPartitionMetadataValue.PartitionMetadata().setPartition(1).setRacks(List.of("r1", "r2"));
        return new ConsumerGroupPartitionMetadataValue().setTopics(List.of(
            new ConsumerGroupPartitionMetadataValue.TopicMetadata().setTopicId(TOPIC).setTopicName("orders").setNumPartitions(2)
                .setPartitionMetadata(List.of(partition)),
            new ConsumerGroupPartitionMetadataValue.TopicMetadata().setTopicId(OTHER).setTopicName("other").setNumPartitions(1)));
    }

    private void members() {
        ConsumerGroupMemberMetadataKey key = new ConsumerGroupMemberMetadataKey().setGroupId("g").setMemberId("m1");
        ConsumerGroupMemberMetadataValue full = new ConsumerGroupMemberMetadataValue().setInstanceId("i1").setRackId("r1")
            .setClientId("c").setClientHost("/h").setSubscribedTopicNames(List.of("orders", "other")).setSubscribedTopicRegex("o.*")
            .setRebalanceTimeoutMs(300000).setServerAssignor("uniform");
        full.classicMemberMetadata().setSessionTimeoutMs(45000).supportedProtocols().add(
            new ConsumerGroupMemberMetadataValue.ClassicProtocol().setName("range").setMetadata(new byte[] {0, 1}));
        line("full", key, full, 0);
        line("plain", key, new ConsumerGroupMemberMetadataValue().setInstanceId(null).setRackId(null).setClientId("c")
            .setClientHost("/h").setSubscribedTopicRegex(null).setServerAssignor(null).setClassicMemberMetadata(null), 0);
        line("default", key, new ConsumerGroupMemberMetadataValue(), 0);
        line("tombstone", key, null, 0);
    }

    private void assignments() {
        ConsumerGroupTargetAssignmentMemberKey target = new ConsumerGroupTargetAssignmentMemberKey().setGroupId("g").setMemberId("m1");
        line("full", target, new ConsumerGroupTargetAssignmentMemberValue().setTopicPartitions(List.of(
            new ConsumerGroupTargetAssignmentMemberValue.TopicPartition().setTopicId(TOPIC).setPartitions(List.of(0, 2)),
            new ConsumerGroupTargetAssignmentMemberValue.TopicPartition().setTopicId(OTHER).setPartitions(List.of(1)))), 0);
        line("tombstone", target, null, 0);
        ConsumerGroupCurrentMemberAssignmentKey current = new ConsumerGroupCurrentMemberAssignmentKey().setGroupId("g")
            .setMemberId("m1");
        line("full", current, new ConsumerGroupCurrentMemberAssignmentValue().setMemberEpoch(9).setPreviousMemberEpoch(8)
            .setState((byte) 1).setAssignedPartitions(List.of(
                new ConsumerGroupCurrentMemberAssignmentValue.TopicPartitions().setTopicId(TOPIC).setPartitions(List.of(0, 2))))
            .setPartitionsPendingRevocation(List.of(
                new ConsumerGroupCurrentMemberAssignmentValue.TopicPartitions().setTopicId(OTHER).setPartitions(List.of(1)))), 0);
        line("tombstone", current, null, 0);
    }

    /** Records as a coordinator makes them, in the version that it chooses. */
    private void written() {
        OffsetAndMetadata kept = new OffsetAndMetadata(42, OptionalInt.of(3), "m", 1000, OptionalLong.empty(), TOPIC);
        line("written", GroupCoordinatorRecordHelpers.newOffsetCommitRecord("g", "orders", 7, kept));
        OffsetAndMetadata bare = new OffsetAndMetadata(42, OptionalInt.empty(), "", 1000, OptionalLong.empty(), Uuid.ZERO_UUID);
        line("written-bare", GroupCoordinatorRecordHelpers.newOffsetCommitRecord("g", "orders", 7, bare));
        OffsetAndMetadata expiring = new OffsetAndMetadata(42, OptionalInt.of(3), "m", 1000, OptionalLong.of(2000), TOPIC);
        line("written-expiring", GroupCoordinatorRecordHelpers.newOffsetCommitRecord("g", "orders", 7, expiring));
        line("written", GroupCoordinatorRecordHelpers.newOffsetCommitTombstoneRecord("g", "orders", 7));
        ClassicGroup group = new ClassicGroup(new LogContext(), "g", ClassicGroupState.EMPTY, Time.SYSTEM, 5,
            Optional.of("consumer"), Optional.empty(), Optional.empty(), Optional.of(1000L));
        line("written-empty", GroupCoordinatorRecordHelpers.newEmptyGroupMetadataRecord(group));
        ConsumerGroupMember member = new ConsumerGroupMember.Builder("m1").setClientId("c").setClientHost("/h")
            .setSubscribedTopicNames(List.of("orders")).setRebalanceTimeoutMs(300000).setMemberEpoch(9).setPreviousMemberEpoch(8)
            .setState(MemberState.UNRELEASED_PARTITIONS).setAssignedPartitions(Map.of(TOPIC, Set.of(2))).build();
        line("written", GroupCoordinatorRecordHelpers.newConsumerGroupMemberSubscriptionRecord("g", member));
        line("written", GroupCoordinatorRecordHelpers.newConsumerGroupCurrentAssignmentRecord("g", member));
        line("written", GroupCoordinatorRecordHelpers.newConsumerGroupEpochRecord("g", 9, 77));
        line("written", GroupCoordinatorRecordHelpers.newConsumerGroupTargetAssignmentRecord("g", "m1", Map.of(TOPIC, Set.of(2))));
        line("written", GroupCoordinatorRecordHelpers.newConsumerGroupTargetAssignmentEpochRecord("g", 9));
        line("written", GroupCoordinatorRecordHelpers.newConsumerGroupRegularExpressionRecord("g", "o.*",
            new ResolvedRegularExpression(Set.of("orders"), 77, 1000)));
    }

    private void consumerProtocol() {
        List<TopicPartition> owned = List.of(new TopicPartition("orders", 0), new TopicPartition("orders", 2), new TopicPartition("x", 1));
        ByteBuffer userData = ByteBuffer.wrap(new byte[] {7, 8});
        Subscription full = new Subscription(List.of("orders", "x"), userData, owned, 5, Optional.of("r1"));
        Subscription plain = new Subscription(List.of("orders"));
        Assignment assignment = new Assignment(owned, userData);
        for (short version = 0; version <= 3; version++) {
            line("Subscription", version, "full", ConsumerProtocol.serializeSubscription(full, version));
            line("Subscription", version, "plain", ConsumerProtocol.serializeSubscription(plain, version));
            line("Assignment", version, "full", ConsumerProtocol.serializeAssignment(assignment, version));
            line("Assignment", version, "empty", ConsumerProtocol.serializeAssignment(new Assignment(List.of()), version));
        }
    }

    private void line(String what, ApiMessage key, ApiMessage value, int version) {
        boolean removes = value == null;
        line(what, removes ? CoordinatorRecord.tombstone(key)
            : CoordinatorRecord.record(key, new ApiMessageAndVersion(value, (short) version)));
    }

    /** Name, version of the value (or "-"), what it is about, key, value (or "-"). */
    private void line(String what, CoordinatorRecord record) {
        String name = record.key().getClass().getSimpleName().replaceAll("Key$", "");
        byte[] value = SERDE.serializeValue(record);
        String version = value == null ? "-" : String.valueOf(record.value().version());
        HexFormat hex = HexFormat.of();
        out.printf("%s %s %s %s %s%n", name, version, what, hex.formatHex(SERDE.serializeKey(record)),
            value == null ? "-" : hex.formatHex(value));
    }

    private void line(String name, short version, String what, ByteBuffer bytes) {
        byte[] copy = new byte[bytes.remaining()];
        bytes.get(copy);
        out.printf("%s %d %s %s%n", name, version, what, HexFormat.of().formatHex(copy));
    }
}
