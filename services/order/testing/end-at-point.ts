import { subscribe } from 'node:diagnostics_channel'

/** Loaded into a service by `--import`: sends it END_WITH (SIGKILL, SIGSTOP) the first time that it passes the point END_AT. */
let isDone = false
subscribe('orderly:keyed-order', message => {
  if (isDone || (message as { point: string }).point !== process.env.END_AT) return
  isDone = true
  process.kill(process.pid, process.env.END_WITH)
})
