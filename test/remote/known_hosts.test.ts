import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  fingerprint,
  formatLine,
  judge,
  keyTypeOf,
  knownTypes,
  lookupName,
  matchesHost,
  matchesPin,
  orderAlgorithms,
  parseKnownHosts,
} from '../../src/remote/known_hosts.ts'
import { makeKey, publicPart } from '../support/sshd.ts'

let directory: string
let ed25519: string
let other: string
let rsa: string

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'twonode-known-hosts-'))
  ed25519 = publicPart(makeKey(join(directory, 'a'), 'ed25519'))
  other = publicPart(makeKey(join(directory, 'b'), 'ed25519'))
  rsa = publicPart(makeKey(join(directory, 'c'), 'rsa'))
})

afterAll(() => rmSync(directory, { recursive: true, force: true }))

const blob = (key: string) => Buffer.from(key.split(' ')[1] ?? '', 'base64')
const judged = (text: string, key: string, name = 'h1') =>
  judge(parseKnownHosts(text, 'known_hosts'), name, blob(key)).kind

describe('a key is', () => {
  test.each([
    ['known by its plain name', () => `h1 ${ed25519}`, 'known'],
    ['known by a name in a list', () => `h0,h1,10.0.0.1 ${ed25519} a comment`, 'known'],
    ['known by a pattern', () => `h? ${ed25519}`, 'known'],
    ['unknown when the pattern is negated', () => `*,!h1 ${ed25519}`, 'unknown'],
    ['unknown in an empty file', () => '', 'unknown'],
    ['unknown when only another host has it', () => `h2 ${ed25519}`, 'unknown'],
    ['changed when the host is known by another key', () => `h1 ${other}`, 'changed'],
    ['changed when the host is known by another type of key', () => `h1 ${rsa}`, 'changed'],
    ['known when one of several lines has it', () => `h1 ${other}\nh1 ${ed25519}`, 'known'],
    ['revoked whatever else a file says', () => `h1 ${ed25519}\n@revoked * ${ed25519}`, 'revoked'],
    ['known when another key is revoked', () => `h1 ${ed25519}\n@revoked * ${other}`, 'known'],
    ['unknown when revoked for other hosts', () => `@revoked h2 ${ed25519}`, 'unknown'],
    ['unknown when it is only an authority', () => `@cert-authority * ${ed25519}`, 'unknown'],
    ['unknown in a comment', () => `# h1 ${ed25519}`, 'unknown'],
    ['unknown on a line of an unknown marker', () => `@new h1 ${ed25519}`, 'unknown'],
    ['unknown when the line is cut', () => `h1 ${ed25519.slice(0, 40)}!`, 'unknown'],
    ['unknown when type and key differ', () => `h1 ssh-rsa ${ed25519.split(' ')[1]}`, 'unknown'],
    ['known on a line with a carriage return', () => `h1 ${ed25519}\r\n`, 'known'],
  ])('%s', (_name, text, verdict) => {
    expect(judged(text(), ed25519)).toBe(verdict)
  })
})

test('a port other than 22 is part of the name, and the name is in lower case', () => {
  expect(lookupName('Host.Example', 22)).toBe('host.example')
  expect(lookupName('fe80::1', 2222)).toBe('[fe80::1]:2222')
  expect(judged(`[h1]:2222 ${ed25519}`, ed25519, '[h1]:2222')).toBe('known')
})

test('known types are asked for first, and a SHA-1 signature never', () => {
  const types = knownTypes(parseKnownHosts(`h1 ${rsa}\nh2 ${ed25519}`, 'f'), 'h1')
  const order = orderAlgorithms(types)
  expect(order.slice(0, 2)).toEqual(['rsa-sha2-512', 'rsa-sha2-256'])
  expect(order).toContain('ssh-ed25519')
  expect(order).not.toContain('ssh-rsa')
})

