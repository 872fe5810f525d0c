import { join, resolve } from 'node:path'
import { EXIT, TwonodeError } from '../core/errors.ts'
import { MODULES } from '../../modules/index.ts'
import { MANY_SITES_SCHEMA, ONE_SITE_SCHEMA } from '../plan/inventory_schema.ts'
import { nearest } from '../plan/nearest.ts'
import { type CommandRun, textOption } from './command.ts'
import { COMMANDS } from './command_table.ts'
import { docsPages, type Page } from './docs_pages.ts'

/** `twonode docs`: the reference on the terminal, or as files. */
export const docs: CommandRun = (invocation, world) => {
  const pages = docsPages({
    modules: MODULES,
    inventory: { oneSite: ONE_SITE_SCHEMA, manySites: MANY_SITES_SCHEMA },
    commands: COMMANDS,
  })
  const folder = textOption(invocation, 'write')
  if (folder !== undefined) {
    for (const { path, content } of pages)
      world.files.write(join(resolve(world.cwd, folder), path), content, { replace: true })
    world.stdout.write(`${pages.length} pages written below ${folder}\n`)
    return Promise.resolve(EXIT.done)
  }
  const [topic] = invocation.arguments
  world.stdout.write(topic === undefined ? overview() : pageFor(topic, pages).content)
  return Promise.resolve(EXIT.done)
}

const TOPICS = ['inventory', 'errors', 'cli', 'events']

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
  const guess = nearest(topic, known)
  throw new TwonodeError('E_USAGE', `there is no page "${topic}"`, {
    hint: guess === undefined ? `Known: ${known.join(', ')}.` : `Did you mean ${guess}?`,
  })
}
