import { join } from 'node:path'
import { hand, labPackages, prepare, ROOT } from './prepare.mjs'

await prepare({
  command: 'bench',
  debianPackages: [...labPackages(), 'ansible-core'],
  needsRoot: true,
})
process.exitCode = hand(process.execPath, [join(ROOT, 'dist/bench.mjs'), ...process.argv.slice(2)])
