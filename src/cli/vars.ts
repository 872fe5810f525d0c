import { EXIT, TwonodeError } from '../core/errors.ts'
import { formatPlace } from '../core/place.ts'
import { isSecretRef } from '../core/plan.ts'
import type { Json } from '../core/json.ts'
import { didYouMean } from '../plan/nearest.ts'
import { explainVars, parseExtraVars, type VarCandidate } from '../plan/vars.ts'
import { type CommandRun, textOption } from './command.ts'
import { chooseHosts, filesOf, playbookNamed, readPlaybook } from './compile_sites.ts'
import { createPaint, type Paint, wantsColour } from './paint.ts'
import { readRunFlags } from './run_flags.ts'
import { seenFrom } from './trouble_text.ts'

/** `twonode vars`: every definition of a variable with its place; the one that counts is marked. */
export const vars: CommandRun = (invocation, world) => {
  const flags = readRunFlags(invocation)
  const files = filesOf(world)
  const chosen = chooseHosts(flags, files)
  const source = playbookNamed(textOption(invocation, 'playbook'), world, 'site.yaml')
  const playbook = readPlaybook(source, files)
  const extra = parseExtraVars(flags.extraVars, files)
  const all = chosen.flatMap(({ site, participants }) => {
    const names = participants.map(({ name }) => name)
    return explainVars(site, playbook, extra).filter(({ host }) => names.includes(host))
  })
  const [wanted] = invocation.arguments
  const shown = wanted === undefined ? all : all.filter(({ name }) => name === wanted)
  if (shown.length === 0 && wanted !== undefined)
    throw new TwonodeError('E_VARIABLE', `there is no variable ${wanted}`, {
      hint: didYouMean(wanted, [...new Set(all.map(({ name }) => name))]),
    })
  const paint = createPaint(wantsColour(world.env, world.stdout.isTerminal))
  for (const candidate of shown) world.stdout.write(`${line(candidate, paint, world.cwd)}\n`)
  return Promise.resolve(EXIT.done)
}

function line(candidate: VarCandidate, paint: Paint, cwd: string): string {
  const { name, host, level, value, place, wins } = candidate
  const from = `${level}, ${formatPlace(seenFrom(cwd, place))}`
  const text = `${host}  ${name} = ${valueText(value)}  ${paint.dim(from)}`
  return wins ? `* ${text}` : paint.dim(`  ${text}`)
}

function valueText(value: Json): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    isSecretRef(part) ? `!secret ${part.$secret}` : part,
  )
}
