// What kafkajs can do with the broker: one line of output for each thing tried.
//
// usage: kafkajs.mjs BOOTSTRAP DIRECTORY-OF-PACKAGES
//
// It reads through consumer groups only, and compresses with gzip only unless plugins are added.

import assert from 'node:assert/strict'
import { GROUP_RECORDS, Journal, PARTITIONS, RECORDS, eventually, keyOf, load, run, share, timeOf, valueOf } from './common.mjs'

const { Kafka, CompressionTypes, ConfigResourceTypes, logLevel } = load('kafkajs')
const topic = 'kafkajs'
const kafka = new Kafka({ clientId: 'test', brokers: process.argv[2].split(','), logLevel: logLevel.NOTHING, retry: { retries: 5 } })
const journal = new Journal()
const admin = kafka.admin()
await admin.connect()

async function createTopic () {
  const configEntries = [{ name: 'min.insync.replicas', value: '2' }]
  assert(await admin.createTopics({ topics: [{ topic, numPartitions: PARTITIONS, replicationFactor: 3, configEntries }] }))
}

async function produce () {
  for (const [at, compression] of [CompressionTypes.None, CompressionTypes.GZIP].entries()) {
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false })
    await producer.connect()
    for (let first = at * RECORDS / 2; first < (at + 1) * RECORDS / 2; first += 100) {
      const numbers = [...Array(100).keys()].map(i => first + i)
      // Every record of a batch to a partition of its own choice: kafkajs tells only where a batch begins.
      for (const partition of Array(PARTITIONS).keys()) {
        const mine = numbers.filter(n => n % 97 % PARTITIONS === partition)
        const messages = mine.map(n => ({
          partition, key: keyOf(n), value: valueOf(n), timestamp: String(timeOf(n)), headers: { n: String(n), twice: ['first', 'second'] }
        }))
        if (messages.length === 0) continue
        const [told] = await producer.send({ topic, acks: -1, compression, messages })
        mine.forEach((n, i) => journal.note(n, partition, Number(told.baseOffset) + i))
      }
    }
    await producer.disconnect()
  }
  assert.equal(journal.noted.size, RECORDS)
}

async function ends () {
  const offsets = await admin.fetchTopicOffsets(topic)
  assert.equal(offsets.length, PARTITIONS)
  for (const { partition, low, high } of offsets) {
    assert.deepEqual([Number(low), Number(high)], [0, journal.end(partition)])
  }
}

async function seekByTime () {
  const middle = timeOf(RECORDS / 2)
  for (const { partition, offset } of await admin.fetchTopicOffsetsByTimestamp(topic, middle)) {
    assert.equal(Number(offset), journal.firstAt(partition, middle), `partition ${partition}`)
  }
}

const configs = async () => {
  const told = await admin.describeConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }], includeSynonyms: true })
  return Object.fromEntries(told.resources[0].configEntries.map(entry => [entry.configName, entry.configValue]))
}

async function describeConfigs () {
  const told = await configs()
  assert.deepEqual([told['min.insync.replicas'], told['retention.ms']], ['2', '604800000'])
}

async function alterConfigs () {
  const change = value => admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries: [{ name: 'retention.ms', value }] }]
  })
  await change('3600000')
  await eventually(async () => (await configs())['retention.ms'] === '3600000')
  assert.equal((await configs())['min.insync.replicas'], '1', 'what is not named falls back')
  await assert.rejects(change('soon'), error => error.type === 'INVALID_CONFIG')
}

async function tooLarge () {
  const small = `${topic}-small`
  await admin.createTopics({
    topics: [{ topic: small, numPartitions: 1, replicationFactor: 3, configEntries: [{ name: 'max.message.bytes', value: '1000' }] }]
  })
  const producer = kafka.producer()
  await producer.connect()
  const sent = producer.send({ topic: small, messages: [{ value: 'x'.repeat(2000) }] })
  await assert.rejects(sent, error => error.type === 'MESSAGE_TOO_LARGE')
  await producer.disconnect()
}

