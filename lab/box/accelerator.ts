import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheRoot } from '../cache.ts'
import { run, type Ended } from '../command.ts'

/** libvirt's names: with the processor's help, or without. */
export type Accelerator = 'kvm' | 'qemu'

export interface Choice {
  readonly accelerator: Accelerator
  /** For a person: why it is this one. */
  readonly why: string
}

/** A kernel says this two seconds after its start under KVM when it is given no disk. */
const LAST_WORDS = 'Unable to mount root fs'

/** Where KVM does not work a guest hangs at its first instruction; a busy machine takes some seconds. */
const TRIAL_TIMEOUT_MS = 20_000

/** What a trial boot shows. That /dev/kvm opens shows nothing: guests have hung under one that does. */
export function judgeTrial({ code, stdout, stderr }: Ended): Choice {
  if (stdout.includes(LAST_WORDS)) return { accelerator: 'kvm', why: 'a guest boots under KVM' }
  const seconds = TRIAL_TIMEOUT_MS / 1000
  const seen =
    code === -1
      ? `a guest under KVM does not boot in ${seconds} s`
      : `QEMU with KVM ended with ${code}: ${(stderr || stdout).trim().split('\n').at(-1)}`
  return { accelerator: 'qemu', why: `${seen}; emulation is slow, and works` }
}

/** The answer kept, if it is of this boot of the machine and can be read. */
export function keptChoice(text: string, boot: string): Choice | undefined {
  const lines = text.split('\n')
  const [of, accelerator, why] = lines
  if (of !== boot || why === undefined) return undefined
  return accelerator === 'kvm' || accelerator === 'qemu' ? { accelerator, why } : undefined
}

/** Boots a guest's kernel under KVM, once in each boot of this machine. */
export async function chooseAccelerator(kernel: string): Promise<Choice> {
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
  const file = join(cacheRoot(), 'accelerator')
  const kept = keptChoice(await readFile(file, 'utf8').catch(() => ''), boot)
  if (kept !== undefined) return kept
  const choice = judgeTrial(await run(trialBoot(kernel), { timeoutMs: TRIAL_TIMEOUT_MS }))
  await mkdir(cacheRoot(), { recursive: true })
  await writeFile(file, `${boot}\n${choice.accelerator}\n${choice.why}\n`)
  return choice
}

/** A guest with nothing but a kernel: it panics for want of a disk, and `panic=-1` ends it. */
function trialBoot(kernel: string): readonly string[] {
  const machine = ['-accel', 'kvm', '-m', '256', '-nodefaults', '-no-reboot', '-display', 'none']
  const words = ['-serial', 'stdio', '-append', 'console=ttyS0 panic=-1']
  return ['qemu-system-x86_64', ...machine, '-kernel', kernel, ...words]
}
