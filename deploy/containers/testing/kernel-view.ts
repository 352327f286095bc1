import type { OpenProject } from './project.ts'

export interface Security {
  readonly user: string
  /** Effective, permitted, inheritable, bounding and ambient sets. */
  readonly capabilities: ReadonlySet<string>
  readonly noNewPrivileges: boolean
  readonly isRootReadOnly: boolean
}

/** Reads from the kernel what the main process of a container may do. */
export async function securityOf(project: OpenProject, service: string): Promise<Security> {
  const text = await project.exec(service, 'cat', '/proc/1/status', '/proc/1/mounts')
  const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(text)?.[1] ?? ''
  return {
    user: field('Uid'),
    capabilities: new Set(['CapEff', 'CapPrm', 'CapInh', 'CapBnd', 'CapAmb'].map(field)),
    noNewPrivileges: field('NoNewPrivs') === '1',
    isRootReadOnly: /^\S+ \/ \S+ ro,/m.test(text)
  }
}

/** Reads the peak of the resident memory of the main process, in bytes. */
export async function memoryOf(project: OpenProject, service: string): Promise<{ readonly peak: number }> {
  const status = await project.exec(service, 'cat', '/proc/1/status')
  return { peak: Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) * 1_024 }
}
