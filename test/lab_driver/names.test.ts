import { describe, expect, it } from 'vitest'
import { LabError } from '../../lab/lab_error.ts'
import { labAddresses, labObjects, peerOf } from '../../lab/names.ts'
import { firstFreeIndex } from '../../lab/state.ts'

const flat = (name: string): string[] => {
  const { bridge, nftTable, hosts } = labObjects(name)
  return [bridge, nftTable, ...Object.values(hosts).flatMap((h) => [h.machine, h.link])]
}

describe('names of a lab', () => {
  it('fit into the 15 characters of an interface name, for the longest lab name too', () => {
    const { bridge, hosts } = labObjects('abcdefgh')
    for (const name of [bridge, hosts.h1.link, hosts.h2.link])
      expect(name.length).toBeLessThanOrEqual(15)
  })

  it('differ between two labs in every object', () => {
    expect(flat('lab').filter((name) => flat('lab2').includes(name))).toEqual([])
  })

  it.each(['', 'Lab', '2lab', 'lab_2', 'abcdefghi', '../lab'])('refuse %j', (name) => {
    expect(() => labObjects(name)).toThrow(LabError)
  })

  it('give each host the other as its peer', () => {
    expect([peerOf('h1'), peerOf('h2')]).toEqual(['h2', 'h1'])
  })
})

describe('subnets', () => {
  it('give the default lab the documented addresses', () => {
    expect(labAddresses(0)).toEqual({
      subnet: '10.77.0.0/24',
      gateway: '10.77.0.1',
      virtualIp: '10.77.0.10',
      hosts: { h1: '10.77.0.11', h2: '10.77.0.12' },
    })
  })

  it('are the lowest that neither a lab nor an interface of the machine has', () => {
    expect(firstFreeIndex(new Set([0, 1]), ['127.0.0.1', '10.77.2.1', '10.77.30.1'])).toBe(3)
  })

  it('run out with an error and not with a wrong address', () => {
    const all = new Set(Array.from({ length: 255 }, (_, index) => index))
    expect(() => firstFreeIndex(all, [])).toThrow(/no free subnet/)
  })
})
