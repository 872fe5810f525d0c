import { directory } from '../../modules/directory.ts'
import { localWorld } from '../support/local_world.ts'
import { moduleCases } from '../support/module_cases.ts'
import { moduleLaws } from '../support/module_laws.ts'

moduleCases(directory)
moduleLaws(directory, localWorld, [
  {
    title: 'with folders above it',
    args: { path: 'ROOT/a/b/c', mode: '0700' },
    opposite: { path: 'ROOT/a/b/c', state: 'absent' },
  },
])
