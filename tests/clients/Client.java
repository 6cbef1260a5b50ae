// What the Java client can do with the broker: one line of output for each thing tried.
//
// usage: Client BOOTSTRAP [broker-stop | coordinator-stop | newer-coordinator-stop | member GROUP TOPIC | newer-member GROUP TOPIC]

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.ConsumerGroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.AppInfoParser;

public class Client {
    static final int PARTITIONS = 6;
    static final int RECORDS = 5000;
    // Written while a broker is killed and comes back.
    static final int STOP_RECORDS = 3000;
    // Shared by the members of a group.
    static final int GROUP_RECORDS = 600;
    static final String[] CODECS = {"none", "gzip", "snappy", "lz4", "zstd"};
    // Yesterday: what is written today may neither be given up by retention nor lie in the future.
    static final long BEGINNING = (System.currentTimeMillis() / 1000 - 86_400) * 1000;

    final String bootstrap;
    final String topic = "java";
    final Admin admin;
    /** Whether members speak the newer protocol (KIP-848). */
    boolean newer = false;
    final Map<TopicPartition, Map<Long, Integer>> noted = new HashMap<>();

    Client(String bootstrap) {
        this.bootstrap = bootstrap;
        this.admin = Admin.create(properties());
        for (TopicPartition place : places()) noted.put(place, new HashMap<>());
    }

    static String keyOf(int n) {
        return "key-" + n % 97;
    }

    static String valueOf(int n) {
        return "value " + n + " " + "abcdefgh".repeat(n % 13);
    }

    static long timeOf(int n) {
        return BEGINNING + n * 1000L;
    }

