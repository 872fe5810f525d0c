import { setPriority } from 'node:os'

/**
 * The simulator computes and waits for nothing, and runs beside tests that wait for real servers: it takes
 * what they leave. Set for the process of each of its files.
 */
setPriority(10)
