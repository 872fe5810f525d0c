import { expect, test } from 'vitest'
import { movedHost } from '../../src/cli/moved_host.ts'
import { hostMetaText } from './support/host_meta_text.ts'
import { helloOf, settingsOf } from './support/scripted_pair.ts'

const SETTINGS = settingsOf({ usesRoles: true })
const [H1, H2] = SETTINGS.site.hosts
const KNOWN = hostMetaText({})

/** The same site, with these addresses in its inventory. */
function moving(h1: string, h2: string, more: Partial<typeof SETTINGS> = {}) {
  const hosts = [
    { ...H1, address: h1 },
    { ...H2, address: h2 },
  ] as const
  return { ...SETTINGS, ...more, site: { ...SETTINGS.site, hosts } }
}

const BOTH = [helloOf('h1', { hostMeta: KNOWN }), helloOf('h2', { hostMeta: KNOWN })]
const said = (settings: typeof SETTINGS, hellos = BOTH) => {
  const refused = movedHost(settings, hellos, 'h1')
  return refused === undefined ? 'agreed' : `${refused.message}. ${refused.hint}`
}

test('35: addresses that the pair knows are no move', () => {
  expect(said(SETTINGS)).toBe('agreed')
})

test('35: a follower moves when both hosts hear of it, also when one of them has heard of it before', () => {
  expect(said(moving(H1.address, '192.0.2.2'))).toBe('agreed')
  const [first] = BOTH
  const cut = hostMetaText({}).replace(H2.address, '192.0.2.2')
  if (first === undefined) throw new Error('there are two')
  expect(said(moving(H1.address, '192.0.2.2'), [first, helloOf('h2', { hostMeta: cut })])).toBe(
    'agreed',
  )
})

test.each<[string, ReturnType<typeof moving>, typeof BOTH, RegExp]>([
  ['a leader', moving('192.0.2.1', H2.address), BOTH, /h1 leads.* to 192\.0\.2\.1.*switchover/],
  ['both at once', moving('192.0.2.1', '192.0.2.2'), BOTH, /both hosts.*follower first.*of h1/],
  [
    'one of which its peer does not hear',
    moving(H1.address, '192.0.2.2'),
    BOTH.slice(0, 1),
    /h2 moves.*only one host takes part.*without --limit/,
  ],
])('35: %s is refused, with the way to do it', (_, settings, hellos, words) => {
  expect(said(settings, hellos)).toMatch(words)
})

test('35: who only looks, changes no roles, or replaces a host is not held up', () => {
  for (const more of [{ lookOnly: true }, { usesRoles: false }])
    expect(said(moving('192.0.2.1', '192.0.2.2', more))).toBe('agreed')
  const replaces = { old: 'h2', host: 'h2' } as unknown as typeof SETTINGS.replaces
  expect(said(moving(H1.address, '192.0.2.2', { replaces }), BOTH.slice(0, 1))).toBe('agreed')
})
