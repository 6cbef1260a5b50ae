// What @platformatic/kafka can do with the broker: one line of output for each thing tried.
//
// usage: platformatic.mjs BOOTSTRAP DIRECTORY-OF-PACKAGES
//
// Without a consumer group it reads by single fetches, which is what is tried here. A header name cannot come twice in its records.

import assert from 'node:assert/strict'
import zlib from 'node:zlib'
import { BEGINNING, PARTITIONS, RECORDS, eventually, keyOf, resolve, run, share, timeOf, valueOf } from './common.mjs'

const { Admin, Consumer, Producer, stringDeserializers, stringSerializers } = await import(resolve('@platformatic/kafka'))
const topic = 'platformatic'
// Node has zstd from 22.15 on.
const CODECS = ['none', 'gzip', 'snappy', 'lz4', ...('zstdCompressSync' in zlib ? ['zstd'] : ['gzip'])]
const TOPIC = 2
const base = { clientId: 'test', bootstrapBrokers: process.argv[2].split(','), retries: 5 }
const admin = new Admin(base)
const consumer = new Consumer({ ...base, groupId: 'unused' })
const noted = new Map()

async function createTopic () {
  const configs = [{ name: 'min.insync.replicas', value: '2' }]
  const [told] = await admin.createTopics({ topics: [topic], partitions: PARTITIONS, replicas: 3, configs })
  assert.equal(told.partitions, PARTITIONS)
  await eventually(async () => (await admin.metadata({ topics: [topic], forceUpdate: true })).topics.get(topic)?.partitionsCount === PARTITIONS)
}

async function produce () {
  const size = RECORDS / CODECS.length
  for (const [at, compression] of CODECS.entries()) {
    const producer = new Producer({ ...base, idempotent: true, acks: -1, compression, serializers: stringSerializers })
    for (let first = at * size; first < (at + 1) * size; first += 200) {
      const numbers = [...Array(200).keys()].map(i => first + i)
      const messages = numbers.map(n => ({
        topic, partition: n % PARTITIONS, key: keyOf(n), value: valueOf(n), timestamp: BigInt(timeOf(n)), headers: { n: String(n) }
      }))
      for (const { partition, offset } of (await producer.send({ messages })).offsets) {
        numbers.filter(n => n % PARTITIONS === partition).forEach((n, i) => noted.set(`${partition}/${Number(offset) + i}`, n))
      }
    }
    await producer.close()
  }
  assert.equal(noted.size, RECORDS)
}

async function readPartition (partition) {
  const found = (await admin.metadata({ topics: [topic] })).topics.get(topic)
  const end = [...noted.keys()].filter(place => place.startsWith(`${partition}/`)).length
  for (let offset = 0; offset < end;) {
    const wanted = { partition, currentLeaderEpoch: -1, fetchOffset: BigInt(offset), lastFetchedEpoch: -1, partitionMaxBytes: 1 << 20 }
    const node = found.partitions[partition].leader
    const answer = await consumer.fetch({ node, maxWaitTime: 500, topics: [{ topicId: found.id, partitions: [wanted] }] })
    for (const batch of answer.responses[0].partitions[0].records ?? []) {
      for (const record of batch.records) {
        const at = Number(batch.firstOffset) + record.offsetDelta
        if (at < offset) continue
        assert.equal(at, offset, `order in partition ${partition}`)
        const n = noted.get(`${partition}/${at}`)
        const time = Number(batch.firstTimestamp + record.timestampDelta)
        const told = [record.key.toString(), record.value.toString(), time, record.headers.map(([k, v]) => [k.toString(), v.toString()])]
        assert.deepEqual(told, [keyOf(n), valueOf(n), timeOf(n), [['n', String(n)]]])
        offset++
      }
    }
  }
}

async function consume () {
  for (const partition of Array(PARTITIONS).keys()) await readPartition(partition)
}

async function ends () {
  const offsets = (await consumer.listOffsets({ topics: [topic] })).get(topic)
  assert.deepEqual(offsets.map(Number), offsets.map((_, i) => [...noted.keys()].filter(place => place.startsWith(`${i}/`)).length))
}

