import { join, isAbsolute } from 'node:path'
import { TwonodeError, messageOf } from '../core/errors.ts'
import { Secret, SHORTEST_SECRET } from '../core/secret.ts'
import { resolvePath } from '../plan/paths.ts'
import { secretOrigin, type SecretSource } from '../plan/secret_source.ts'
import type { World } from './world.ts'

/** Reads what a `!secret` names. One source is read once: a password manager may ask a person. */
export function secretReader(world: World): (source: SecretSource) => Secret {
  const known = new Map<string, Secret>()
  return (source) => {
    const key = `${source.place.file}\0${source.id}`
    const secret = known.get(key) ?? readSecret(source, world)
    known.set(key, secret)
    return secret
  }
}

function readSecret(source: SecretSource, world: World): Secret {
  const value = rawValue(source, world).replace(/\r?\n$/, '')
  if (value.length < SHORTEST_SECRET)
    throw refusal(source, `holds fewer than ${SHORTEST_SECRET} characters`)
  return new Secret(value, secretOrigin(source))
}

function rawValue(source: SecretSource, world: World): string {
  switch (source.kind) {
    case 'file': {
      const path = locate(resolvePath(source.place.file, source.path), world)
      const text = unlessUnreadable(source, () => world.files.read(path))
      if (text === undefined) throw refusal(source, 'does not exist')
      return text
    }
    case 'env': {
      const value = world.env[source.name]
      if (value === undefined) throw refusal(source, 'is not set')
      return value
    }
    case 'exec': {
      const { code, stdout, stderr } = world.exec(source.argv)
      if (code !== 0) throw refusal(source, `exited ${code}`, stderr)
      return stdout
    }
    default:
      throw new Error(`unhandled secret source: ${JSON.stringify(source satisfies never)}`)
  }
}

/** A path of a file that a person wrote: `~/` is their home, relative starts where they stand. */
export function locate(path: string, { cwd, home }: Pick<World, 'cwd' | 'home'>): string {
  if (path.startsWith('~/')) return join(home, path.slice(2))
  return isAbsolute(path) ? path : join(cwd, path)
}

function unlessUnreadable<T>(source: SecretSource, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw refusal(source, `can not be read: ${messageOf(error)}`)
  }
}

function refusal({ id, place }: SecretSource, reason: string, detail = ''): TwonodeError {
  return new TwonodeError('E_SECRET', `the secret ${id} ${reason}`, {
    place,
    ...(detail === '' ? {} : { detail }),
  })
}
