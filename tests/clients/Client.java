// What the Java client can do with the broker: one line of output for each thing tried.
//
// usage: Client BOOTSTRAP [broker-stop]

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
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
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class Client {
    static final int PARTITIONS = 6;
    static final int RECORDS = 5000;
    // Written while a broker is killed and comes back.
    static final int STOP_RECORDS = 3000;
    static final String[] CODECS = {"none", "gzip", "snappy", "lz4", "zstd"};
    // Yesterday: what is written today may neither be given up by retention nor lie in the future.
    static final long BEGINNING = (System.currentTimeMillis() / 1000 - 86_400) * 1000;

    final String bootstrap;
    final String topic = "java";
    final Admin admin;
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
            attempt("broker-stop", client::brokerStop);
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
        attempt("delete-topic", client::deleteTopic);
        client.admin.close(Duration.ofSeconds(5));
    }
}
