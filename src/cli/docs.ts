import { join, resolve } from 'node:path'
import { EXIT, type ExitCode, TwonodeError } from '../core/errors.ts'
import { HOST_COMMANDS } from '../core/host_commands.ts'
import { MODULES } from '../../modules/index.ts'
import { MANY_SITES_SCHEMA, ONE_SITE_SCHEMA } from '../plan/inventory_schema.ts'
import { didYouMean } from '../plan/nearest.ts'
import { IMPORT_SCHEMA, PLAY_SCHEMA, TASK_SCHEMA } from '../plan/playbook_schema.ts'
import { type CommandRun, textOption } from './command.ts'
import { COMMANDS } from './command_table.ts'
import { docsPages, type Page } from './docs_pages.ts'
import type { World } from './world.ts'

/** `twonode docs`: the reference on the terminal, as files, or held against files. */
export const docs: CommandRun = (invocation, world) => {
  const pages = docsPages({
    modules: MODULES,
    inventory: { oneSite: ONE_SITE_SCHEMA, manySites: MANY_SITES_SCHEMA },
    playbook: { play: PLAY_SCHEMA, task: TASK_SCHEMA, import: IMPORT_SCHEMA },
    commands: COMMANDS,
    hostCommands: HOST_COMMANDS,
  })
  const write = textOption(invocation, 'write')
  const check = textOption(invocation, 'check')
  if (write !== undefined) return Promise.resolve(writePages(pages, write, world))
  if (check !== undefined) return Promise.resolve(checkPages(pages, check, world))
  const [topic] = invocation.arguments
  if (topic === undefined) world.stdout.write(overview())
  else if (BY_HAND.includes(topic)) world.stdout.write(pageByHand(topic, world))
  else world.stdout.write(pageFor(topic, pages).content)
  return Promise.resolve(EXIT.done)
}

const TOPICS = ['inventory', 'playbook', 'errors', 'cli', 'host', 'events', 'fsm', 'operations']

/** What no table holds: a page of the package, beside its playbooks. */
const BY_HAND = ['operations']

function overview(): string {
  const width = Math.max(...MODULES.map((m) => m.name.length))
  const modules = MODULES.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const lines = modules.map((m) => `  ${m.name.padEnd(width)}  ${m.doc.summary}`)
  return `Modules:\n${lines.join('\n')}\n\nOther pages: ${TOPICS.join(', ')}\n\ntwonode docs TOPIC prints one.\n`
}

function pageFor(topic: string, pages: readonly Page[]): Page {
  const found = pages.find(({ path }) => path === `modules/${topic}.md` || path === `${topic}.md`)
  if (found !== undefined) return found
  const known = [...MODULES.map((m) => m.name), ...TOPICS]
  throw new TwonodeError('E_USAGE', `there is no page "${topic}"`, {
    hint: didYouMean(topic, known),
  })
}

function pageByHand(topic: string, world: World): string {
  const path = join(world.distribution.playbooks, '..', 'docs', `${topic}.md`)
  const text = world.files.read(path)
  if (text !== undefined) return text
  throw new TwonodeError('E_FILE', `there is no file ${path}`, {
    hint: `docs/${topic}.md comes with the source of twonode, and not with what is copied of it.`,
  })
}

function writePages(pages: readonly Page[], folder: string, world: World): ExitCode {
  const root = resolve(world.cwd, folder)
  for (const { path, content } of pages)
    world.files.write(join(root, path), content, { replace: true })
  world.stdout.write(`${pages.length} pages written below ${folder}\n`)
  return EXIT.done
}

/** Pages that differ, are missing, or tell of a module that is gone. */
function checkPages(pages: readonly Page[], folder: string, world: World): ExitCode {
  const root = resolve(world.cwd, folder)
  const known = pages.map(({ path }) => path)
  const differing = pages.filter(
    ({ path, content }) => world.files.read(join(root, path)) !== content,
  )
  const stale = (world.files.list(join(root, 'modules')) ?? [])
    .map((name) => `modules/${name}`)
    .filter((path) => !known.includes(path))
  const lines = [
    ...differing.map(({ path }) => `${join(folder, path)} is out of date`),
    ...stale.map(
      (path) => `${join(folder, path)} tells of a module that does not exist: remove it`,
    ),
  ]
  if (lines.length === 0) return EXIT.done
  world.stderr.write(`${lines.join('\n')}\nPrint them again: npm run docs\n`)
  return EXIT.failed
}
