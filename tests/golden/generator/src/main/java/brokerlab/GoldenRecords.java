package brokerlab;

import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.metadata.*;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.RawTaggedField;
import org.apache.kafka.metadata.MetadataRecordSerde;
import org.apache.kafka.server.common.ApiMessageAndVersion;

/** Writes records of fixed values in every version, so that another implementation can be compared with this one. */
public final class GoldenRecords {
    private static final Uuid TOPIC = new Uuid(0x0102030405060708L, 0x090a0b0c0d0e0f10L);
    private static final Uuid INCARNATION = new Uuid(0x1112131415161718L, 0x191a1b1c1d1e1f20L);
    private static final Uuid DIR_A = new Uuid(0x2122232425262728L, 0x292a2b2c2d2e2f30L);
    private static final Uuid DIR_B = new Uuid(0x3132333435363738L, 0x393a3b3c3d3e3f40L);

    private final PrintWriter out;

    private GoldenRecords(PrintWriter out) {
        this.out = out;
    }

    public static void main(String[] args) throws Exception {
        Path folder = Path.of(args.length > 0 ? args[0] : ".");
        try (PrintWriter out = new PrintWriter(folder.resolve("metadata-records.txt").toFile())) {
            new GoldenRecords(out).records();
        }
        GroupRecords.write(folder);
        try (PrintWriter out = new PrintWriter(folder.resolve("error-codes.txt").toFile())) {
            for (Errors error : Errors.values()) {
                boolean retriable = error.exception() instanceof RetriableException;
                out.printf("%d %s%s%n", error.code(), error.name(), retriable ? " retriable" : "");
            }
        }
    }

    private void records() {
        line("empty", new NoOpRecord());
        for (short version = 0; version <= 3; version++) {
            write("full", registerBroker(version), version);
        }
        line("plain", new RegisterBrokerRecord().setBrokerId(1).setIncarnationId(INCARNATION).setBrokerEpoch(7).setRack(null), 3);
        line("full", new UnregisterBrokerRecord().setBrokerId(3).setBrokerEpoch(1234567890123L));
        line("nothing", new BrokerRegistrationChangeRecord().setBrokerId(2).setBrokerEpoch(100), 0);
        line("fenced", new BrokerRegistrationChangeRecord().setBrokerId(2).setBrokerEpoch(100).setFenced((byte) 1), 0);
        line("unfenced-stopping", new BrokerRegistrationChangeRecord().setBrokerId(2).setBrokerEpoch(100).setFenced((byte) -1)
            .setInControlledShutdown((byte) 1), 1);
        line("full", new BrokerRegistrationChangeRecord().setBrokerId(2).setBrokerEpoch(100).setFenced((byte) 1)
            .setInControlledShutdown((byte) 1).setLogDirs(List.of(DIR_A, DIR_B)), 2);
        line("full", new FenceBrokerRecord().setId(5).setEpoch(55));
        line("full", new UnfenceBrokerRecord().setId(6).setEpoch(66));
        line("full", new TopicRecord().setName("orders").setTopicId(TOPIC));
        line("unicode", new TopicRecord().setName("Größe-日").setTopicId(TOPIC));
        line("unknown-tags", withUnknownTags(new TopicRecord().setName("t").setTopicId(TOPIC)));
        line("full", new RemoveTopicRecord().setTopicId(TOPIC));
        line("default", new PartitionRecord(), 0);
        for (short version = 0; version <= 2; version++) {
            write("full", partition(version), version);
        }
        line("no-elr", partition((short) 1), 2);
        line("default", new PartitionChangeRecord().setPartitionId(4).setTopicId(TOPIC), 0);
        line("leader", new PartitionChangeRecord().setPartitionId(4).setTopicId(TOPIC).setLeader(-1), 0);
        for (short version = 0; version <= 2; version++) {
            write("full", partitionChange(version), version);
        }
        line("empty-lists", new PartitionChangeRecord().setPartitionId(4).setTopicId(TOPIC).setIsr(List.of())
            .setRemovingReplicas(List.of()).setAddingReplicas(List.of()).setEligibleLeaderReplicas(List.of())
            .setLastKnownElr(List.of()).setDirectories(List.of()), 2);
        line("set", new ConfigRecord().setResourceType((byte) 2).setResourceName("orders").setName("min.insync.replicas").setValue("2"));
        line("removed", new ConfigRecord().setResourceType((byte) 4).setResourceName("").setName("retention.ms").setValue(null));
        line("full", new ProducerIdsRecord().setBrokerId(1).setBrokerEpoch(9).setNextProducerId(1000));
        line("default-epoch", new ProducerIdsRecord().setBrokerId(1).setNextProducerId(Long.MAX_VALUE));
        line("full", new FeatureLevelRecord().setName("metadata.version").setFeatureLevel((short) 27));
    }

