import { subscribe } from 'node:diagnostics_channel'
import { type StageFailpoint, stageChannelName } from '@orderly/kafka'

/**
 * Kills the process with SIGKILL when its stage passes the failpoint for the n-th time, as in
 * `before-commit:3`. Loaded with `--import`.
 */
const [point, pass] = (process.env.KILL_AT ?? '').split(':')
let passes = 0
subscribe(stageChannelName, message => {
  if ((message as { point: StageFailpoint }).point === point && ++passes === Number(pass))
    process.kill(process.pid, 'SIGKILL')
})
