import { createTwoFilesPatch } from 'diff'
import type { Change, Write } from '../core/change.ts'
import { Secret } from '../core/secret.ts'

/** A diff is a courtesy: two long files without a common line are not worth more. @unit milliseconds */
const DIFF_TIMEOUT_MS = 200

/** What one change shows of a diff. @unit characters */
const DIFF_LIMIT = 32_768

/** The permission bit. */
const READ_BY_OTHERS = 0o004

/** The unified diff of a write; undefined for changes that have none. */
export function diffOf(change: Change): string | undefined {
  if (change.kind !== 'write') return undefined
  const { path, content, before, secret } = change
  // Its old content is as secret as the new one, and is not tainted: it was read from the disk.
  if (secret === true || content instanceof Secret) return 'secret content differs (not shown)'
  if (before !== undefined && isPrivate(change)) return 'private content differs (not shown)'
  return unifiedDiff(path, before, content)
}

/** Whether not everybody on the host may read it: what it held may be a secret that was never ours. */
function isPrivate({ mode, beforeMode = mode }: Write): boolean {
  return (mode & beforeMode & READ_BY_OTHERS) === 0
}

/** `before` undefined: there was no file. */
export function unifiedDiff(path: string, before: string | undefined, after: string): string {
  if (isBinary(before ?? '') || isBinary(after)) return 'binary content differs (not shown)'
  const patch = before === undefined ? newFilePatch(path, after) : changedPatch(path, before, after)
  if (patch === undefined) return 'content differs too much to be shown'
  if (patch.length <= DIFF_LIMIT) return patch
  return `${patch.slice(0, DIFF_LIMIT)}\n… (${patch.length - DIFF_LIMIT} characters more)\n`
}

/** There is nothing to compare: a long new file needs no time, and none of the comparison's bound. */
function newFilePatch(path: string, after: string): string {
  const header = `--- /dev/null\n+++ ${path}\n`
  if (after === '') return header
  const ended = after.endsWith('\n')
  const lines = (ended ? after.slice(0, -1) : after).split('\n')
  const hunk = `@@ -0,0 +1,${lines.length} @@\n${lines.map((line) => `+${line}\n`).join('')}`
  return `${header}${hunk}${ended ? '' : '\\ No newline at end of file\n'}`
}

function changedPatch(path: string, before: string, after: string): string | undefined {
  return createTwoFilesPatch(path, path, before, after, undefined, undefined, {
    context: 3,
    timeout: DIFF_TIMEOUT_MS,
    headerOptions: { includeIndex: false, includeUnderline: false, includeFileHeaders: true },
  })
}

function isBinary(text: string): boolean {
  return text.includes('\0')
}
