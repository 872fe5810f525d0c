import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { releaseFile, sourcesList } from '../../lab/repository.ts'
import { indexParagraph } from '../../src/bundle/debian_packages.ts'
import { identityFiles } from '../../lab/identity.ts'
import { labAddresses } from '../../lab/names.ts'

const id = (lab: string, host: 'h1' | 'h2'): string | undefined =>
  identityFiles(lab, host, labAddresses(0))['etc/machine-id']

const config = (host: 'h1' | 'h2'): string =>
  identityFiles('lab', host, labAddresses(0))['etc/ssh/sshd_config.d/lab.conf'] ?? ''

it('the index adds where a package is, its size and its digest to its control paragraph', () => {
  const content = Buffer.from('a package')
  const sha256 = createHash('sha256').update(content).digest('hex')
  expect(indexParagraph('Package: a\nVersion: 1\n', 'a_1.deb', content)).toBe(
    `Package: a\nVersion: 1\nFilename: ./a_1.deb\nSize: 9\nSHA256: ${sha256}\n`,
  )
})

it('the Release file has a date that no clock is before, and the digests of the indexes', () => {
  const release = releaseFile({ Packages: Buffer.from('x') })
  expect(release).toMatch(/^Date: Thu, 01 Jan 2015 00:00:00 UTC$/m)
  expect(release).toMatch(/^SHA256:\n [0-9a-f]{64} 1 Packages$/m)
})

it('hosts know one source of packages, the lab itself', () => {
  expect(sourcesList('10.77.3.1')).toBe('deb [trusted=yes] http://10.77.3.1:8077/ ./\n')
})

it('a host knows its own name and its peer by address, so that no resolver is asked', () => {
  const files = identityFiles('lab', 'h2', labAddresses(0))
  expect(files['etc/hosts']).toContain('10.77.0.12 h2\n10.77.0.11 h1\n')
})

it('hosts of all labs have different machine ids, each the same after a reset', () => {
  expect(new Set([id('lab', 'h1'), id('lab', 'h2'), id('lab2', 'h1')]).size).toBe(3)
  expect(id('lab', 'h1')).toBe(id('lab', 'h1'))
  expect(id('lab', 'h1')).toMatch(/^[0-9a-f]{32}\n$/)
})

it('root may log in on h1 only', () => {
  expect(config('h1')).toContain('PermitRootLogin prohibit-password')
  expect(config('h2')).toContain('PermitRootLogin no')
})
