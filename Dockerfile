# brokerlab as a container, configured like Kafka's own image: every KAFKA_... variable is a property.
#
#   docker build -t brokerlab .
#   docker run -p 9092:9092 brokerlab
#   docker run -e KAFKA_NUM_PARTITIONS=3 -e KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://my-host:9092 -p 9092:9092 -v data:/data brokerlab
#
# Clients are told 127.0.0.1, not localhost, which some of them take for ::1.
# Without further ado it is a broker and its controller in one process. A broker of a larger cluster:
#   -e KAFKA_PROCESS_ROLES=broker -e KAFKA_NODE_ID=1 -e KAFKA_CONTROLLER_QUORUM_VOTERS=100@controller:9093
#   -e KAFKA_LISTENERS=PLAINTEXT://:9092 -e KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://broker-1:9092

FROM rust:1-slim-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
COPY --from=build /source/target/release/brokerlab /usr/local/bin/brokerlab
RUN useradd --uid 1000 --no-create-home --shell /usr/sbin/nologin brokerlab && install -d -o brokerlab /data
USER brokerlab
VOLUME /data
EXPOSE 9092 9090
ENV KAFKA_PROCESS_ROLES=broker,controller \
    KAFKA_NODE_ID=1 \
    KAFKA_LISTENERS=PLAINTEXT://:9092,CONTROLLER://:9093 \
    KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://127.0.0.1:9092 \
    KAFKA_CONTROLLER_QUORUM_VOTERS=1@localhost:9093 \
    KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER \
    KAFKA_LOG_DIRS=/data
STOPSIGNAL SIGTERM
ENTRYPOINT ["brokerlab", "serve", "--env", "--metrics", "0.0.0.0:9090"]
