import { readdir } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import type { TwonodeError } from '../../../src/core/errors.ts'
import type { SalvageManifest } from '../../../src/core/salvage.ts'
import {
  answered,
  api,
  asked,
  CHANGED,
  cluster,
  configMap,
  CREATED,
  DELETED,
  eachWithSalvages,
  inFolder,
  notes,
  salvage,
  saves,
} from './salvage_bench.ts'

eachWithSalvages()

const secret = (word: string) => configMap('door', { word }, 'Secret')

describe('twonode salvage', () => {
  test('says that nothing was saved', async () => {
    expect(await salvage()).toBe('nothing was saved on this host: none of its branches has lost\n')
  })

  test('lists what was saved, what it is, and what waits', async () => {
    saves('1_16402', [CHANGED, CREATED])
    saves('3_164', [], { exact: false, inexact: 'the slot is gone' })
    const [first, second] = (await salvage('list')).split('\n')
    expect(second).toMatch(
      /^1_16402 .*branch 1 of h1, lost to branch 2 of h2 .*2 objects changed by somebody.*waits to be looked at/,
    )
    expect(first).toContain('(not exact)')
    const [line] = (await salvage('list', '--json')).split('\n')
    expect(JSON.parse(line ?? '')).toMatchObject({ name: '3_164', exact: false, settled: null })
  })

  test('shows a branch with its objects and counts', async () => {
    saves('1_16402', [CHANGED, DELETED])
    const text = await salvage('show', '1')
    expect(text).toContain('7 transactions beyond the fork, from 2026-11-22T10:00:00.000Z')
    expect(text).toContain('heartbeats and locks: 500 changes of one object')
    expect(text).toContain('ConfigMap default/settings: changed (one change)')
    expect(text).toContain('ConfigMap default/old: deleted (one change)')
  })

  test('diff tells what only the losing side has, against the cluster of now', async () => {
    saves('1_16402', [CHANGED, CREATED, DELETED])
    cluster.set('settings', configMap('settings', { colour: 'green', shape: 'round' }))
    cluster.set('new', configMap('new', { a: 'b', c: 'd' }))
    cluster.set('old', configMap('old', { a: 'b' }))
    expect(await salvage('diff', '1_16402')).toBe(
      [
        'ConfigMap default/settings: data.colour is "green" here, was "red" there',
        'ConfigMap default/new: is the same here now',
        'ConfigMap default/old: is here, was deleted there',
        'beside them heartbeats and locks: 500 changes of one object\n',
      ].join('\n'),
    )
  })

  test('diff says of an object whose kind does not exist any more that it is so', async () => {
    saves('1_16402', [{ object: 'created', after: configMap('c', { a: 'b' }, 'CronTab') }, CREATED])
    api.unknownKinds = ['CronTab']
    const text = await salvage('diff', '1')
    expect(text).toContain('CronTab default/c: its kind does not exist here any more (v1 CronTab)')
    expect(text).toContain('ConfigMap default/new: is not here, was created there')
    const said = await salvage('replay', '1', '--object', 'CronTab default/c', '--yes')
    expect(said).toContain('not replayed: CronTab default/c: its kind does not exist here any more')
  })

  test('replay tries all of it first, applies only what was changed, and settles the branch', async () => {
    saves('1_16402', [CHANGED, CREATED])
    cluster.set('settings', { ...configMap('settings', { colour: 'green' }), other: true })
    const said = await salvage('replay', '1', '--all', '--yes')
    expect(asked.filter((one) => one.startsWith('apply'))).toEqual([
      'apply --dry-run=server settings new',
      'apply --dry-run=server settings new',
      'apply settings new',
    ])
    expect(said).toContain('replayed: ConfigMap default/settings, ConfigMap default/new')
    expect(said).toContain('all that the losing side wanted is in the cluster')
    expect(cluster.get('settings')).toMatchObject({ data: { colour: 'red' }, other: true })
    expect(notes).toMatchObject([{ kind: 'salvage', what: 'replayed', name: '1_16402' }])
    expect(await salvage('list')).toMatch(/replayed .* by the operator/)
  })

  test('replay does nothing when the API server refuses any of it, and shows its words', async () => {
    saves('1_16402', [CHANGED, CREATED])
    cluster.set('settings', configMap('settings', { colour: 'green' }))
    api.refusal = 'Apply failed with 1 conflict: conflict with "kubectl": .data.colour'
    const error = await salvage('replay', '1', '--all', '--yes').catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'E_FAILED', detail: api.refusal })
    expect((error as TwonodeError).hint).toContain('--force-conflicts')
    expect(cluster.get('settings')).toMatchObject({ data: { colour: 'green' } })
    expect(notes).toEqual([])
    await salvage('replay', '1', '--all', '--yes', '--force-conflicts')
    expect(cluster.get('settings')).toMatchObject({ data: { colour: 'red' } })
  })

  test('replay from which the API server goes away says so, and is made again: nothing was refused', async () => {
    saves('1_16402', [CHANGED])
    cluster.set('settings', configMap('settings', { colour: 'green' }))
    api.refusal =
      'The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?'
    const error = await salvage('replay', '1', '--all', '--yes').catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'E_UNREACHABLE', detail: api.refusal })
    expect((error as TwonodeError).message).toContain('nothing was changed')
    api.refusal = undefined
    await salvage('replay', '1', '--all', '--yes')
    expect(cluster.get('settings')).toMatchObject({ data: { colour: 'red' } })
  })

  test('replay that is refused behind a namespace that it has made says that the namespace is there', async () => {
    const shop = { ...configMap('shop', null, 'Namespace') }
    saves('1_16402', [{ object: 'created', after: shop }, CREATED])
    api.refusedKinds = ['ConfigMap']
    const error = await salvage('replay', '1', '--all', '--yes').catch((thrown: unknown) => thrown)
    expect([...cluster.keys()]).toEqual(['shop'])
    expect((error as TwonodeError).message).toContain('Namespace default/shop was made before')
    expect((error as TwonodeError).message).not.toContain('nothing was changed')
  })

  test('replay deletes what is named, and nothing that is not', async () => {
    saves('1_16402', [DELETED, CREATED])
    cluster.set('old', configMap('old', { a: 'b' }))
    const said = await salvage('replay', '1', '--all', '--yes')
    expect(said).toContain('name it with --object to delete it here')
    expect(said).toContain('still only in the salvage: ConfigMap default/old')
    expect(cluster.has('old')).toBe(true)
    await salvage('replay', '1', '--object', 'ConfigMap default/old', '--yes')
    expect(cluster.has('old')).toBe(false)
  })

  test('replay asks, and a no or nobody does nothing; a dry run asks nobody', async () => {
    saves('1_16402', [CREATED])
    await expect(answered(['replay', '1', '--all'], false)).rejects.toThrow('nothing was done')
    await expect(salvage('replay', '1', '--all')).rejects.toThrow('nobody is here to be asked')
    expect(await salvage('replay', '1', '--all', '--dry-run')).toContain('would take one object')
    expect(cluster.size).toBe(0)
    await answered(['replay', '1', '--all'], true)
    expect(cluster.size).toBe(1)
  })

  test.each<[string, Partial<SalvageManifest>, string]>([
    ['not all of its objects are listed', { missing: '312 changes are not listed' }, '312 changes'],
    ['it is not exact', { exact: false, inexact: 'the slot is gone' }, 'the slot is gone'],
  ])(
    'all that a salvage has is in the cluster, and it still waits with its old table when %s',
    async (_, over, why) => {
      saves('1_16402', [CREATED], over)
      const said = await salvage('replay', '1', '--all', '--yes')
      expect(said).toContain(
        `all that was saved is in the cluster, and nobody knows of the rest: ${why}`,
      )
      expect(await salvage('replay', '1', '--all')).toContain('nothing is left to replay')
      expect(await salvage('list')).toContain('waits to be looked at')
      expect(await readdir(inFolder('salvage/1_16402'))).not.toContain('settled.json')
      await expect(salvage('discard', '1')).rejects.toThrow(
        `What was not saved goes with its old table: ${why}`,
      )
      await salvage('discard', '1', '--yes')
      expect(await salvage('list')).toContain('discarded')
    },
  )

  test('diff says why it may not show all that the losing side had', async () => {
    saves('1_16402', [CREATED], { missing: '312 changes are not listed' })
    saves('3_164', [], { exact: false, inexact: 'the slot is gone' })
    expect(await salvage('diff', '1')).toContain('not all of it: 312 changes are not listed')
    expect(await salvage('diff', '3')).toContain('not exact: the slot is gone')
  })

  test('discard asks, leaves the record, and shows nothing of it any more', async () => {
    saves('1_16402', [CREATED])
    await expect(salvage('discard', '1')).rejects.toThrow(
      'one object that somebody changed there will not be known any more',
    )
    await salvage('discard', '1', '--yes')
    expect(await readdir(inFolder('salvage/1_16402'))).toEqual(['manifest.json', 'settled.json'])
    expect(notes).toMatchObject([{ kind: 'salvage', what: 'discarded', name: '1_16402' }])
    await expect(salvage('diff', '1')).rejects.toMatchObject({ code: 'E_SALVAGE' })
    await expect(salvage('discard', '1', '--yes')).rejects.toThrow('already')
    expect(await salvage('show', '1')).toContain('discarded')
  })

  test('nothing of a secret is in what it says, writes down or leaves behind', async () => {
    saves('1_16402', [{ object: 'changed', before: secret('b2xk'), after: secret('bmV3c2VjcmV0') }])
    cluster.set('door', secret('b3Vycw=='))
    const said = [
      await salvage('diff', '1'),
      await salvage('diff', '1', '--json'),
      await salvage('replay', '1', '--all', '--yes'),
      JSON.stringify(notes),
      asked.join(),
    ].join('\n')
    expect(said).toContain('Secret default/door: data.word differs (not shown)')
    expect(said).not.toMatch(/b2xk|bmV3c2VjcmV0|b3Vycw/)
    expect(cluster.get('door')).toMatchObject({ data: { word: 'bmV3c2VjcmV0' } })
  })
})
