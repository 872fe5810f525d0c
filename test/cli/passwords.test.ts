import { expect, test } from 'vitest'
import { passphraseAsker, readSudoPassword } from '../../src/cli/passwords.ts'
import { reveal } from '../../src/core/secret.ts'

function person(...answers: string[]) {
  const asked: string[] = []
  let open = 0
  let mostOpen = 0
  const ask = async (question: string) => {
    asked.push(question)
    open += 1
    mostOpen = Math.max(mostOpen, open)
    await Promise.resolve()
    open -= 1
    return answers.shift()
  }
  return { asked, mostOpen: () => mostOpen, questions: { possible: true, ask, askSecretly: ask } }
}

const nobody = { possible: false, ask: person().questions.ask, askSecretly: person().questions.ask }

test('two hosts with the same key ask for its passphrase once', async () => {
  const ana = person('open sesame')
  const ask = passphraseAsker({ env: {}, questions: ana.questions })
  expect(await Promise.all([ask('id', 0), ask('id', 0)])).toEqual(['open sesame', 'open sesame'])
  expect(ana.asked).toEqual(['passphrase of id: '])
})

test('a wrong one is asked for again, two questions never at once', async () => {
  const ana = person('wrong', 'right', 'other')
  const ask = passphraseAsker({ env: {}, questions: ana.questions })
  expect(await ask('id', 0)).toBe('wrong')
  expect(await Promise.all([ask('id', 1), ask('other', 0)])).toEqual(['right', 'other'])
  expect(ana.asked[1]).toBe('wrong; passphrase of id: ')
  expect(ana.mostOpen()).toBe(1)
})

test('the environment answers where nobody is there, once: a wrong one is not tried again', async () => {
  const ask = passphraseAsker({ env: { TWONODE_KEY_PASSPHRASE: 'given' }, questions: nobody })
  expect(await ask('id', 0)).toBe('given')
  expect(await ask('id', 1)).toBeUndefined()
  expect(await passphraseAsker({ env: {}, questions: nobody })('id', 0)).toBeUndefined()
})

test('the sudo password of the environment needs no flag and no terminal', async () => {
  const env = { TWONODE_SUDO_PASSWORD: 'from-env' }
  const secret = await readSudoPassword(false, { env, questions: nobody })
  expect(reveal(secret ?? '')).toBe('from-env')
  expect(String(secret)).toBe('********')
})
