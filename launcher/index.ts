/** Real servers and services, for programs that run them differently from `npm start`. */

export { auditDeadLetterTopic } from '../deploy/connect/connector.ts'
export { type CommandContext, runCommand } from './commands/command.ts'
export { describeCommit } from './commit.ts'
export { compiledClasses } from './components/compile-java.ts'
export { type ConnectOptions, startConnect, startWorker } from './components/connect.ts'
export { fetchJars } from './components/fetch-jars.ts'
export { readLock as lockedJars } from './components/jar-lock.ts'
export {
  classPath,
  connectJarSets,
  connectJars,
  jarsHome,
  javaCompilerJars,
  kafkaJars,
  kafkaZookeeperJars,
  peersJars,
  registryJars
} from './components/jars.ts'
export { javaCommand } from './components/java-process.ts'
export { type KafkaNode, type KafkaOptions, restartKafkaNode, startKafka } from './components/kafka.ts'
export { type PostgresOptions, startPostgres } from './components/postgres.ts'
export type { DatabaseAccess } from './components/postgres-credentials.ts'
export { prepareDatabase } from './components/postgres-database.ts'
export { startRegistry } from './components/registry.ts'
export { createRunDirectories, orderlyDirectory, projectDirectory, type RunDirectories } from './directories.ts'
export { readExtras } from './extras.ts'
export { chooseJava, findJavas } from './preflight/java.ts'
export { preflight } from './preflight/preflight.ts'
export { requireProgram } from './preflight/programs.ts'
export { takeRunLock } from './preflight/run-lock.ts'
export { freePort, freePorts, loopback } from './processes/ports.ts'
export { listProcesses } from './processes/process-table.ts'
export type { ProcessExit, SupervisedProcess, Supervisor } from './processes/supervisor.ts'
export { waitUntil } from './processes/wait.ts'
export { freeServerPorts, javaWith, planServers } from './servers.ts'
export { mainFile, type ServiceName, serviceNames } from './services.ts'
export { createMissingTopics } from './stack.ts'
export { showSteps } from './terminal/steps.ts'
export { UserError } from './user-error.ts'
