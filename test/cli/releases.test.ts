import { expect, test } from 'vitest'
import type { ReleaseFile } from '../../src/remote/release.ts'
import { main } from '../../src/cli/program.ts'
import { testWorld } from './support/test_world.ts'

const HOSTS = `name: shop
hosts:
  - { name: h1, address: 10.0.0.1 }
  - { name: h2, address: 10.0.0.2 }
`
const INSTALLS = `- hosts: all
  tasks:
    - name: k3s is installed
      artifact: { path: /usr/local/bin/k3s, source: '{{ site.k3s.binary }}' }
`
const WORDS = '- hosts: all\n  tasks:\n    - { name: A word, file: { path: /w, content: w } }\n'

/** `twonode plan` of this playbook and inventory, and what was fetched for it. */
async function planned(playbook: string, more = '') {
  const files = { 'p.yaml': playbook, 'i.yaml': HOSTS + more, '/cache/k3s': 'k3s', k3s: 'own' }
  const fetched: ReleaseFile[] = []
  const world = {
    ...testWorld({ files }),
    release: (wanted: ReleaseFile) => {
      fetched.push(wanted)
      return Promise.resolve('/cache/k3s')
    },
  }
  const exit = await main(['plan', 'p.yaml', '-i', 'i.yaml', '--json'], world)
  return { exit, fetched, out: world.out(), err: world.err() }
}

test('without a place in the inventory k3s is that of its release, and travels as a file of this machine', async () => {
  const { exit, fetched, out, err } = await planned(INSTALLS, 'k3s: { version: v1.30.1+k3s1 }\n')
  expect(exit, err).toBe(0)
  expect(fetched).toEqual([
    {
      project: 'k3s',
      version: 'v1.30.1+k3s1',
      base: 'https://github.com/k3s-io/k3s/releases/download',
      file: 'k3s',
      sums: 'sha256sum-amd64.txt',
    },
  ])
  expect(out).toContain('"blob":"k3s"')
  expect(out).not.toContain('/cache')
})

test('the images of a release are asked for by their name, and only where the site has them', async () => {
  const images = `- hosts: all
  tasks:
    - name: Images
      artifact: { path: '/i/{{ item.name }}', source: '{{ item.binary }}' }
      loop: '{{ site.k3s.images }}'
`
  expect(await planned(images)).toMatchObject({ exit: 0, fetched: [] })
  const own = await planned(images, 'k3s: { images: { path: k3s } }\n')
  expect(own, own.err).toMatchObject({ exit: 0, fetched: [] })
  const released = await planned(images, 'k3s: { version: v1.30.1+k3s1, images: {} }\n')
  expect(released, released.err).toMatchObject({
    exit: 0,
    fetched: [{ version: 'v1.30.1+k3s1', file: 'k3s-airgap-images-amd64.tar.zst' }],
  })
})

test('a mirror takes the place of the project', async () => {
  const { fetched } = await planned(INSTALLS, 'k3s: { mirror: "http://mirror.example/k3s" }\n')
  expect(fetched).toMatchObject([{ base: 'http://mirror.example/k3s' }])
})

test('a playbook that installs no binary fetches none, nor one whose inventory has them', async () => {
  expect((await planned(WORDS)).fetched).toEqual([])
  expect(await planned(INSTALLS, 'k3s: { path: k3s }\n')).toMatchObject({ exit: 0, fetched: [] })
})

test('a mirror beside a file is refused', async () => {
  const { exit, err } = await planned(INSTALLS, 'k3s: { path: k3s, mirror: "http://m.example" }\n')
  expect({ exit, err }).toEqual({
    exit: 2,
    err: expect.stringContaining('k3s has both a mirror and path'),
  })
})
