import { subscribe } from 'node:diagnostics_channel'

/**
 * Preloaded with `--import`: sends END_WITH (SIGKILL, SIGSTOP) to the process on the first pass of
 * failpoint END_AT.
 */
let isDone = false
subscribe('orderly:keyed-order', message => {
  if (isDone || (message as { point: string }).point !== process.env.END_AT) return
  isDone = true
  process.kill(process.pid, process.env.END_WITH)
})
