import { expect, test } from 'vitest'
import { startAgent } from './agent.ts'
import { simulate } from './simulate.ts'

/** Storms that once left a pair unwell; seeds that are drawn anew need not find them again. */
// oxfmt-ignore
const FOUND = [
  ['a switchover whose follower fails in the middle of it (A7)', 1, '30000 switchover h1; 30020 stop-postgres h2; 33000 repair-postgres h2'],
  ['a switchover beside a crash, asked for twice (A7)', 8000, '30000 crash-postgres h2; 30366 switchover h1; 32137 switchover h1'],
  ['slots that vanish on both hosts while the follower is frozen (B3, B7)', 7159, '30000 drop-slot h1; 30010 drop-slot h2; 30010 freeze h2; 65696 thaw h2'],
  ['a lead that is given back beside a cut and a restart of the agent (A7)', 12, '30000 switchover h1; 30230 fill-disk h2; 30260 cut h1; 30400 kill-agent h2; 33000 free-disk h2; 50000 join h1'],
  ["a leader that is back behind its successor's hostMeta, and the other kine writes to it still (A7, B2)", 59432, '13302 lock h2 8; 14760 power-off h1; 15016 cut h1; 15016 cut h2; 18742 join h1; 18742 join h2; 19005 power-on h1; 19305 cut h1; 19305 cut h2; 19976 join h1; 19976 join h2'],
  ['a leader without PostgreSQL that loses the follower which it asked in vain (A5)', 58510, '21286 cut h2; 21970 gateway-dies; 22265 cut h1; 25900 stop-postgres h1; 34623 fill-disk h2; 49078 gateway-returns; 51940 join h1; 52645 join h2; 59058 cut h1; 62124 cut h2; 62708 free-disk h2; 67072 repair-postgres h1; 80000 join h1; 80000 join h2'],
] as const

test.each(FOUND)('%s: seed %i, %s', async (_, seed, text) => {
  const storm = text.split('; ').map((line) => ({
    atMs: Number.parseInt(line, 10),
    text: line.replace(/^\d+ /, ''),
  }))
  const { violation } = await simulate({ seed, startAgent, storm })
  expect(violation).toBeNull()
})
