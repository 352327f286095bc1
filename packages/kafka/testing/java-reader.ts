import { runKafkaTool } from '@orderly/launcher/testing'

/**
 * Reads a topic with Kafka's own consumer and `isolation.level=read_committed`, until it has read
 * `count` records or none arrives for a minute. Returns "partition offset value" per record, sorted.
 */
export async function readWithJavaClient(broker: string, topic: string, count: number): Promise<string[]> {
  const consumer = ['--bootstrap-server', broker, '--topic', topic, '--isolation-level', 'read_committed']
  const reading = ['--from-beginning', '--max-messages', String(count), '--timeout-ms', '60000']
  const printing = ['print.partition=true', 'print.offset=true'].flatMap(option => ['--formatter-property', option])
  const printed = await runKafkaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [
    ...consumer,
    ...reading,
    ...printing
  ])
  return printed
    .split('\n')
    .filter(line => line.startsWith('Partition:'))
    .map(line => line.replaceAll('\t', ' ').replace('Partition:', '').replace('Offset:', ''))
    .toSorted()
}
