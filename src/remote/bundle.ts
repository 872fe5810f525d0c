/** What we run on a host: `main.mjs` and the chunks that it loads when it needs them. */
export interface Bundle {
  /** Content hash, as the build computed it; names the bundle's folder on the host. */
  readonly sha256: string
  readonly files: readonly BundleFile[]
}

interface BundleFile {
  /** `main.mjs`, `certificate.mjs`: lies beside the others on the host. */
  readonly name: string
  /** On this machine; read only when a host lacks the bundle. */
  readonly path: string
}

/** @throws RangeError for a name that is not plain, or without main.mjs: a fault of the build */
export function checkBundle({ files }: Bundle): void {
  for (const { name } of files)
    if (!/^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(name)) throw new RangeError(`bundle file ${name}`)
  if (!files.some(({ name }) => name === 'main.mjs'))
    throw new RangeError('a bundle without main.mjs')
}