    private static RegisterBrokerRecord registerBroker(short version) {
        RegisterBrokerRecord record = new RegisterBrokerRecord().setBrokerId(1).setIncarnationId(INCARNATION).setBrokerEpoch(123)
            .setRack("rack-a").setFenced(false);
        record.endPoints().add(new RegisterBrokerRecord.BrokerEndpoint().setName("PLAINTEXT").setHost("b1").setPort(9092)
            .setSecurityProtocol((short) 0));
        record.endPoints().add(new RegisterBrokerRecord.BrokerEndpoint().setName("EXTERNAL").setHost("example.org").setPort(65535)
            .setSecurityProtocol((short) 1));
        record.features().add(new RegisterBrokerRecord.BrokerFeature().setName("metadata.version").setMinSupportedVersion((short) 1)
            .setMaxSupportedVersion((short) 27));
        if (version >= 1) record.setInControlledShutdown(true);
        if (version >= 2) record.setIsMigratingZkBroker(true);
        if (version >= 3) record.setLogDirs(List.of(DIR_A, DIR_B));
        return record;
    }

    private static PartitionRecord partition(short version) {
        PartitionRecord record = new PartitionRecord().setPartitionId(4).setTopicId(TOPIC).setReplicas(List.of(1, 2, 3, 4))
            .setIsr(List.of(1, 2)).setRemovingReplicas(List.of(3)).setAddingReplicas(List.of(4)).setLeader(1)
            .setLeaderRecoveryState((byte) 1).setLeaderEpoch(11).setPartitionEpoch(12);
        if (version >= 1) record.setDirectories(List.of(DIR_A, DIR_B));
        if (version >= 2) record.setEligibleLeaderReplicas(List.of(2)).setLastKnownElr(List.of(3, 1));
        return record;
    }

    private static PartitionChangeRecord partitionChange(short version) {
        PartitionChangeRecord record = new PartitionChangeRecord().setPartitionId(4).setTopicId(TOPIC).setIsr(List.of(1, 2))
            .setLeader(2).setReplicas(List.of(1, 2, 3, 4)).setRemovingReplicas(List.of(3)).setAddingReplicas(List.of(4))
            .setLeaderRecoveryState((byte) 0);
        if (version >= 1) record.setDirectories(List.of(DIR_A, DIR_B));
        if (version >= 2) record.setEligibleLeaderReplicas(List.of(2)).setLastKnownElr(List.of(3, 1));
        return record;
    }

    private static ApiMessage withUnknownTags(ApiMessage record) {
        record.unknownTaggedFields().add(new RawTaggedField(100, new byte[] {1, 2, 3}));
        record.unknownTaggedFields().add(new RawTaggedField(40000, new byte[] {}));
        return record;
    }

    private void line(String what, ApiMessage record) {
        write(what, record, (short) 0);
    }

    private void line(String what, ApiMessage record, int version) {
        write(what, record, (short) version);
    }

    private void write(String what, ApiMessage record, short version) {
        ApiMessageAndVersion versioned = new ApiMessageAndVersion(record, version);
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(MetadataRecordSerde.INSTANCE.recordSize(versioned, cache));
        MetadataRecordSerde.INSTANCE.write(versioned, cache, new org.apache.kafka.common.protocol.ByteBufferAccessor(buffer));
        out.printf("%s %d %s %s%n", record.getClass().getSimpleName(), version, what, HexFormat.of().formatHex(buffer.array()));
    }
}
