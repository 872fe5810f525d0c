/// <reference types="handlebars" />

/** The parser alone: the whole library takes 10 ms more at each start, here and on the hosts. */
declare module 'handlebars/dist/cjs/handlebars/compiler/base.js' {
  export function parse(input: string): hbs.AST.Program
}