const partitions = async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length

async function createPartitions () {
  await admin.createPartitions({ topicPartitions: [{ topic, count: PARTITIONS + 2 }] })
  await eventually(async () => await partitions() === PARTITIONS + 2)
}

async function describeCluster () {
  const cluster = await admin.describeCluster()
  assert(cluster.brokers.length === 3 && cluster.clusterId)
}

async function deleteRecords () {
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '10' }] })
  const [first] = (await admin.fetchTopicOffsets(topic)).filter(told => told.partition === 0)
  assert.equal(first.low, '10')
}

async function autoCreate () {
  const producer = kafka.producer({ allowAutoTopicCreation: true })
  await producer.connect()
  const [told] = await producer.send({ topic: `${topic}-auto`, messages: [{ value: 'first' }] })
  assert.equal(told.baseOffset, '0')
  await producer.disconnect()
}

async function refusals () {
  const create = name => admin.createTopics({ topics: [{ topic: name, numPartitions: 1, replicationFactor: 1 }] })
  await assert.rejects(create('a/b'), error => error.errors[0].type === 'INVALID_TOPIC_EXCEPTION')
  assert.equal(await create(topic), false, 'it is there already')
}

async function join (name, groupId) {
  const consumer = kafka.consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 500, metadataMaxAge: 1000 })
  const member = { owned: () => partitions, read: new Map(), leave: () => consumer.disconnect() }
  let partitions = []
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => { partitions = payload.memberAssignment[name] ?? [] })
  await consumer.connect()
  await consumer.subscribe({ topics: [name], fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ partition, message }) => { member.read.set(`${partition}/${message.offset}`, message.value.toString()) }
  })
  return member
}

async function write (name, from, to) {
  const producer = kafka.producer({ allowAutoTopicCreation: false })
  await producer.connect()
  const messages = []
  for (let n = from; n < to; n++) messages.push({ partition: n % PARTITIONS, key: keyOf(n), value: valueOf(n) })
  await producer.send({ topic: name, acks: -1, messages })
  await producer.disconnect()
}

async function groups () {
  const name = `${topic}-shared`
  await admin.createTopics({ topics: [{ topic: name, numPartitions: PARTITIONS, replicationFactor: 3 }], waitForLeaders: true })
  await share(name, { join, write })
}

async function groupAdmin () {
  const [name, groupId] = [`${topic}-shared`, `${topic}-shared-group`]
  assert((await admin.listGroups()).groups.some(told => told.groupId === groupId))
  const [told] = (await admin.describeGroups([groupId])).groups
  assert.equal(told.state, 'Empty')
  const sum = async () => (await admin.fetchOffsets({ groupId, topics: [name] }))[0].partitions.reduce((sum, p) => sum + Number(p.offset), 0)
  assert.equal(await sum(), GROUP_RECORDS + 100)
  await admin.setOffsets({ groupId, topic: name, partitions: [...Array(PARTITIONS).keys()].map(partition => ({ partition, offset: '7' })) })
  assert.equal(await sum(), 7 * PARTITIONS)
  await admin.deleteGroups([groupId])
  assert(!(await admin.listGroups()).groups.some(told => told.groupId === groupId))
}

async function deleteTopic () {
  await admin.deleteTopics({ topics: [topic] })
  await eventually(async () => !(await admin.listTopics()).includes(topic))
}

await run({
  'create-topic': createTopic,
  produce,
  ends,
  'seek-by-time': seekByTime,
  'describe-configs': describeConfigs,
  'alter-configs': alterConfigs,
  'too-large': tooLarge,
  'create-partitions': createPartitions,
  'describe-cluster': describeCluster,
  'delete-records': deleteRecords,
  'auto-create': autoCreate,
  refusals,
  groups,
  'group-admin': groupAdmin,
  'delete-topic': deleteTopic
})
