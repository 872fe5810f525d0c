import { join } from 'node:path'
import { hand, labPackages, prepare, ROOT } from './prepare.mjs'

await prepare({ command: 'lab', debianPackages: labPackages(), needsRoot: true })
process.exitCode = hand(process.execPath, [join(ROOT, 'dist/lab.mjs'), ...process.argv.slice(2)])
