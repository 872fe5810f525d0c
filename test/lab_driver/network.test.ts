import { describe, expect, it } from 'vitest'
import { delayRule, hasQueue } from '../../lab/faults.ts'
import { labAddresses, labObjects } from '../../lab/names.ts'
import { cutRules, networkDown, networkUp, type NetworkFacts } from '../../lab/network.ts'

const objects = labObjects('lab')
const addresses = labAddresses(0)
const nothing: NetworkFacts = { links: new Set(), namespaces: new Set() }
const everything: NetworkFacts = {
  links: new Set(['lo', 'tn-lab-br', 'tn-lab-h1', 'tn-lab-h2']),
  namespaces: new Set(['tn-lab-h1', 'tn-lab-h2']),
}

const words = (commands: readonly (readonly string[])[]): string[] =>
  commands.map((command) => command.join(' '))

describe('the network', () => {
  it('is made from nothing: bridge first, then each host with its link', () => {
    expect(words(networkUp(objects, addresses, nothing)).slice(0, 6)).toEqual([
      'ip link add tn-lab-br type bridge forward_delay 0',
      'ip address add 10.77.0.1/24 dev tn-lab-br',
      'ip link set tn-lab-br up',
      'ip netns add tn-lab-h1',
      'ip link add tn-lab-h1 type veth peer name eth0 netns tn-lab-h1',
      'ip link set tn-lab-h1 master tn-lab-br up',
    ])
  })

  it('is left alone when it is all there, but for ports that lost their bridge', () => {
    expect(words(networkUp(objects, addresses, everything))).toEqual([
      'ip link set tn-lab-h1 master tn-lab-br',
      'ip link set tn-lab-h2 master tn-lab-br',
    ])
  })

  it('gets a new link for a host whose namespace was lost in a crash', () => {
    const facts = { ...everything, namespaces: new Set(['tn-lab-h2']) }
    const commands = words(networkUp(objects, addresses, facts))
    expect(commands).toContain('ip link delete tn-lab-h1')
    expect(commands).not.toContain('ip link delete tn-lab-h2')
    expect(commands).toContain('ip -n tn-lab-h1 address add 10.77.0.11/24 dev eth0')
  })

  it('is removed as far as it is there', () => {
    expect(networkDown(objects, nothing)).toEqual([])
    expect(words(networkDown(objects, everything))).toEqual([
      'ip link delete tn-lab-h1',
      'ip netns delete tn-lab-h1',
      'ip link delete tn-lab-h2',
      'ip netns delete tn-lab-h2',
      'ip link delete tn-lab-br',
    ])
  })
})

describe('cuts', () => {
  it('replace the whole table, so that healing is a table without rules', () => {
    expect(cutRules(objects, [])).toBe('add table bridge tn-lab\ndelete table bridge tn-lab\n')
  })

  it('from the peer stop both directions and leave the gateway alone', () => {
    const rules = cutRules(objects, [{ host: 'h1', from: 'peer', oneWay: false }])
    expect(rules).toContain('iifname tn-lab-h1 oifname tn-lab-h2 drop')
    expect(rules).toContain('iifname tn-lab-h2 oifname tn-lab-h1 drop')
    expect(rules).not.toContain('hook input')
  })

  it('of one way stop only what the host sends', () => {
    const rules = cutRules(objects, [{ host: 'h1', from: 'all', oneWay: true }])
    expect(rules).toContain('iifname tn-lab-h1 oifname tn-lab-h2 drop')
    expect(rules).toContain('iifname tn-lab-h1 drop')
    expect(rules).not.toContain('oifname tn-lab-h1 drop')
  })

  it('from the gateway leave the path to the peer alone', () => {
    const rules = cutRules(objects, [{ host: 'h2', from: 'gateway', oneWay: false }])
    expect(rules).not.toContain('forward')
    expect(rules).toContain('oifname tn-lab-h2 drop')
  })
})

describe('delays', () => {
  it('hold what arrives and let it pass when nobody holds it', () => {
    expect(delayRule('tn-lab-h1', 'queue').join(' ')).toMatch(/-A PREROUTING ! -i lo .*bypass$/)
  })

  it("are ready when the kernel's list has a reader for the queue", () => {
    expect(hasQueue('   77  29030     3 1     0     0     0    32281  1\n', 77)).toBe(true)
    expect(hasQueue('  177     77     3 1     0     0     0    32281  1\n', 77)).toBe(false)
    expect(hasQueue('', 77)).toBe(false)
  })
})
