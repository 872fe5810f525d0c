import type { JsonObject } from '../core/json.ts'
import type { Secret } from '../core/secret.ts'
import { Fault } from './fault.ts'
import { isTemplate } from './template.ts'
import { renderTree, TreeFault } from './tree.ts'
import { texts, withSecrets, type Names } from './values.ts'

/**
 * Renders the variables that hold templates. They may name each other in any order.
 *
 * @throws Fault with the variable's name in its message: missing names, or two that name each other
 */
export function resolveVars(
  raw: JsonObject,
  names: Names,
  secrets: ReadonlyMap<string, Secret>,
): Readonly<Record<string, unknown>> {
  const vars: Record<string, unknown> = {}
  const all = { ...names, vars }
  for (const [name, value] of Object.entries(raw)) {
    const plain = [...texts(value)].every(({ text }) => !isTemplate(text))
    if (plain) vars[name] = withSecrets(value, secrets)
    else defineLazily(vars, name, () => renderTree(value, { names: all, secrets }))
  }
  // Reading each once renders it; what is left is plain data.
  return Object.fromEntries(Object.keys(raw).map((name) => [name, vars[name]]))
}

function defineLazily(vars: object, name: string, render: () => unknown): void {
  let state: 'raw' | 'rendering' = 'raw'
  Object.defineProperty(vars, name, {
    enumerable: true,
    configurable: true,
    get: () => {
      if (state === 'rendering')
        throw new VarFault(name, new Fault('E_TEMPLATE', 'it needs itself', 0))
      state = 'rendering'
      const value = inVar(name, render)
      Object.defineProperty(vars, name, { value, enumerable: true })
      return value
    },
  })
}

function inVar(name: string, render: () => unknown): unknown {
  try {
    return render()
  } catch (error) {
    if (error instanceof VarFault) throw error
    const fault = error instanceof TreeFault ? error.fault : error
    // One variable that needs another: the innermost is the one to mend.
    if (fault instanceof VarFault || !(fault instanceof Fault)) throw fault
    throw new VarFault(name, fault)
  }
}

/** A fault in a variable's own template: its place is the variable's. */
export class VarFault extends Fault {
  readonly variable: string

  constructor(variable: string, { kind, message, hint }: Fault) {
    super(kind, `in vars.${variable}: ${message}`, 0, hint)
    this.variable = variable
  }
}
