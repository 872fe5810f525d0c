import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/** Makes a folder that only root reads; what stands in a journal is nobody else's business. */
export function makePrivateFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 })
}

/** Replaces a small file of ours: a power failure leaves the old content or the new, whole. */
export function replaceDurably(path: string, text: string): void {
  const next = `${path}.next`
  const fd = openSync(next, 'w', 0o600)
  try {
    writeSync(fd, text)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(next, path)
  syncFolder(dirname(path))
}

/** Makes names in a folder durable. */
export function syncFolder(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
