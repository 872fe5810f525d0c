import type { JsonObject } from '../core/json.ts'
import type { Schema } from '../core/module.ts'

/** The shape of playbooks; the docs page about them is printed from it. */

const words = (description: string): Schema => ({
  type: ['array', 'string'],
  items: { type: 'string', minLength: 1 },
  description,
})

const expression = (description: string): Schema => ({ type: 'string', minLength: 1, description })

const VARS: Schema = { type: 'object', description: 'Variables, below those of the inventory.' }

/** Keys of a task beside its module. */
export const TASK_PROPERTIES: Readonly<Record<string, Schema>> = {
  name: { type: 'string', minLength: 1, description: 'What will be true, in a few words.' },
  when: { ...expression('CEL: the task runs only if it is true.'), type: ['string', 'boolean'] },
  loop: {
    type: ['array', 'string'],
    description: 'Once for each item; `item` names it. A list, or one template that gives a list.',
  },
  register: {
    type: 'string',
    pattern: '^[a-zA-Z_][a-zA-Z0-9_]*$',
    'x-pattern-hint': 'Letters, digits and underscores.',
    description: 'Name under which later tasks see the result.',
  },
  notify: words('Handlers to run at the end of the play if the task changes something.'),
  tags: words(
    'Words by which `--tags` chooses tasks. One that is tagged `never` runs only when `--tags` names a tag of it.',
  ),
  until: expression('CEL over the registered result: tried again until it is true.'),
  retries: {
    type: 'integer',
    minimum: 0,
    maximum: 1000,
    description: 'Further attempts. Default: 3 with `until`, else 0.',
  },
  delay: {
    type: 'string',
    'x-unit': 'duration',
    default: '1s',
    description: 'Time between attempts.',
  },
  timeout: {
    type: 'string',
    'x-unit': 'duration',
    default: '10m',
    description: 'Bound of the whole task, all attempts included.',
  },
}

/** A task: the keys above and one module. What else is there is judged by name. */
export const TASK_SCHEMA: Schema = { type: 'object', properties: TASK_PROPERTIES }

const IMPORT_KEYS: JsonObject = {
  import: { type: 'string', minLength: 1, description: 'File with plays (or tasks), beside this.' },
  vars: VARS,
  when: TASK_PROPERTIES['when'] ?? {},
  tags: TASK_PROPERTIES['tags'] ?? {},
}

/** `import: FILE`, among plays or among tasks. */
export const IMPORT_SCHEMA: Schema = {
  type: 'object',
  additionalProperties: false,
  required: ['import'],
  properties: IMPORT_KEYS,
}

const TASK_LIST: Schema = { type: 'array', items: { type: 'object' } }

export const PLAY_SCHEMA: Schema = {
  type: 'object',
  additionalProperties: false,
  required: ['hosts'],
  properties: {
    name: { type: 'string', minLength: 1, description: 'What the play is about.' },
    hosts: {
      type: 'string',
      minLength: 1,
      description: '`all`, `leader`, `follower` or the name of a host.',
    },
    vars: VARS,
    rolling: {
      type: 'boolean',
      default: false,
      description: 'The follower first; the leader after it, and after the gate.',
    },
    gate: { ...TASK_LIST, description: 'Tasks that must pass on the follower if it was changed.' },
    tasks: { ...TASK_LIST, description: 'What is to be true, in order.' },
    handlers: { ...TASK_LIST, description: 'Tasks that run only when a task notifies them.' },
    tags: TASK_PROPERTIES['tags'] ?? {},
  },
}
