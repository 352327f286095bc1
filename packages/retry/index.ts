export { backoffMs, type RetryPolicy, retry } from './retry.ts'
