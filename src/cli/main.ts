import { main } from './program.ts'
import { processWorld } from './process_world.ts'

// The entry of dist/twonode.mjs: the process becomes a world, and the exit code its end.
const world = processWorld(import.meta.url)
process.exitCode = await main(process.argv.slice(2), world)
