import { fetchJars } from '../components/fetch-jars.ts'
import { avroConverterJars } from '../components/jars.ts'
import { createSupervisor } from '../processes/supervisor.ts'
import { createThrowAwayRun } from '../throw-away-run.ts'
import { runKafkaTool } from './kafka-tool.ts'

/**
 * Reads a topic with Java and returns one text per record. It runs Kafka's console consumer with
 * the deserializer of Kafka Connect's Avro converter, which looks up the writer's schema in the
 * registry by the id in the record.
 * @param registryURL address of the Confluent API; the deserializer uses Apicurio's own API of the
 * same server
 * @param count number of records to wait for, at most one minute
 */
export async function readAvroWithJava(
  broker: string,
  topic: string,
  registryURL: string,
  count: number
): Promise<string[]> {
  await fetchConverter()
  const deserializer = 'io.apicurio.registry.serde.avro.AvroKafkaDeserializer'
  const settings = {
    'apicurio.registry.url': registryURL.replace(/\/apis\/.*$/, '/apis/registry/v2'),
    'apicurio.registry.as-confluent': 'true',
    'apicurio.registry.use-id': 'contentId'
  }
  const printed = await runKafkaTool(
    'org.apache.kafka.tools.consumer.ConsoleConsumer',
    [
      ...['--bootstrap-server', broker, '--topic', topic, '--isolation-level', 'read_committed'],
      ...['--from-beginning', '--max-messages', String(count), '--timeout-ms', '60000'],
      ...['--formatter-property', `value.deserializer=${deserializer}`],
      ...Object.entries(settings).flatMap(([name, value]) => [
        '--formatter-property',
        `value.deserializer.${name}=${value}`
      ])
    ],
    [avroConverterJars]
  )
  return printed.split('\n').filter(line => line !== '')
}

async function fetchConverter(): Promise<void> {
  const { directories, discard } = createThrowAwayRun('test')
  const supervisor = createSupervisor(directories.logs)
  try {
    await fetchJars(avroConverterJars, { supervisor, say: () => {} })
  } finally {
    await supervisor.stop()
    await discard()
  }
}
