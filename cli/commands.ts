import { type CommandLine, commonOptions } from '@orderly/command-line'
import { startNewGeneration } from './audit/new-generation.ts'
import { restartAudit } from './audit/restart.ts'
import { type Command, orderly } from './command-line/command.ts'
import { showDatabaseURL } from './database/database-url.ts'
import { runMigrations } from './database/migrate.ts'
import { dropDeadLetters, replayDeadLetters } from './dlq/execute.ts'
import { listDeadLetters } from './dlq/list.ts'
import { showLog } from './dlq/log.ts'
import { showDeadLetters } from './dlq/show.ts'
import { runDoctor } from './doctor/doctor.ts'
import { addEndpoint, changeEndpoint, listEndpoints, removeEndpoint } from './endpoints/endpoints.ts'
import { deleteGroups } from './groups/delete.ts'
import { showLag } from './lag/lag.ts'
import { showOrder } from './orders/show.ts'
import { acknowledgePositions } from './positions/acknowledge.ts'
import { listPositions } from './positions/list.ts'
import { resolvePositions } from './positions/resolve.ts'
import { reconcile } from './reconcile/reconcile.ts'
import { adjustStock, exportStock, importStock, setStock, showStock } from './stock/stock.ts'
import { configureTopics } from './topics/configure.ts'
import { growTopics } from './topics/grow.ts'
import { showTopics } from './topics/topics.ts'

/** All commands, in the order of the overview. */
export const commands: readonly Command[] = [
  runDoctor,
  growTopics,
  configureTopics,
  showTopics,
  showLag,
  deleteGroups,
  showOrder,
  listDeadLetters,
  showDeadLetters,
  replayDeadLetters,
  dropDeadLetters,
  showLog,
  listEndpoints,
  addEndpoint,
  changeEndpoint,
  removeEndpoint,
  listPositions,
  resolvePositions,
  acknowledgePositions,
  startNewGeneration,
  restartAudit,
  showStock,
  setStock,
  adjustStock,
  importStock,
  exportStock,
  reconcile,
  runMigrations,
  showDatabaseURL
]

export const commandLine: CommandLine<Command> = {
  prefix: orderly,
  summary: 'Inspects and repairs a running Orderly.',
  notes:
    'Every command accepts --json. The servers are found by the same settings as for the services: KAFKA_BROKERS, DATABASE_URL, …',
  commands: commands.map(command => ({ ...command, options: { ...command.options, ...commonOptions } }))
}
