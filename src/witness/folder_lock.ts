import { spawn } from 'node:child_process'
import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'

/** flock's answer that says "someone else has it" and nothing else. */
const HELD_BY_ANOTHER = 75

/**
 * One server a folder: `flock(2)`, by the command, on a descriptor that it shares with us. The kernel ends
 * it with our process, however that ends.
 * @throws Error in words if another one has it
 */
export async function lockFolder(directory: string): Promise<FileHandle> {
  const file = await open(join(directory, '.lock'), 'a', 0o600)
  try {
    const code = await flock(file.fd)
    if (code === 0) return file
    throw new Error(
      code === HELD_BY_ANOTHER
        ? `another \`twonode witness serve\` keeps its claims in ${directory}: two would both let a host win`
        : `flock failed with ${code}`,
    )
  } catch (error) {
    await file.close()
    throw error
  }
}

async function flock(fd: number): Promise<number> {
  const argv = ['--nonblock', '--exclusive', '--conflict-exit-code', String(HELD_BY_ANOTHER), '3']
  const child = spawn('flock', argv, { stdio: ['ignore', 'ignore', 'ignore', fd] })
  return await new Promise((resolve, reject) => {
    child.once('error', (cause) =>
      reject(new Error('flock (of util-linux) can not be run', { cause })),
    )
    child.once('close', (code) => resolve(code ?? 255))
  })
}
