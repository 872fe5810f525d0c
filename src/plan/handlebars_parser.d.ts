/// <reference types="handlebars" />

/** The parser alone: the whole library would be three times as much to load on each start. */
declare module 'handlebars/dist/cjs/handlebars/compiler/base.js' {
  export function parse(input: string): hbs.AST.Program
}
