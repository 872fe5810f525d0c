import { main } from './program.ts'
import { processWorld } from './process_world.ts'

// The entry of dist/twonode.mjs: the process becomes a world, and the exit code its end.
const world = processWorld(import.meta.url)
const exitCode = await main(process.argv.slice(2), world)
// A connection that says goodbye slowly, or one that never came up, holds nobody back.
process.stdout.write('', () => process.stderr.write('', () => process.exit(exitCode)))
