import type { Mutant } from './mutant.ts'

/** Mutants of the notification service. */
export const notificationMutants: readonly Mutant[] = [
  {
    name: 'remembers-later',
    bug: 'the offsets of outcomes are committed before their deliveries are stored',
    patches: [
      {
        file: 'services/notification/consumer/result-stage.ts',
        find: '      await accept(',
        replace: '      setTimeout(accept, 100, '
      }
    ],
    faults: { 'kill-at-point': 1 },
    services: ['notification'],
    points: ['after-commit'],
    breaks: [8, 11]
  },
  {
    name: 'finishes-first',
    bug: 'a notification counts as sent before it is sent',
    patches: [
      {
        file: 'services/notification/delivery/delivery-loop.ts',
        find: '            : await send(delivery)',
        replace: "            : (setTimeout(() => void send(delivery), 100), { kind: 'sent' })"
      }
    ],
    faults: { kill: 1 },
    services: ['notification'],
    breaks: [8, 11]
  },
  {
    name: 'any-answer-will-do',
    bug: 'a webhook counts as delivered for every status',
    patches: [
      {
        file: 'services/notification/delivery/webhook/webhook.ts',
        find: 'if (status >= 200 && status < 300) return answer.drop()',
        replace: 'if (status >= 200 && status < 600) return answer.drop()'
      }
    ],
    faults: { kill: 1 },
    services: ['notification'],
    breaks: [11]
  },
  {
    name: 'new-id-for-each-attempt',
    bug: 'a repeated webhook has another id, so receivers cannot deduplicate it',
    patches: [
      {
        file: 'services/notification/delivery/webhook/webhook.ts',
        find: 'const webhookID = webhookIDOf(notification.id)',
        replace: 'const webhookID = webhookIDOf(notification.id + Date.now())'
      }
    ],
    faults: { kill: 1 },
    services: ['notification'],
    breaks: [11]
  }
]
