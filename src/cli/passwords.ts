import { TwonodeError } from '../core/errors.ts'
import { Secret } from '../core/secret.ts'
import type { World } from './world.ts'

/** The variables that answer where nobody is there to type. */
const SUDO_PASSWORD_VARIABLE = 'TWONODE_SUDO_PASSWORD'
const KEY_PASSPHRASE_VARIABLE = 'TWONODE_KEY_PASSPHRASE'

/** The password for sudo that was asked for, once for all hosts; undefined when none was. */
export async function readSudoPassword(
  ask: boolean,
  { env, questions }: Pick<World, 'env' | 'questions'>,
): Promise<Secret | undefined> {
  const given = env[SUDO_PASSWORD_VARIABLE]
  if (given !== undefined && given !== '') return new Secret(given, `env:${SUDO_PASSWORD_VARIABLE}`)
  if (!ask) return undefined
  if (!questions.possible)
    throw new TwonodeError('E_USAGE', '--ask-sudo-password needs a terminal', {
      hint: `Set ${SUDO_PASSWORD_VARIABLE}, or sudoPassword: !secret in the inventory.`,
    })
  const answer = await questions.askSecretly('sudo password: ')
  return answer === undefined ? undefined : new Secret(answer, 'the terminal')
}

/** Asks for the passphrase of a key: `attempt` counts from 0 for each host. */
export type AskPassphrase = (keyFile: string, attempt: number) => Promise<string | undefined>

/**
 * Passphrases of key files. Two hosts want the same key at the same time: a person is asked once, and
 * again only after a wrong answer; never two questions at once.
 */
export function passphraseAsker({
  env,
  questions,
}: Pick<World, 'env' | 'questions'>): AskPassphrase {
  const answers = new Map<string, Promise<string | undefined>>()
  let last: Promise<unknown> = Promise.resolve()
  return (keyFile, attempt) => {
    const given = env[KEY_PASSPHRASE_VARIABLE]
    if (given !== undefined) return Promise.resolve(attempt === 0 ? given : undefined)
    if (!questions.possible) return Promise.resolve(undefined)
    const key = `${keyFile}\0${attempt}`
    const known = answers.get(key)
    if (known !== undefined) return known
    const again = attempt === 0 ? '' : 'wrong; '
    const answer = last.then(() => questions.askSecretly(`${again}passphrase of ${keyFile}: `))
    last = answer.catch(() => undefined)
    answers.set(key, answer)
    return answer
  }
}