async function seekByTime () {
  const middle = timeOf(RECORDS / 2)
  const offsets = (await consumer.listOffsets({ topics: [topic], timestamp: BigInt(middle) })).get(topic)
  for (const [partition, offset] of offsets.entries()) {
    assert.equal((noted.get(`${partition}/${offset}`) - partition) / PARTITIONS, Math.ceil((RECORDS / 2 - partition) / PARTITIONS))
  }
  assert(BEGINNING < middle)
}

const configs = async () => {
  const [told] = await admin.describeConfigs({ resources: [{ resourceType: TOPIC, resourceName: topic }], includeSynonyms: true })
  return Object.fromEntries(told.configs.map(entry => [entry.name, entry.value]))
}

async function describeConfigs () {
  const told = await configs()
  assert.deepEqual([told['min.insync.replicas'], told['retention.ms']], ['2', '604800000'])
}

async function alterConfigs () {
  const change = value => admin.incrementalAlterConfigs({
    resources: [{ resourceType: TOPIC, resourceName: topic, configs: [{ name: 'retention.ms', configOperation: 0, value }] }]
  })
  await change('3600000')
  await eventually(async () => (await configs())['retention.ms'] === '3600000')
  await assert.rejects(change('soon'))
}

async function createPartitions () {
  await admin.createPartitions({ topics: [{ name: topic, count: PARTITIONS + 2, assignments: null }] })
  await eventually(async () => {
    return (await admin.metadata({ topics: [topic], forceUpdate: true })).topics.get(topic).partitionsCount === PARTITIONS + 2
  })
}

async function deleteRecords () {
  const [told] = await admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: 0, offset: 10n }] }] })
  assert.equal(told.partitions[0].lowWatermark, 10n)
}

async function autoCreate () {
  const producer = new Producer({ ...base, autocreateTopics: true, serializers: stringSerializers })
  const told = await producer.send({ messages: [{ topic: `${topic}-auto`, key: 'k', value: 'first' }] })
  assert.equal(told.offsets[0].offset, 0n)
  await producer.close()
}

async function refusals () {
  await assert.rejects(admin.createTopics({ topics: ['a/b'], partitions: 1, replicas: 1 }))
  await assert.rejects(admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 }))
}

async function join (name, groupId) {
  const member = new Consumer({ ...base, groupId, sessionTimeout: 6000, heartbeatInterval: 500, deserializers: stringDeserializers })
  const stream = await member.consume({ topics: [name], mode: 'committed', fallbackMode: 'earliest', autocommit: 100, maxWaitTime: 200 })
  const read = new Map()
  stream.on('data', ({ partition, offset, value }) => read.set(`${partition}/${offset}`, value))
  return {
    read,
    owned: () => member.assignments?.find(told => told.topic === name)?.partitions ?? [],
    leave: async () => {
      await stream.close()
      await member.close(true)
    }
  }
}

async function write (name, from, to) {
  const producer = new Producer({ ...base, acks: -1, serializers: stringSerializers })
  const messages = []
  for (let n = from; n < to; n++) messages.push({ topic: name, partition: n % PARTITIONS, key: keyOf(n), value: valueOf(n) })
  await producer.send({ messages })
  await producer.close()
}

async function groups () {
  const name = `${topic}-shared`
  await admin.createTopics({ topics: [name], partitions: PARTITIONS, replicas: 3 })
  await share(name, { join, write })
}

async function groupAdmin () {
  const group = `${topic}-shared-group`
  assert((await admin.listGroups()).has(group))
  assert.equal((await admin.describeGroups({ groups: [group] })).get(group).state, 'EMPTY')
  await admin.deleteGroups({ groups: [group] })
  assert(!(await admin.listGroups()).has(group))
}

async function deleteTopic () {
  await admin.deleteTopics({ topics: [topic] })
  await eventually(async () => !(await admin.listTopics()).includes(topic))
}

await run({
  'create-topic': createTopic,
  produce,
  consume,
  ends,
  'seek-by-time': seekByTime,
  'describe-configs': describeConfigs,
  'alter-configs': alterConfigs,
  'create-partitions': createPartitions,
  'delete-records': deleteRecords,
  'auto-create': autoCreate,
  refusals,
  groups,
  'group-admin': groupAdmin,
  'delete-topic': deleteTopic
})
