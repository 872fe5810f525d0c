import { expect, test } from 'vitest'
import { artefacts, BUILD_ENVIRONMENT } from '../../lab/artefacts.ts'
import { run } from '../../lab/command.ts'
import { repositoryRoot } from '../../lab/cache.ts'

/** Compiled already, it is linked once for each change: Kubernetes is big. @unit milliseconds */
const LINK_TIMEOUT_MS = 5 * 60_000

test("the stand-in's own tests pass: flags, files, tokens and certificates as k3s has them", async () => {
  // What it is built from must be in Go's cache: two builds at once would compile it twice.
  await artefacts(() => undefined)
  const argv = ['nice', '-n', '10', 'go', 'test', '-vet=off', '-ldflags=-s -w', './...']
  const { code, stdout, stderr } = await run(argv, {
    cwd: `${repositoryRoot()}/lab/k3s`,
    env: BUILD_ENVIRONMENT,
    timeoutMs: LINK_TIMEOUT_MS,
  })
  expect(code, `${stdout}${stderr}`).toBe(0)
  expect(stdout).toMatch(/^ok\s/m)
})
