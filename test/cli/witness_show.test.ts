import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/core/json.ts'
import { FILES, SECRETS } from './support/fixtures.ts'
import { hostMetaText } from './support/host_meta_text.ts'
import { talkingHosts } from './support/talking_hosts.ts'
import { PLAYBOOKS, runCommandLine } from './support/test_world.ts'

const VERIFY = `- hosts: all
  tasks:
    - name: What the witness says to this host (A4)
      assert: { command: [/usr/local/bin/twonode, witness, show, --json], that: ['true'] }
      register: witnessSays
`
const WORLD = { files: { ...FILES, [`${PLAYBOOKS}/verify.yaml`]: VERIFY }, env: SECRETS }
const LINE = 'witness show -i inventory.yaml'

function reading(nonce: string, more: JsonObject = {}): JsonObject {
  const claim = { format: 1, site: 'edge', term: 5, holder: 'h1', mode: 'paired', nonce }
  return { says: 'claim', place: 'https://w/claim', claim, message: `it says ${nonce}`, ...more }
}

/** Hosts that read these at their first look, their second, and so on. */
function hostsThatRead(...looks: readonly (readonly [h1: JsonObject, h2: JsonObject])[]) {
  const counts = { h1: 0, h2: 0 }
  const say = (host: string) => {
    const name = host === 'h1' ? 'h1' : 'h2'
    const [one, two] = looks[Math.min(counts[name]++, looks.length - 1)] ?? [{}, {}]
    return [name === 'h1' ? one : two]
  }
  return talkingHosts(say, { hostMeta: hostMetaText() })
}

const SAME = [reading('a'), reading('a')] as const
const APART = [reading('a'), reading('b', { place: '/srv/claims' })] as const
const LOST = [
  reading('a'),
  { says: 'absent', claim: null, place: '/srv/claims', message: 'none' },
] as const

describe('witness show', () => {
  test('is what each host reads and believes, by itself; exit 0 when it is one witness (A4)', async () => {
    const { open, asked } = hostsThatRead(SAME)
    const { exit, out, err } = await runCommandLine(LINE, { ...WORLD, open })
    expect([exit, out, err]).toEqual([0, 'h1  it says a\nh2  it says a\n', ''])
    expect(asked).toEqual(['h1: witness show', 'h2: witness show'])
    const json = await runCommandLine(`${LINE} --json`, { ...WORLD, open })
    expect(json.out.split('\n').map((line) => line.slice(0, 12))).toEqual([
      '{"host":"h1"',
      '{"host":"h2"',
      '',
    ])
  })

  test.each([
    ['other claims', APART, 'h2 reads a pair led by h1, term 5 at /srv/claims'],
    ['a claim and none', LOST, 'h2 reads no claim at /srv/claims'],
  ])(
    'two hosts that read %s twice speak with two witnesses: exit 3, with both places (A4)',
    async (_, look, words) => {
      const { open } = hostsThatRead(look)
      const { exit, err } = await runCommandLine(LINE, { ...WORLD, open })
      expect(exit).toBe(3)
      expect(err).toContain(
        'error E_UNHEALTHY: the two hosts speak with two witnesses: h1 reads a pair led by h1, term 5 at https://w/claim',
      )
      expect(err).toContain(words)
    },
  )

  test('a claim that was swapped between the two looks is no second witness: they look again', async () => {
    const { open, asked } = hostsThatRead(APART, SAME)
    expect((await runCommandLine(LINE, { ...WORLD, open })).exit).toBe(0)
    expect(asked).toHaveLength(4)
  })

  test('a host that gets no answer is no success', async () => {
    const silent = { says: 'silent', claim: null, message: 'no answer: it answers 500' }
    const { open } = hostsThatRead([reading('a'), silent])
    const { exit, out } = await runCommandLine(LINE, { ...WORLD, open })
    expect([exit, out]).toEqual([3, 'h1  it says a\nh2  no answer: it answers 500\n'])
  })

  test('without an inventory it says what it lacks', async () => {
    const { exit, err } = await runCommandLine('witness show')
    expect([exit, err]).toEqual([2, expect.stringContaining('witness show needs --inventory')])
  })
})

describe('verify', () => {
  test.each([
    ['fails when both hosts speak with two witnesses (A4)', [APART], 3, '1 finding'],
    ['fails when only one of them keeps a claim (A4)', [LOST], 3, '1 finding'],
    ['looks again, and lets a claim be that was swapped meanwhile', [APART, SAME], 0, 'healthy'],
    ['finds nothing against one witness', [SAME], 0, 'healthy'],
  ])('%s', async (_, looks, code, words) => {
    const { open } = hostsThatRead(...looks)
    const { exit, out } = await runCommandLine('verify -i inventory.yaml', { ...WORLD, open })
    expect(out).toContain(words)
    expect(exit).toBe(code)
    expect(out.includes('speak with two witnesses')).toBe(code === 3)
  })
})
