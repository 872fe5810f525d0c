import module from 'node:module'
import { join } from 'node:path'

/** Since Node 22; what Node 20 is typed with does not know it. */
interface Compiling {
  readonly enableCompileCache?: (folder: string) => unknown
}

// The bundle's entry. What V8 has compiled of it lies beside it, where only root writes, and goes
// when the bundle goes: half of a converge with nothing to do was compiling. Node checks what it reads
// there, and does without whatever is missing or torn.
const { enableCompileCache } = module as Compiling
enableCompileCache?.(join(import.meta.dirname, 'compiled'))
await import('./command.ts')
