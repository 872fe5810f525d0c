import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startAgent } from './agent.ts'
import { parseScenario, printScenario, runScenario } from './scenario_file.ts'

/** Prints the transcripts anew instead of comparing them. */
const PRINT = process.env['TWONODE_PRINT_TRANSCRIPTS'] === '1'

const FOLDER = join(import.meta.dirname, 'cases')
const files = readdirSync(FOLDER).toSorted()

test.each(files)('%s goes as its transcript says', async (name) => {
  const path = join(FOLDER, name)
  const file = parseScenario(readFileSync(path, 'utf8'))
  const transcript = await runScenario(file, startAgent)
  if (PRINT) writeFileSync(path, printScenario(file, transcript))
  expect(transcript).toBe(PRINT ? transcript : file.transcript)
})

test('a line that is neither remark, outage nor end is refused', () => {
  expect(() => parseScenario('5s power-off h1\nlater power-on h1\n9s end')).toThrow(
    "no time and outage: 'later power-on h1'",
  )
})
