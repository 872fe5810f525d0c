import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { FromRunner } from '../../src/core/protocol.ts'
import { createSiteSecrets } from '../../src/host/site_secrets.ts'
import { Redaction } from '../../src/runner/redaction.ts'
import { RemoteControl } from '../../src/runner/remote_control.ts'
import { exportSiteSecret, obtainSiteSecret } from '../../src/runner/site_secret_relay.ts'
import { scratch } from '../support/engine_run.ts'

let folder: ReturnType<typeof scratch>
beforeEach(() => {
  folder = scratch()
})
afterEach(() => folder.remove())

function relay() {
  const sent: FromRunner[] = []
  const send = (message: FromRunner) => void sent.push(message)
  const redaction = new Redaction()
  const secrets = createSiteSecrets(folder.path)
  const control = new RemoteControl(send)
  return {
    sent,
    redaction,
    control,
    obtaining: obtainSiteSecret('k3s-token', { control, secrets, site: 's', redaction, send }),
  }
}

const onDisk = () => readFileSync(join(folder.path, 'etc/twonode/pki/k3s-token'), 'utf8').trim()

test('told to make it, a host has it on its disk before anybody hears of it', async () => {
  const { control, sent, redaction, obtaining } = relay()
  expect(sent).toEqual([{ type: 'need-site-secret', name: 'k3s-token' }])
  control.receive({ type: 'site-secret', name: 'k3s-token', action: 'make' })
  await obtaining
  expect(sent[1]).toEqual({ type: 'site-secret', name: 'k3s-token', value: onDisk() })
  expect(redaction.apply(`token ${onDisk()}`)).toBe('token ********')
})

test('told to make it, a host that has one by now keeps that one: there are never two of a kind', async () => {
  const first = relay()
  first.control.receive({ type: 'site-secret', name: 'k3s-token', action: 'make' })
  await first.obtaining
  const token = onDisk()
  const second = relay()
  second.control.receive({ type: 'site-secret', name: 'k3s-token', action: 'make' })
  await second.obtaining
  expect([onDisk(), second.sent[1]]).toEqual([
    token,
    { type: 'site-secret', name: 'k3s-token', value: token },
  ])
})

test("the peer's is stored as it comes", async () => {
  const { control, obtaining } = relay()
  control.receive({ type: 'site-secret', name: 'k3s-token', action: 'use', value: 'b'.repeat(64) })
  await obtaining
  expect(onDisk()).toBe('b'.repeat(64))
})

test('a refusal fails the step with its reason', async () => {
  const { control, obtaining } = relay()
  control.receive({
    type: 'site-secret',
    name: 'k3s-token',
    action: 'refuse',
    reason: 'h1 has it and is gone',
  })
  await expect(obtaining).rejects.toThrow(
    'there is no k3s-token for this site: h1 has it and is gone',
  )
})

test('asked for a secret whose file is gone, a host says so instead of nothing', async () => {
  const secrets = createSiteSecrets(folder.path)
  const sent: FromRunner[] = []
  await exportSiteSecret('ca', { secrets, send: (message) => void sent.push(message) })
  expect(sent).toEqual([{ type: 'no-site-secret', name: 'ca' }])
})
