import { assert } from '../../modules/assert.ts'
import { moduleCases } from '../support/module_cases.ts'

moduleCases(assert)
