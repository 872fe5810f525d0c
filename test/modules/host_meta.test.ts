import { hostMeta } from '../../modules/host_meta.ts'
import { localWorld } from '../support/local_world.ts'
import { moduleCases } from '../support/module_cases.ts'
import { moduleLaws } from '../support/module_laws.ts'

moduleCases(hostMeta)

moduleLaws(hostMeta, localWorld, [
  {
    title: 'a pair at its beginning',
    args: {
      directory: 'ROOT',
      site: 'shop: 12',
      leader: 'h1',
      term: 1,
      branch: 1,
      mode: 'alone',
      began: 'first',
      hosts: [
        { name: 'h1', address: '10.77.0.11' },
        { name: 'h2', address: '10.77.0.12' },
      ],
      control_plane_endpoint: '10.77.0.10:6443',
    },
  },
])
