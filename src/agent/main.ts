import module from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { otherProgram } from './site_bundle.ts'

/** Since Node 22; what Node 20 is typed with does not know it. */
interface Compiling {
  readonly enableCompileCache?: (folder: string) => unknown
}

// As the runner's entry: what V8 has compiled lies beside the bundle.
const { enableCompileCache } = module as Compiling
enableCompileCache?.(join(import.meta.dirname, 'compiled'))

const other = otherProgram(import.meta.dirname)
if (other === undefined) await import('./command.ts')
else await import(pathToFileURL(other).href)