    Properties properties(String... more) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        for (int at = 0; at < more.length; at += 2) properties.put(more[at], more[at + 1]);
        return properties;
    }

    List<TopicPartition> places() {
        List<TopicPartition> places = new ArrayList<>();
        for (int index = 0; index < PARTITIONS; index++) places.add(new TopicPartition("java", index));
        return places;
    }

    KafkaProducer<String, String> producer(String... more) {
        return new KafkaProducer<>(properties(more), new StringSerializer(), new StringSerializer());
    }

    KafkaConsumer<String, String> consumer() {
        return new KafkaConsumer<>(properties("auto.offset.reset", "earliest"), new StringDeserializer(), new StringDeserializer());
    }

    static void check(boolean holds, Object told) {
        if (!holds) throw new AssertionError(String.valueOf(told));
    }

    static void refused(Class<?> wanted, Callable<?> attempt) throws Exception {
        try {
            attempt.call();
        } catch (ExecutionException error) {
            check(wanted.isInstance(error.getCause()), error.getCause());
            return;
        }
        throw new AssertionError("it was not refused with " + wanted.getSimpleName());
    }

    static void eventually(Callable<Boolean> holds) throws Exception {
        long deadline = System.currentTimeMillis() + 20_000;
        while (!holds.call()) {
            check(System.currentTimeMillis() < deadline, "it did not come true within 20 s");
            Thread.sleep(100);
        }
    }

    void createTopic() throws Exception {
        var result = admin.createTopics(List.of(new NewTopic(topic, PARTITIONS, (short) 3).configs(Map.of("min.insync.replicas", "2"))));
        result.all().get();
        check(result.numPartitions(topic).get() == PARTITIONS, "partitions");
        Config config = result.config(topic).get();
        check(config.get("min.insync.replicas").value().equals("2") && config.get("retention.ms") != null, config);
        eventually(() -> admin.listTopics().names().get().contains(topic));
    }

    void produce() throws Exception {
        int size = RECORDS / CODECS.length;
        for (int at = 0; at < CODECS.length; at++) {
            var producer = producer("compression.type", CODECS[at], "acks", "all", "linger.ms", "5", "enable.idempotence", "true");
            Map<Integer, Future<RecordMetadata>> sent = new HashMap<>();
            for (int n = at * size; n < (at + 1) * size; n++) {
                var record = new ProducerRecord<>(topic, null, timeOf(n), keyOf(n), valueOf(n));
                record.headers().add("n", String.valueOf(n).getBytes()).add("twice", "first".getBytes()).add("twice", "second".getBytes());
                sent.put(n, producer.send(record));
            }
            for (var one : sent.entrySet()) {
                RecordMetadata told = one.getValue().get();
                var before = noted.get(new TopicPartition(topic, told.partition())).put(told.offset(), one.getKey());
                check(before == null, told + " was given twice");
            }
            producer.close();
        }
    }

    void consume() {
        try (var consumer = consumer()) {
            consumer.assign(places());
            Map<Integer, Long> next = new HashMap<>();
            long deadline = System.currentTimeMillis() + 60_000;
            for (int left = RECORDS; left > 0;) {
                check(System.currentTimeMillis() < deadline, left + " records did not come");
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(500))) {
                    long wanted = next.getOrDefault(record.partition(), 0L);
                    check(record.offset() == wanted, record);
                    next.put(record.partition(), wanted + 1);
                    checkRecord(record, noted.get(new TopicPartition(topic, record.partition())).get(record.offset()));
                    left--;
                }
            }
        }
    }

    void checkRecord(ConsumerRecord<String, String> record, int n) {
        check(record.key().equals(keyOf(n)) && record.value().equals(valueOf(n)) && record.timestamp() == timeOf(n), record);
        List<String> headers = new ArrayList<>();
        for (Header header : record.headers()) headers.add(header.key() + "=" + new String(header.value()));
        check(headers.equals(List.of("n=" + n, "twice=first", "twice=second")), headers);
    }

    void ends() {
        try (var consumer = consumer()) {
            for (var end : consumer.endOffsets(places()).entrySet()) {
                check(end.getValue() == noted.get(end.getKey()).size(), end);
            }
        }
    }

    void seekByTime() throws Exception {
        long middle = timeOf(RECORDS / 2);
        try (var consumer = consumer()) {
            Map<TopicPartition, Long> wanted = new HashMap<>();
            for (TopicPartition place : places()) wanted.put(place, middle);
            for (var found : consumer.offsetsForTimes(wanted).entrySet()) {
                var place = noted.get(found.getKey());
                long first = place.keySet().stream().filter(offset -> timeOf(place.get(offset)) >= middle).min(Long::compare).get();
                check(found.getValue().offset() == first && found.getValue().timestamp() == timeOf(place.get(first)), found + ", first is " + first);
            }
            var later = consumer.offsetsForTimes(Map.of(places().get(0), timeOf(RECORDS + 1)));
            check(later.get(places().get(0)) == null, later);
        }
        var youngest = admin.listOffsets(Map.of(places().get(0), OffsetSpec.maxTimestamp())).all().get().get(places().get(0));
        var place = noted.get(places().get(0));
        long newest = place.keySet().stream().max((a, b) -> Long.compare(timeOf(place.get(a)), timeOf(place.get(b)))).get();
        check(youngest.offset() == newest && youngest.timestamp() == timeOf(place.get(newest)), youngest + ", newest is " + newest);
    }

    Config configs() throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        return admin.describeConfigs(List.of(resource)).all().get().get(resource);
    }

    void describeConfigs() throws Exception {
        ConfigEntry set = configs().get("min.insync.replicas");
        check(set.value().equals("2") && set.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, set);
        ConfigEntry usual = configs().get("retention.ms");
        check(usual.value().equals("604800000") && usual.isDefault() && usual.type() == ConfigEntry.ConfigType.LONG, usual);
        ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, "1");
        ConfigEntry largest = admin.describeConfigs(List.of(broker)).all().get().get(broker).get("message.max.bytes");
        check(largest.value().equals("1048588") && largest.isReadOnly(), largest);
    }

    void change(AlterConfigOp.OpType what, String name, String value) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        Collection<AlterConfigOp> ops = List.of(new AlterConfigOp(new ConfigEntry(name, value), what));
        admin.incrementalAlterConfigs(Map.of(resource, ops)).all().get();
    }

    void alterConfigs() throws Exception {
        change(AlterConfigOp.OpType.SET, "retention.ms", "3600000");
        eventually(() -> configs().get("retention.ms").value().equals("3600000"));
        change(AlterConfigOp.OpType.APPEND, "cleanup.policy", "compact");
        eventually(() -> configs().get("cleanup.policy").value().equals("delete,compact"));
        change(AlterConfigOp.OpType.DELETE, "cleanup.policy", null);
        eventually(() -> configs().get("cleanup.policy").isDefault());
        refused(InvalidConfigurationException.class, () -> {
            change(AlterConfigOp.OpType.SET, "retention.ms", "soon");
            return null;
        });
    }

    void tooLarge() throws Exception {
        admin.createTopics(List.of(new NewTopic("java-small", 1, (short) 3).configs(Map.of("max.message.bytes", "1000")))).all().get();
        try (var producer = producer()) {
            refused(RecordTooLargeException.class, () -> producer.send(new ProducerRecord<>("java-small", "x".repeat(2000))).get());
        }
    }

    void createPartitions() throws Exception {
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(PARTITIONS + 2))).all().get();
        eventually(() -> admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size() == PARTITIONS + 2);
    }

    void describeCluster() throws Exception {
        check(admin.describeCluster().nodes().get().size() == 3 && admin.describeCluster().clusterId().get() != null, "nodes");
        check(admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().get(0).isr().size() == 3, "ISR");
        var directories = admin.describeLogDirs(List.of(1)).allDescriptions().get().get(1).values();
        check(directories.iterator().next().replicaInfos().containsKey(places().get(0)), directories);
    }

    void deleteRecords() throws Exception {
        var place = places().get(0);
        var told = admin.deleteRecords(Map.of(place, RecordsToDelete.beforeOffset(10))).lowWatermarks().get(place).get();
        check(told.lowWatermark() == 10, told);
        check(admin.listOffsets(Map.of(place, OffsetSpec.earliest())).all().get().get(place).offset() == 10, "log start");
    }

    void autoCreate() throws Exception {
        try (var producer = producer()) {
            check(producer.send(new ProducerRecord<>("java-auto", "first")).get().offset() == 0, "offset");
        }
    }

    void refusals() throws Exception {
        refused(InvalidTopicException.class, () -> admin.createTopics(List.of(new NewTopic("a/b", 1, (short) 1))).all().get());
        refused(TopicExistsException.class, () -> admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get());
    }

    void brokerStop() throws Exception {
        String name = "java-stop";
        admin.createTopics(List.of(new NewTopic(name, PARTITIONS, (short) 3).configs(Map.of("min.insync.replicas", "2")))).all().get();
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        Map<String, String> written = new HashMap<>();
        Map<String, String> read = new HashMap<>();
        try (var producer = producer("linger.ms", "5")) {
            for (int n = 0; n < STOP_RECORDS; n++) {
                if (n == STOP_RECORDS / 3) System.out.println("halfway");
                sent.add(producer.send(new ProducerRecord<>(name, keyOf(n), valueOf(n))));
                Thread.sleep(2);
            }
            for (int n = 0; n < STOP_RECORDS; n++) {
                RecordMetadata told = sent.get(n).get();
                written.put(told.partition() + "/" + told.offset(), valueOf(n));
            }
        }
        try (var consumer = consumer()) {
            List<TopicPartition> places = new ArrayList<>();
            for (int index = 0; index < PARTITIONS; index++) places.add(new TopicPartition(name, index));
            consumer.assign(places);
            long deadline = System.currentTimeMillis() + 60_000;
            while (read.size() < STOP_RECORDS && System.currentTimeMillis() < deadline) {
                for (var record : consumer.poll(Duration.ofMillis(500))) read.put(record.partition() + "/" + record.offset(), record.value());
            }
        }
        check(read.equals(written), "what was acknowledged is not what is there: " + read.size() + " of " + written.size());
    }

    /** A member of a group, with what it was assigned. */
    KafkaConsumer<String, String> member(String group, String topic) {
        Properties properties = properties(
            "group.id", group, "auto.offset.reset", "earliest", "enable.auto.commit", "false", "metadata.max.age.ms", "1000");
        if (newer) {
            properties.put("group.protocol", "consumer");
        } else {
            properties.put("session.timeout.ms", "6000");
            properties.put("heartbeat.interval.ms", "500");
        }
        var member = new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer());
        member.subscribe(List.of(topic));
        return member;
    }

    void read(KafkaConsumer<String, String> member, Map<String, String> read) {
        for (var record : member.poll(Duration.ofMillis(200))) {
            String before = read.putIfAbsent(record.partition() + "/" + record.offset(), record.value());
            check(before == null || before.equals(record.value()), "two values at " + record);
        }
    }

    /** Polls until the members share all partitions, each has some, and none has two owners. */
    void settle(List<KafkaConsumer<String, String>> members, Map<String, String> read) {
        long deadline = System.currentTimeMillis() + 60_000;
        while (true) {
            Set<Integer> owned = new HashSet<>();
            int sum = 0;
            boolean idle = false;
            for (var member : members) {
                read(member, read);
                for (var place : member.assignment()) owned.add(place.partition());
                sum += member.assignment().size();
                idle |= member.assignment().isEmpty();
            }
            if (!idle && sum == PARTITIONS && owned.size() == PARTITIONS) return;
            check(System.currentTimeMillis() < deadline, "partitions are owned like this: " + owned + " of " + sum);
        }
    }

    void readAll(List<KafkaConsumer<String, String>> members, Map<String, String> read, int count) {
        long deadline = System.currentTimeMillis() + 90_000;
        while (read.size() < count) {
            for (var member : members) read(member, read);
            check(System.currentTimeMillis() < deadline, (count - read.size()) + " records did not come");
        }
    }

    void write(String name, int from, int to) throws Exception {
        try (var producer = producer("linger.ms", "5")) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int n = from; n < to; n++) sent.add(producer.send(new ProducerRecord<>(name, n % PARTITIONS, keyOf(n), valueOf(n))));
            for (var one : sent) one.get();
        }
    }

    void createShared(String name) throws Exception {
        admin.createTopics(List.of(new NewTopic(name, PARTITIONS, (short) 3).configs(Map.of("min.insync.replicas", "2")))).all().get();
        eventually(() -> admin.listTopics().names().get().contains(name));
    }

    void groups() throws Exception {
        live("java-shared", "java-shared-group");
    }

    void newerGroups() throws Exception {
        newer = true;
        try {
            live("java-newer", "java-newer-group");
            var told = admin.describeConsumerGroups(List.of("java-newer-group")).all().get().get("java-newer-group");
            check(told.state() == ConsumerGroupState.EMPTY && told.type() == GroupType.CONSUMER, told);
        } finally {
            newer = false;
        }
    }

    void live(String name, String group) throws Exception {
        createShared(name);
        write(name, 0, GROUP_RECORDS / 2);
        Map<String, String> read = new HashMap<>();
        var first = member(group, name);
        settle(List.of(first), read);
        readAll(List.of(first), read, GROUP_RECORDS / 2);
        first.commitSync();
        var second = member(group, name);
        settle(List.of(first, second), read);
        write(name, GROUP_RECORDS / 2, GROUP_RECORDS);
        readAll(List.of(first, second), read, GROUP_RECORDS);
        first.commitSync();
        second.commitSync();
        second.close();
        settle(List.of(first), read);
        // A process that dies says nothing; its session decides.
        var command = List.of(
            System.getProperty("java.home") + "/bin/java", "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"), "Client",
            bootstrap, newer ? "newer-member" : "member", group, name);
        Process third = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
        long deadline = System.currentTimeMillis() + 60_000;
        while (first.assignment().isEmpty() || first.assignment().size() == PARTITIONS) {
            read(first, read);
            check(System.currentTimeMillis() < deadline, "the other process does not become a member");
        }
        third.destroyForcibly().waitFor();
        settle(List.of(first), read);
        first.commitSync();
        first.close();
        // Whoever comes later goes on where the group has stopped.
        Map<String, String> later = new HashMap<>();
        var again = member(group, name);
        settle(List.of(again), later);
        write(name, GROUP_RECORDS, GROUP_RECORDS + 100);
        readAll(List.of(again), later, 100);
        for (int n = GROUP_RECORDS; n < GROUP_RECORDS + 100; n++) check(later.containsValue(valueOf(n)), "record " + n + " is missing");
        check(later.size() == 100, "the group did not go on where it had stopped: " + later.size());
        again.commitSync();
        again.close();
    }

    void beMember(String group, String name) {
        var member = member(group, name);
        while (true) member.poll(Duration.ofMillis(200));
    }

    void groupAdmin() throws Exception {
        String name = "java-shared", group = "java-shared-group";
        check(admin.listConsumerGroups().all().get().stream().anyMatch(told -> told.groupId().equals(group)), "it is not listed");
        var member = member(group, name);
        settle(List.of(member), new HashMap<>());
        var told = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        check(told.state() == ConsumerGroupState.STABLE && told.members().iterator().next().assignment().topicPartitions().size() == PARTITIONS, told);
        member.close();
        var offsets = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        check(offsets.values().stream().mapToLong(OffsetAndMetadata::offset).sum() == GROUP_RECORDS + 100, offsets);
        var place = new TopicPartition(name, 0);
        admin.alterConsumerGroupOffsets(group, Map.of(place, new OffsetAndMetadata(7, "by hand"))).all().get();
        var set = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(place);
        check(set.offset() == 7 && set.metadata().equals("by hand"), set);
        admin.deleteConsumerGroupOffsets(group, Set.of(place)).all().get();
        check(!admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().containsKey(place), "it is still there");
        groupsTool("--describe", "--group", group);
        check(groupsTool("--list").contains(group), "the tool does not list it");
        String reset = groupsTool("--group", group, "--topic", name, "--reset-offsets", "--to-earliest", "--execute");
        check(reset.contains(name), reset);
        long sum = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().values().stream().mapToLong(OffsetAndMetadata::offset).sum();
        check(sum == 0, "reset to " + sum);
        admin.deleteConsumerGroups(List.of(group)).all().get();
        check(admin.listConsumerGroups().all().get().stream().noneMatch(left -> left.groupId().equals(group)), "it is still listed");
    }

    /** What Kafka's own tool says. */
    String groupsTool(String... words) throws Exception {
        List<String> command = new ArrayList<>(List.of(
            System.getProperty("java.home") + "/bin/java", "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"),
            "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--bootstrap-server", bootstrap));
        command.addAll(List.of(words));
        Process tool = new ProcessBuilder(command).redirectErrorStream(true).start();
        String told = new String(tool.getInputStream().readAllBytes());
        check(tool.waitFor() == 0 && !told.contains("Error"), told);
        return told;
    }

    void coordinatorStop() throws Exception {
        String name = "java-outlived";
        createShared(name);
        List<String> groups = new ArrayList<>();
        for (int n = 0; n < 20; n++) groups.add(name + "-" + n);
        var told = admin.describeConsumerGroups(groups).describedGroups();
        String group = null;
        for (var one : told.entrySet()) {
            // Newer clients say that there is no such group, older ones describe a dead one.
            try (var probe = member(one.getKey(), name)) {
                settle(List.of(probe), new HashMap<>());
            }
            if (admin.describeConsumerGroups(List.of(one.getKey())).all().get().get(one.getKey()).coordinator().id() == 1) {
                group = one.getKey();
                break;
            }
        }
        int total = STOP_RECORDS / 3;
        Map<String, String> read = new HashMap<>();
        var members = List.of(member(group, name), member(group, name));
        settle(members, read);
        for (int written = 0; written < total; written += 20) {
            if (written == total / 2) System.out.println("halfway");
            write(name, written, written + 20);
            for (var member : members) {
                read(member, read);
                try {
                    member.commitSync(Duration.ofSeconds(5));
                } catch (KafkaException error) {
                    // A rebalance, or no coordinator: the next commit says it again.
                    System.err.println(error);
                }
            }
        }
        readAll(members, read, total);
        check(read.size() == total, "records that nobody has written: " + read.size());
        settle(members, read);
        for (var member : members) {
            member.commitSync();
            member.close();
        }
        Map<String, String> later = new HashMap<>();
        try (var again = member(group, name)) {
            settle(List.of(again), later);
        }
        check(later.isEmpty(), later.size() + " records were read again that had been committed");
    }

    void deleteTopic() throws Exception {
        admin.deleteTopics(List.of(topic)).all().get();
        eventually(() -> !admin.listTopics().names().get().contains(topic));
    }

    interface Step {
        void run() throws Exception;
    }

    static void attempt(String name, Step step) {
        try {
            step.run();
            System.out.println("ok " + name);
        } catch (Throwable error) {
            error.printStackTrace();
            System.out.println("failed " + name + ": " + error);
        }
    }

    public static void main(String[] arguments) {
        Client client = new Client(arguments[0]);
        if (arguments.length > 1) {
            switch (arguments[1]) {
                case "member" -> client.beMember(arguments[2], arguments[3]);
                case "newer-member" -> {
                    client.newer = true;
                    client.beMember(arguments[2], arguments[3]);
                }
                case "coordinator-stop" -> attempt("coordinator-stop", client::coordinatorStop);
                case "newer-coordinator-stop" -> {
                    client.newer = true;
                    attempt("newer-coordinator-stop", client::coordinatorStop);
                }
                default -> attempt("broker-stop", client::brokerStop);
            }
            return;
        }
        attempt("create-topic", client::createTopic);
        attempt("produce", client::produce);
        attempt("consume", client::consume);
        attempt("ends", client::ends);
        attempt("seek-by-time", client::seekByTime);
        attempt("describe-configs", client::describeConfigs);
        attempt("alter-configs", client::alterConfigs);
        attempt("too-large", client::tooLarge);
        attempt("create-partitions", client::createPartitions);
        attempt("describe-cluster", client::describeCluster);
        attempt("delete-records", client::deleteRecords);
        attempt("auto-create", client::autoCreate);
        attempt("refusals", client::refusals);
        attempt("groups", client::groups);
        attempt("group-admin", client::groupAdmin);
        // Clients of 3.9 speak it as a preview, in another version.
        if (!AppInfoParser.getVersion().startsWith("3.")) attempt("newer-groups", client::newerGroups);
        attempt("delete-topic", client::deleteTopic);
        client.admin.close(Duration.ofSeconds(5));
    }
}
