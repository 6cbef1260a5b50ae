// The records that every client writes and reads, and how a program tells what it tried: see common.py.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { join } from 'node:path'

export const PARTITIONS = 6
export const RECORDS = 5000
// Shared by the members of a group.
export const GROUP_RECORDS = 600
// Yesterday: what is written today may neither be given up by retention nor lie in the future.
export const BEGINNING = (Math.floor(Date.now() / 1000) - 86_400) * 1000

export const keyOf = n => `key-${n % 97}`
export const valueOf = n => `value ${n} ${'abcdefgh'.repeat(n % 13)}`
export const timeOf = n => BEGINNING + n * 1000

// Packages lie where the test has installed them, not beside this file.
export const load = name => createRequire(join(process.argv[3], 'package.json'))(name)
export const resolve = name => createRequire(join(process.argv[3], 'package.json')).resolve(name)

export class Journal {
  constructor () {
    this.noted = new Map()
    this.next = new Map()
  }

  note (n, partition, offset) {
    const place = `${partition}/${offset}`
    assert(!this.noted.has(place), `${place} was given twice`)
    this.noted.set(place, n)
  }

  end (partition) {
    return [...this.noted.keys()].filter(place => place.startsWith(`${partition}/`)).length
  }

  firstAt (partition, timestamp) {
    const offsets = [...this.noted].filter(([place, n]) => place.startsWith(`${partition}/`) && timeOf(n) >= timestamp)
    return Math.min(...offsets.map(([place]) => Number(place.split('/')[1])))
  }

  // A record was read: is it the one that was acknowledged there?
  check (partition, offset, key, value, headers, timestamp) {
    const n = this.noted.get(`${partition}/${offset}`)
    assert.equal(offset, this.next.get(partition) ?? 0, `order in partition ${partition}`)
    this.next.set(partition, offset + 1)
    assert.deepEqual([key, value, headers, timestamp], [keyOf(n), valueOf(n), headersOf(n), timeOf(n)])
  }

  finish () {
    const read = [...this.next.values()].reduce((sum, end) => sum + end, 0)
    assert.equal(read, this.noted.size, 'records read')
  }
}

export const headersOf = n => [['n', String(n)], ['twice', 'first'], ['twice', 'second']]

// What the controller has decided reaches each broker a little later.
export async function eventually (holds, patience = 20_000) {
  const deadline = Date.now() + patience
  while (!(await holds())) {
    assert(Date.now() < deadline, `it did not come true within ${patience / 1000} s`)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

// A group lives: members come, leave and come back. `join(name, group)` makes a member, which tells its partitions (`owned()`) and what it has read
// (`read`, by place), commits what it has read, and can leave; `write(name, from, to)` writes records.
export async function share (name, { join, write }) {
  const group = `${name}-group`
  const settled = members => eventually(() => {
    const owned = members.map(member => member.owned())
    return owned.every(some => some.length > 0) && owned.flat().length === PARTITIONS && new Set(owned.flat()).size === PARTITIONS
  }, 60_000)
  const all = members => new Set(members.flatMap(member => [...member.read.keys()]))
  await write(name, 0, GROUP_RECORDS / 2)
  const first = await join(name, group)
  await settled([first])
  await eventually(() => all([first]).size === GROUP_RECORDS / 2)
  const second = await join(name, group)
  await settled([first, second])
  await write(name, GROUP_RECORDS / 2, GROUP_RECORDS)
  await eventually(() => all([first, second]).size === GROUP_RECORDS, 60_000)
  await second.leave()
  await settled([first])
  await first.leave()
  // Whoever comes later goes on where the group has stopped.
  const again = await join(name, group)
  await settled([again])
  await write(name, GROUP_RECORDS, GROUP_RECORDS + 100)
  await eventually(() => again.read.size >= 100)
  const values = [...again.read.values()].sort()
  const wanted = [...Array(100).keys()].map(n => valueOf(GROUP_RECORDS + n)).sort()
  assert.deepEqual(values, wanted, 'the group did not go on where it had stopped')
  await again.leave()
  return group
}

// Tries each step, tells how it went, and ends, whatever is still open.
export async function run (steps) {
  for (const [name, step] of Object.entries(steps)) {
    try {
      await step()
      console.log(`ok ${name}`)
    } catch (error) {
      console.error(error)
      console.log(`failed ${name}: ${String(error).split('\n')[0]}`)
    }
  }
  process.exit(0)
}
