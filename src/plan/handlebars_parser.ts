/// <reference types="handlebars" />
// The parser alone: the whole library would be three times as much to load on each start.
// @ts-expect-error this part of the package has no types of its own
import { parse } from 'handlebars/dist/cjs/handlebars/compiler/base.js'

/** Handlebars' syntax tree of a template. Throws Errors whose message holds the line. */
export const parseHandlebars = parse as (input: string) => hbs.AST.Program
