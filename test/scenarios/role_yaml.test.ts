import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { isObject } from '../../src/core/json.ts'
import { SEQUENCE } from './sequences.ts'

/** A task of role.yaml, with what its play says of it. */
interface Task {
  readonly name: string
  readonly hosts: string
  readonly tags: readonly string[]
}

const ROLE = join(import.meta.dirname, '../../playbooks/role.yaml')

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

const tagsOf = (item: Record<string, unknown>): readonly string[] =>
  listOf(item['tags']).map(String)

/** The tasks in the order in which they run, imports in their place. */
function tasksOf(path: string, outer: Omit<Task, 'name'> = { hosts: 'all', tags: [] }): Task[] {
  const items = listOf(parse(readFileSync(path, 'utf8')))
  return items.filter(isObject).flatMap((item) => {
    const tags = [...outer.tags, ...tagsOf(item)]
    const hosts = typeof item['hosts'] === 'string' ? item['hosts'] : outer.hosts
    if (typeof item['import'] === 'string')
      return tasksOf(join(dirname(path), item['import']), { hosts, tags })
    if (!Array.isArray(item['tasks'])) return [{ name: String(item['name']), hosts, tags }]
    return item['tasks'].filter(isObject).flatMap((task) => {
      const all = [...tags, ...tagsOf(task)]
      return typeof task['import'] === 'string'
        ? tasksOf(join(dirname(path), task['import']), { hosts, tags: all })
        : [{ name: String(task['name']), hosts, tags: all }]
    })
  })
}

const tasks = tasksOf(ROLE)

test.each(['role', 'alone', 'pair', 'impair', 'handover', 'digest', 'reads'])(
  "the steps tagged '%s' are tasks of role.yaml, in their order and on their hosts",
  (tag) => {
    const hosts = { leader: 'leader', follower: 'follower', both: 'all' }
    const steps = SEQUENCE.filter(({ tags }) => tags.includes(tag))
    const wanted = steps.map(({ task, on }) => `${hosts[on]}: ${task}`)
    const there = tasks.filter(({ tags }) => tags.includes(tag))
    const names = there.map(({ name, hosts }) => `${hosts}: ${name}`)
    // Others may stand between them: what they do is nothing to the simulated world.
    expect(names.filter((name) => wanted.includes(name))).toEqual(wanted)
  },
)
