import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/core/json.ts'
import type { SalvagedObject } from '../../src/core/salvage.ts'
import { differenceOf, type SalvagedVersions } from '../../src/salvage/object_words.ts'
import { applied, wishesOf } from '../../src/salvage/wishes.ts'

const SALVAGED: SalvagedObject = {
  key: '/registry/deployments/default/web',
  class: 'spec',
  change: 'changed',
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  namespace: 'default',
  name: 'web',
  owner: null,
  changes: 1,
  first: null,
  last: null,
}

const web = (spec: JsonObject, metadata: JsonObject = {}): JsonObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'default', uid: 'u', resourceVersion: '7', ...metadata },
  spec,
  status: { ready: 1 },
})

const container = (image: string, name = 'web'): JsonObject => ({ name, image })

function told(over: Partial<SalvagedVersions>, now: JsonObject | null) {
  const versions = { salvaged: SALVAGED, before: null, after: null, unreadable: null, ...over }
  return differenceOf(versions, now)
}

const pod = (...containers: JsonObject[]) => web({ template: { spec: { containers } } })

const secret = (data: JsonObject, annotations: JsonObject = {}): JsonObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'door', annotations },
  data,
})

const spec = (image: string, replicas: number) => ({
  spec: {
    replicas,
    template: { spec: { containers: [container(image), container('x', 'log')] } },
  },
})

const rules = (...verbs: string[]) => ({ rules: [{ verbs }], note: 'x' })

describe('an operator is told', () => {
  test('what the losing side changed and the winning side has not, place by place', () => {
    const { words, kind } = told(
      { before: web({ replicas: 2, paused: true }), after: web({ replicas: 5, paused: true }) },
      web({ replicas: 3, paused: false }),
    )
    // That the winner is not paused any more is nobody's loss.
    expect({ words, kind }).toEqual({
      kind: 'differs',
      words: ['Deployment default/web: spec.replicas is 3 here, was 5 there'],
    })
  })

  test('of a list whose items have names the one that differs', () => {
    const { words } = told(
      {
        before: pod(container('a'), container('x', 'log')),
        after: pod(container('b'), container('x', 'log')),
      },
      pod(container('x', 'log'), container('a')),
    )
    expect(words).toEqual([
      'Deployment default/web: spec.template.spec.containers[web].image is "a" here, was "b" there',
    ])
  })

  test('that an object is the same now, whoever brought it there', () => {
    const same = told(
      { before: web({ replicas: 2 }), after: web({ replicas: 5 }) },
      web({ replicas: 5 }),
    )
    expect(same).toMatchObject({
      kind: 'same',
      words: ['Deployment default/web: is the same here now'],
    })
    const back = told(
      { before: web({ replicas: 2 }), after: web({ replicas: 2 }) },
      web({ replicas: 9 }),
    )
    expect(back.kind).toBe('same')
  })

  test('what was created, and what was deleted, on either side', () => {
    const created = { ...SALVAGED, change: 'created' } as const
    expect(told({ salvaged: created, after: web({}) }, null).words).toEqual([
      'Deployment default/web: is not here, was created there',
    ])
    expect(
      told({ salvaged: created, after: web({ replicas: 5 }) }, web({ replicas: 1 })).words,
    ).toEqual(['Deployment default/web: spec.replicas is 1 here, was 5 there'])
    expect(told({ before: web({}), after: web({ replicas: 5 }) }, null).words).toEqual([
      'Deployment default/web: is not here any more, was changed there',
    ])
    const deleted = { ...SALVAGED, change: 'deleted' } as const
    expect(told({ salvaged: deleted }, web({})).words).toEqual([
      'Deployment default/web: is here, was deleted there',
    ])
    expect(told({ salvaged: deleted }, null).kind).toBe('same')
  })

  test('of a secret where it differs, and nothing of what is in it', () => {
    const salvaged = { ...SALVAGED, kind: 'Secret', name: 'door' }
    const { words } = told(
      {
        salvaged,
        before: secret({ word: 'b2xk' }),
        after: secret({ word: 'bmV3' }, { note: 'bmV3' }),
      },
      secret({ word: 'b3Vycw==' }),
    )
    expect(words).toEqual([
      'Secret default/door: data.word differs (not shown)',
      'Secret default/door: metadata.annotations.note differs (not shown)',
    ])
    expect(words.join()).not.toMatch(/b2xk|bmV3|b3Vycw/)
  })

  test('that something was removed there, or can not be read', () => {
    const { words } = told(
      { before: web({ replicas: 2, paused: true }), after: web({ replicas: 2 }) },
      web({ replicas: 2, paused: true }),
    )
    expect(words).toEqual(['Deployment default/web: spec.paused is true here, was removed there'])
    expect(told({ unreadable: 'it is encrypted' }, web({}))).toMatchObject({
      kind: 'unreadable',
      words: ['Deployment default/web: it is encrypted'],
    })
  })
})

describe('what is applied', () => {
  test('is what the losing side changed and no more: the rest is the winner’s', () => {
    expect(applied(wishesOf(spec('a', 2), spec('b', 2)))).toEqual({
      spec: { template: { spec: { containers: [{ name: 'web', image: 'b' }] } } },
    })
  })

  test('is a list as a whole where its items have no names, and nothing for what was removed', () => {
    const { note: _, ...after } = rules('get', 'list')
    expect(applied(wishesOf(rules('get'), after))).toEqual({ rules: [{ verbs: ['get', 'list'] }] })
  })
})
