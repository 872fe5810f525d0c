import { afterAll, describe, expect, test } from 'vitest'
import { TwonodeError } from '../../src/core/errors.ts'
import { createLocalHost } from '../../src/host/local.ts'

const hosts = {
  'through bash': createLocalHost({ name: 'h1', digestsPath: null }),
  directly: createLocalHost({ name: 'h1', digestsPath: null, direct: true }),
}

afterAll(async () => {
  for (const host of Object.values(hosts)) await host.close()
})

describe.each(Object.entries(hosts))('a command that is started %s', (_, host) => {
  test('gets its words as they are, and its input', async () => {
    const words = ['a b', '$HOME', "it's", '', '*']
    const { code, stdout } = await host.exec(['printf', '%s|', ...words])
    expect([code, stdout]).toEqual([0, "a b|$HOME|it's||*|"])
    expect(await host.exec(['cat'], { stdin: 'in' })).toMatchObject({ code: 0, stdout: 'in' })
  })

  test('sees our environment and nothing of the one that we were started in', async () => {
    const { stdout } = await host.exec(['env'], { env: { OWN: 'x' } })
    const names = stdout.split('\n').map((line) => line.split('=')[0] ?? '')
    const bash = ['PWD', 'SHLVL', '_', '']
    expect(names.filter((name) => !bash.includes(name)).toSorted()).toEqual([
      'HOME',
      'LC_ALL',
      'LOGNAME',
      'OWN',
      'PATH',
      'USER',
    ])
  })

  test('ends as it ends, by a signal too, and not later than its bound', async () => {
    expect(await host.exec(['false'])).toMatchObject({ code: 1 })
    expect(await host.exec(['sh', '-c', 'kill -9 $$'])).toMatchObject({ code: 137 })
    const late = host.exec(['sh', '-c', 'sleep 60 & sleep 60'], { timeoutMs: 200 })
    await expect(late).rejects.toThrow(TwonodeError)
    await expect(late).rejects.toThrow('did not end within 0.2 s')
  })
})
