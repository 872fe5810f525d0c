/** Schema of an absolute path without `..`. */
export const PATH_FORM = {
  type: 'string',
  pattern: '^(?!.*/\\.\\.(/|$))/.*[^/]$',
  'x-form': "an absolute path without '..' and without a slash at its end",
} as const

/** The folder that holds a path. */
export function parentOf(path: string): string {
  const cut = path.lastIndexOf('/')
  return cut <= 0 ? '/' : path.slice(0, cut)
}

/** The last part of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
