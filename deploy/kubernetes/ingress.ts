import type { IIngress } from 'kubernetes-models/networking.k8s.io/v1/Ingress'
import { labels, type Manifest } from './manifest.ts'

/**
 * Returns an example that publishes the order API by TLS. The namespace of the ingress controller
 * needs the label `orderly/uses-api=true`.
 */
export function ingressManifests(): Manifest[] {
  const host = 'orders.example.com'
  const ingress: IIngress = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: {
      name: 'order',
      labels: labels('order'),
      // cert-manager creates the certificate.
      annotations: { 'cert-manager.io/cluster-issuer': 'letsencrypt' }
    },
    spec: {
      ingressClassName: 'nginx',
      tls: [{ hosts: [host], secretName: 'orders-tls' }],
      rules: [
        {
          host,
          http: {
            paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'order', port: { name: 'http' } } } }]
          }
        }
      ]
    }
  }
  return [ingress]
}
