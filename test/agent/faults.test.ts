import { expect, test } from 'vitest'
import { Faults } from '../../src/agent/faults.ts'

function started() {
  const told: string[] = []
  let now = 0
  const faults = new Faults(
    ({ message }) => told.push(message),
    () => now,
  )
  return { faults, told, pass: (ms: number) => void (now += ms) }
}

test('a trouble that lasts is one event an hour', () => {
  const { faults, told, pass } = started()
  for (let second = 0; second < 7_300; second += 1) {
    faults.tell('disk', 'full')
    pass(1_000)
  }
  expect(told).toHaveLength(3)
})

test('a trouble that comes again is a new event, and one with other words too', () => {
  const { faults, told, pass } = started()
  faults.tell('disk', 'full')
  faults.clear('disk')
  pass(10_000)
  faults.tell('disk', 'full')
  pass(10_000)
  faults.tell('disk', 'broken')
  expect(told).toEqual(['full', 'full', 'broken'])
})

test('whoever changes his words, or comes and goes, is heard six times a minute', () => {
  const { faults, told, pass } = started()
  for (let second = 0; second < 60; second += 1) {
    faults.tell('peer-request', `words ${second}`)
    if (second % 2 === 0) faults.clear('peer-request')
    pass(1_000)
  }
  expect(told).toHaveLength(6)
})

test('subjects are told of each by itself', () => {
  const { faults, told } = started()
  faults.tell('disk', 'full')
  faults.tell('script', 'hangs')
  expect(told).toEqual(['full', 'hangs'])
})
