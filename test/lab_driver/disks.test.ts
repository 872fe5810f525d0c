import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { must } from '../../lab/command.ts'
import {
  lowerLayers,
  mountPoints,
  overlayMount,
  removeUnmounted,
  unusedGenerations,
  withNewMachine,
  withReset,
  withSnapshot,
} from '../../lab/disks.ts'
import { freshState, type LabState } from '../../lab/state.ts'

const fresh = freshState('lab', 0)

describe('generations of disks', () => {
  it('are sealed by a snapshot, and the hosts go on in a new one on top', () => {
    const state = withSnapshot(fresh, 'bare')
    expect(state).toMatchObject({ generation: 2, below: [1], snapshots: { bare: [1] } })
  })

  it('stack: a snapshot of hosts that came from a snapshot has both below it', () => {
    const state = withSnapshot(withReset(withSnapshot(fresh, 'a'), 'a'), 'b')
    expect(state.snapshots).toEqual({ a: [1], b: [1, 3] })
  })

  it('are never written to twice: each reset takes a number that nothing had', () => {
    let state: LabState = withSnapshot(fresh, 'a')
    const seen = new Set([1, state.generation])
    for (let i = 0; i < 5; i++) {
      state = withReset(state, i % 2 === 0 ? undefined : 'a')
      expect(seen.has(state.generation)).toBe(false)
      seen.add(state.generation)
    }
  })

  it('that neither hosts nor snapshots use are removed, and no others', () => {
    const state = withReset(withReset(withSnapshot(fresh, 'a'), undefined), 'a')
    expect(unusedGenerations(state, [1, 2, 3, 4])).toEqual([2, 3])
  })

  it('of a snapshot that is taken anew under its old name are dropped', () => {
    const state = withSnapshot(withReset(withSnapshot(fresh, 'a'), undefined), 'a')
    expect(state.snapshots).toEqual({ a: [3] })
    expect(unusedGenerations(state, [1, 2, 3, 4])).toEqual([1, 2])
  })

  it('do not stack without end', () => {
    let state: LabState = fresh
    const stack = (): void => {
      for (let i = 0; i < 20; i++) state = withSnapshot(state, `s${i}`)
    }
    expect(stack).toThrow(/on top of each other/)
  })
})

describe('another machine in the place of a host', () => {
  const pair = withSnapshot(withSnapshot(fresh, 'packages'), 'pair')

  it('has nothing of what the hosts had, and its peer keeps all of it', () => {
    const state = withNewMachine(pair, 'h2', { like: undefined })
    expect(lowerLayers(state, 'h2', '/base')).toHaveLength(2)
    expect(lowerLayers(state, 'h1', '/base')).toHaveLength(4)
  })

  it('may have the disk of a snapshot, which is kept for it', () => {
    const state = withNewMachine(pair, 'h2', { like: 'packages' })
    expect(state.apart).toEqual({ h2: [1] })
    expect(unusedGenerations({ ...state, snapshots: {}, below: [] }, [1, 2, 3])).toEqual([2])
  })

  it('is in no snapshot, and gone after a reset', () => {
    const state = withNewMachine(pair, 'h2', { like: undefined })
    expect(() => withSnapshot(state, 'mixed')).toThrow(/another machine/)
    expect(withReset(state, 'pair').apart).toEqual({})
    expect(withNewMachine(state, 'h2', 'the old one')).toEqual(pair)
  })
})

describe('a reset', () => {
  it('to a snapshot that is not there names those that are', () => {
    const state = withSnapshot(fresh, 'pair')
    expect(() => withReset(state, 'pear')).toThrow(
      expect.objectContaining({ exitCode: 2, hint: 'Snapshots of this lab: pair.' }),
    )
  })
})

describe('layers', () => {
  it('are the latest generation first, then what makes the host itself, then the base', () => {
    const state = { ...fresh, below: [1, 3], generation: 4 }
    expect(
      lowerLayers(state, 'h2', '/base').map((path) => path.split('/labs/lab/').at(-1)),
    ).toEqual(['disks/3/h2/upper', 'disks/1/h2/upper', 'identity/h2', '/base'])
  })

  it('let directories of lower layers be renamed, as PostgreSQL does with a slot it drops', () => {
    const argv = overlayMount(['/l'], { upper: '/u', work: '/w' }, '/m')
    expect(argv.join(' ')).toContain('redirect_dir=on')
    expect(argv.join(' ')).not.toContain('volatile')
  })

  it('of a lab for tests take no fsync to heart', () => {
    const argv = overlayMount(['/l'], { upper: '/u', work: '/w', volatile: true }, '/m')
    expect(argv[5]).toMatch(/^volatile,/)
  })
})

describe('mount points', () => {
  it('are read from mountinfo with their escapes undone', () => {
    const info = '36 35 98:0 / /mnt/a\\040b rw - ext3 /dev/r rw\n37 36 0:1 / / rw - ext4 /d rw\n'
    expect(mountPoints(info)).toEqual(['/mnt/a b', '/'])
  })
})

describe('what is removed', () => {
  it('is never what is mounted there, by whatever name the directory goes', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'twonode-mounted-'))
    const [real, link] = [join(directory, 'real'), join(directory, 'link')]
    const mount = join(real, 'labs/a/roots/h1')
    await mkdir(mount, { recursive: true })
    await symlink(real, link)
    await must(['mount', '-t', 'tmpfs', 'twonode-test', mount])
    try {
      await writeFile(join(mount, 'disk'), 'of a machine')
      await expect(removeUnmounted(join(link, 'labs/a'))).rejects.toThrow(/something is mounted/)
      expect(await readdir(mount)).toEqual(['disk'])
    } finally {
      await must(['umount', mount])
    }
    await removeUnmounted(join(link, 'labs/a'))
    expect(existsSync(join(real, 'labs/a'))).toBe(false)
    await removeUnmounted(join(link, 'labs/a'))
    await removeUnmounted(directory)
    expect(existsSync(directory)).toBe(false)
  })
})
