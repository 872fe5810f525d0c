import { join } from 'node:path'
import { hand, labPackages, prepare, ROOT } from './prepare.mjs'

await prepare({ command: 'demo', debianPackages: labPackages(), needsRoot: true })
process.exitCode = hand(process.execPath, [join(ROOT, 'dist/demo.mjs'), ...process.argv.slice(2)])
