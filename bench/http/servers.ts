/**
 * The two servers that stand beside lograft: a bare node:http server, and nginx with sendfile over
 * one file. Their promise: each runs in a process of its own and ends with this one.
 */
import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const BARE_SERVER = fileURLToPath(new URL('./bare-server.js', import.meta.url));
const NGINX_DIRECTORIES = ['/usr/sbin', '/usr/local/sbin', '/usr/bin', '/usr/local/bin'];
const START_MS_MAX = 10_000;
const LOOK_AGAIN_MS = 20;

export type HttpServer = {
  /** Name and version for the reader. */
  readonly label: string;
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
};

export async function startBareServer(): Promise<HttpServer> {
  const child = fork(BARE_SERVER, { stdio: ['ignore', 2, 2, 'ipc'] });
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return serverOf(`node:http ${process.versions.node}`, child, port);
}

/** Path of nginx; null when this machine has none. */
export function findNginx(): string | null {
  const paths = NGINX_DIRECTORIES.map((directory) => join(directory, 'nginx'));
  return paths.find(existsSync) ?? null;
}

/** Serves the files of `root`. */
export async function startNginx(nginx: string, work: string, root: string): Promise<HttpServer> {
  mkdirSync(work, { recursive: true });
  const port = await freePort();
  const config = join(work, 'nginx.conf');
  writeFileSync(config, nginxConfig(work, root, port));
  const { stderr } = spawnSync(nginx, ['-v'], { encoding: 'utf8' });
  const label = /nginx\/\S+/.exec(stderr)?.[0].replace('/', ' ') ?? 'nginx';
  const args = ['-p', work, '-e', join(work, 'error.log'), '-c', config];
  const child = spawn(nginx, args, { stdio: ['ignore', 'ignore', 2] });
  const server = serverOf(label, child, port);
  const endMs = performance.now() + START_MS_MAX;
  while (!(await answers(port))) {
    if (child.exitCode !== null || performance.now() > endMs) {
      await server.stop();
      throw new Error(`nginx did not start (exit ${child.exitCode})`);
    }
    await sleep(LOOK_AGAIN_MS);
  }
  return server;
}

/** One process that does everything, so that its CPU is all there is to count. */
function nginxConfig(work: string, root: string, port: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `
daemon off;
master_process off;
pid ${join(work, 'nginx.pid')};
error_log ${join(work, 'error.log')};
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  ${temporary.map((name) => `${name}_temp_path ${join(work, name)};`).join('\n  ')}
  server { listen 127.0.0.1:${port}; root ${root}; }
}
`;
}

function serverOf(label: string, child: ChildProcess, port: number): HttpServer {
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  return {
    label,
    port,
    pid: child.pid as number,
    stop: async () => {
      process.off('exit', kill);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      kill();
      await ended;
    },
  };
}

/** Out of the system's own range, where no cluster of another bench looks for its ports. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