test('a pin is a key line; a fingerprint does not say which key to ask for', () => {
  expect(matchesPin(ed25519, blob(ed25519))).toBe(true)
  expect(matchesPin(`${ed25519} root@h1`, blob(ed25519))).toBe(true)
  expect(matchesPin(fingerprint(blob(ed25519)), blob(ed25519))).toBe(false)
  expect(matchesPin(other, blob(ed25519))).toBe(false)
  expect(matchesPin('ssh-ed25519', blob(ed25519))).toBe(false)
})

test('a fingerprint is what ssh-keygen prints', () => {
  const printed = execFileSync('ssh-keygen', ['-lf', join(directory, 'c.pub')], {
    encoding: 'utf8',
  })
  expect(printed.split(' ')[1]).toBe(fingerprint(blob(rsa)))
})

/** Names and patterns over a tiny alphabet, so that they meet often. */
const label = fc.stringMatching(/^[ab]{1,3}$/)
const name = fc.tuple(label, fc.constantFrom('', '.x')).map((parts) => parts.join(''))
const target = fc
  .tuple(name, fc.constantFrom(22, 2222))
  .map(([host, port]) => lookupName(host, port))
const pattern = fc.stringMatching(/^!?[ab*?]{1,4}(\.x)?$/)
const bracketed = fc.stringMatching(/^!?\[[ab*?]{1,3}\]:(2222|\*)$/)
const hosts = fc.oneof(
  fc
    .array(fc.oneof(pattern, bracketed, target), { minLength: 1, maxLength: 3 })
    .map((p) => p.join(',')),
  target.map(
    (host) => formatLine(host, Buffer.from([0, 0, 0, 1, 97, 98]), true).split(' ')[0] ?? '',
  ),
)
const line = fc.record({
  marker: fc.constantFrom('', '', '', '@revoked ', '@cert-authority '),
  hosts,
  key: fc.constantFrom('ed25519', 'other', 'rsa'),
})

test('the same lines are found as ssh-keygen -F finds', () => {
  const keys: Record<string, () => string> = {
    ed25519: () => ed25519,
    other: () => other,
    rsa: () => rsa,
  }
  const file = join(directory, 'generated')
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 6 }), target, (lines, wanted) => {
      const text = lines.map((l) => `${l.marker}${l.hosts} ${keys[l.key]?.()}\n`).join('')
      writeFileSync(file, text)
      const found = spawnSync('ssh-keygen', ['-F', wanted, '-f', file], { encoding: 'utf8' })
      const theirs = [...found.stdout.matchAll(/found: line (\d+)/g)].map((hit) => Number(hit[1]))
      const ours = parseKnownHosts(text, file)
        .filter((l) => matchesHost(l.hosts, wanted))
        .map((l) => l.line)
      expect(ours).toEqual(theirs)
    }),
    { numRuns: 150, seed: 20261121 },
  )
})

test('a hashed line that we write is found by ssh-keygen and by ourselves', () => {
  const file = join(directory, 'hashed')
  const text = formatLine('[10.0.0.1]:2222', blob(ed25519), true)
  writeFileSync(file, text)
  expect(text).not.toContain('10.0.0.1')
  const found = spawnSync('ssh-keygen', ['-F', '[10.0.0.1]:2222', '-f', file], { encoding: 'utf8' })
  expect(found.stdout).toContain('found: line 1')
  expect(judged(text, ed25519, '[10.0.0.1]:2222')).toBe('known')
})

test('no bytes in a file make the parser throw', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      for (const found of parseKnownHosts(text, 'f'))
        expect(keyTypeOf(found.key)).toBe(found.keyType)
    }),
  )
})

test('a hostile pattern is matched in the blink of an eye', () => {
  const started = performance.now()
  expect(matchesHost(`${'*a'.repeat(2_000)}b`, 'a'.repeat(2_000))).toBe(false)
  expect(performance.now() - started).toBeLessThan(1_000)
})
