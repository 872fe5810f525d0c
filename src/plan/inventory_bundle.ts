import { object } from './inventory_forms.ts'

/** What the hosts know of bundles. */
export const bundle = object('Bundles that are brought to the hosts: see `twonode bundle`.', {
  allowedSigners: {
    type: 'array',
    default: [],
    items: {
      type: 'string',
      pattern: '^(ssh|ecdsa|sk)-[A-Za-z0-9@.-]+ [A-Za-z0-9+/=]+( [^\\n]*)?$',
      'x-pattern-hint': 'Write a line of a .pub file: "ssh-ed25519 AAAA… ana".',
    },
    description:
      'Public keys of those whose bundles the hosts take. Without any a host asks for the fingerprint each time.',
  },
})
