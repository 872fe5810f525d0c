import { expect, test } from 'vitest'
import { k3sConfig } from '../../modules/k3s_config.ts'
import { mergeLikeK3s } from '../../modules/parts/k3s_merge.ts'
import { localWorld } from '../support/local_world.ts'
import { moduleCases } from '../support/module_cases.ts'
import { moduleLaws } from '../support/module_laws.ts'

moduleCases(k3sConfig)

moduleLaws(k3sConfig, localWorld, [
  {
    title: 'in a folder that is not there',
    args: {
      path: 'ROOT/rancher/k3s/config.yaml',
      config: { 'node-name': 'h1', 'tls-san': ['10.0.0.10'], 'write-kubeconfig-mode': '0600' },
      extra: { 'tls-san+': ['10.0.0.11'], disable: ['traefik'] },
    },
  },
])

test('a later file replaces a value, and a key with + appends to it', () => {
  const merged = mergeLikeK3s([
    { 'tls-san': ['a'], 'node-label': 'x=1', debug: true },
    { 'tls-san+': 'b', 'node-label': ['y=1'] },
    { 'tls-san+': ['c', 'd'] },
  ])
  expect(Object.fromEntries(merged)).toEqual({
    'tls-san': ['a', 'b', 'c', 'd'],
    'node-label': ['y=1'],
    debug: ['true'],
  })
})
