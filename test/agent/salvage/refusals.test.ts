import { writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import type { Kubectl } from '../../../src/agent/salvage/cluster.ts'
import { runSalvage } from '../../../src/agent/salvage/command.ts'
import { changeAt, readSalvages } from '../../../src/agent/salvage/folders.ts'
import { TwonodeError } from '../../../src/core/errors.ts'
import { typedOf } from '../support/control_agent.ts'
import { cluster, CREATED, eachWithSalvages, inFolder, salvage, saves } from './salvage_bench.ts'

eachWithSalvages()

const down: Kubectl = async () => ({ code: 1, stdout: '', stderr: 'connection refused' })

const refused = async (...words: readonly string[]) =>
  await salvage(...words).then(
    () => 'done',
    (error: unknown) => (error instanceof TwonodeError ? `${error.code} ${error.message}` : 'bug'),
  )

describe('refused is', () => {
  test('a salvage of another site, a torn one, one that is not there, a branch of two', async () => {
    saves('1_1', [CREATED], { site: 'other' })
    saves('2_1', [CREATED])
    writeFileSync(inFolder('salvage/2_1/manifest.json'), '{"format":1,"si')
    saves('3_1', [CREATED])
    saves('3_2', [CREATED])
    expect(await refused('diff', '1')).toContain(
      'E_SALVAGE 1_1 can not be used: it is of the site other',
    )
    expect(await refused('diff', '2_1')).toContain(
      'its manifest is missing, torn or of another version',
    )
    expect(await refused('show', '9')).toBe('E_SALVAGE there is no salvage 9 on this host')
    expect(await refused('show', '3')).toContain('several salvages are of branch 3')
    expect(await salvage('list')).toContain('1_1: can not be used: it is of the site other')
  })

  test('a list of objects that is not as its manifest says', async () => {
    saves('1_1', [CREATED])
    const path = inFolder('salvage/1_1/objects.ndjson')
    writeFileSync(path, (await readFile(path, 'utf8')).slice(0, -5))
    expect(await refused('diff', '1')).toContain('torn, or changed since')
  })

  test.each(['changes.ndjson', 'objects.ndjson'])(
    'a %s of the same length that is not the one that was saved',
    async (name) => {
      saves('1_1', [CREATED])
      const path = inFolder(`salvage/1_1/${name}`)
      const text = await readFile(path, 'utf8')
      const [from = '', to = ''] = name === 'changes.ndjson' ? ['ey', 'eA'] : ['spec', 'sbec']
      const other = text.replace(from, to)
      expect(other).not.toBe(text)
      writeFileSync(path, other)
      for (const words of [
        ['diff', '1'],
        ['replay', '1', '--all', '--yes'],
      ])
        expect(await refused(...words)).toContain(`E_SALVAGE ${path} is not as its manifest says`)
      expect(cluster.size).toBe(0)
    },
  )

  test('a list of objects that points beyond the changes: nothing is read for it', async () => {
    saves('1_1', [CREATED])
    const [salvaged] = (await readSalvages(inFolder('salvage'), 'edge')).salvages
    if (salvaged === undefined) throw new Error('it was not saved')
    for (const range of [
      { at: 0, length: 2 ** 40 },
      { at: -1, length: 1 },
    ])
      await expect(changeAt(salvaged, range)).rejects.toMatchObject({ code: 'E_SALVAGE' })
  })

  test('a host without an API, or without an agent', async () => {
    saves('1_1', [CREATED])
    const world = {
      socket: inFolder('agent.sock'),
      kubectl: down,
      confirm: async () => true,
    }
    const out = { write: () => {} }
    await expect(runSalvage(typedOf(['salvage', 'diff', '1']), out, world)).rejects.toMatchObject({
      code: 'E_UNREACHABLE',
    })
    const alone = { ...world, socket: inFolder('none') }
    await expect(runSalvage(typedOf(['salvage', 'list']), out, alone)).rejects.toMatchObject({
      code: 'E_MISSING',
    })
  })

  test('what nobody can have meant', async () => {
    saves('1_1', [CREATED])
    for (const words of [
      ['undo'],
      ['list', 'x'],
      ['diff'],
      ['diff', 'a', 'b'],
      ['diff', '1', '--yes'],
      ['replay', '1'],
      ['replay', '1', '--all', '--object', 'x'],
      ['replay', '1', '--object'],
    ])
      expect(await refused(...words), words.join(' ')).toContain('E_USAGE')
    expect(await refused('replay', '1', '--object', 'Pod a/b', '--yes')).toContain(
      'is not among what',
    )
  })
})
