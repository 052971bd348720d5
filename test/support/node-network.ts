/**
 * A network of its own for each node: namespaces on one bridge, with a port for this process, and
 * packet drops per pair of nodes and direction.
 *
 *     this process ── lgr<pid> ═ home ┐
 *                                     ├ bridge lgb<pid>, nftables     (namespace of the hub)
 *     node N ── eth0 ═ node<N> ───────┘
 *
 * Its promise: nothing of it survives this process. A namespace lives as long as a process in it,
 * and that is a `cat` on a pipe from here; bridge, table and this process' own port go with the
 * hub's namespace. So a SIGKILL needs no clean-up either.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { ClusterLaunch } from './cluster-launch.js';
import { mustRun } from './command.js';
import { missingCommand } from './requires.js';
import { waitFor } from './wait-for.js';

/** 198.18.0.0/15 is set aside for tests of network devices (RFC 2544). */
const SUBNETS = Array.from({ length: 512 }, (_, i) => `198.${18 + (i >> 8)}.${i & 255}`);
const OWN_HOST = 254;

/** Packets from one node to another. */
export type Direction = { readonly from: number; readonly to: number };

/** Why namespaces can not be used here, or null. */
export function missingNetwork(): string | null {
  for (const [command, hint] of [
    ['ip', 'package iproute2'],
    ['nft', 'package nftables'],
    ['unshare', 'package util-linux'],
    ['nsenter', 'package util-linux'],
  ] as const) {
    const missing = missingCommand(command, hint);
    if (missing !== null) return missing;
  }
  // All that is needed, in a namespace that ends with the try.
  const script = [
    'ip link add lgb0 type bridge',
    'ip link add lgv0 type veth peer name lgv1',
    'nft add table bridge chaos',
    "nft 'add chain bridge chaos cut { type filter hook forward priority 0; }'",
    'nft add rule bridge chaos cut iifname lgv0 oifname lgv1 counter drop',
  ].join(' && ');
  const tried = spawnSync('unshare', ['--net', '--', '/bin/sh', '-c', script], {
    encoding: 'utf8',
  });
  if (tried.status === 0) return null;
  return `no network namespaces, bridges or nftables: ${tried.stderr.trim().split('\n')[0]}`;
}

const networks = new WeakMap<ClusterLaunch, Promise<NodeNetwork>>();

/** The network of a cluster; made by whoever asks first. */
export function networkOf(launch: ClusterLaunch): Promise<NodeNetwork> {
  const found = networks.get(launch) ?? NodeNetwork.make(launch);
  networks.set(launch, found);
  return found;
}

/** The network of a cluster that has one of its own. */
export async function maybeNetworkOf(launch: ClusterLaunch): Promise<NodeNetwork | null> {
  return (await networks.get(launch)) ?? null;
}

export class NodeNetwork {
  /** Address of this process, as the nodes see it. */
  readonly ownHost: string;
  readonly #hub: Namespace;
  /** `dialer>owner` → port here of the proxy over which their link goes. */
  readonly #proxies = new Map<string, number>();
  #droppedBefore = 0;

  private constructor(ownHost: string, hub: Namespace) {
    this.ownHost = ownHost;
    this.#hub = hub;
  }

  /** Makes the namespaces, and has the launch start its nodes in them. */
  static async make(launch: ClusterLaunch): Promise<NodeNetwork> {
    const subnet = freeSubnet();
    const ownHost = `${subnet}.${OWN_HOST}`;
    const hub = await Namespace.open();
    launch.onRelease(() => hub.close());
    await hub.link(`lgr${process.pid}`, 'home', null);
    await hub.ip([
      `link add lgb${process.pid} type bridge`,
      `link set lgb${process.pid} up`,
      `link set home master lgb${process.pid}`,
      'link set home up',
    ]);
    await own([`addr add ${ownHost}/24 dev lgr${process.pid}`, `link set lgr${process.pid} up`]);
    for (const id of launch.nodeIds) {
      const node = await Namespace.open();
      launch.onRelease(() => node.close());
      await node.link(`node${id}`, 'eth0', hub);
      await hub.ip([`link set node${id} master lgb${process.pid}`, `link set node${id} up`]);
      const host = `${subnet}.${id}`;
      await node.ip([`addr add ${host}/24 dev eth0`, 'link set eth0 up', 'link set lo up']);
      launch.node(id).host = host;
      launch.node(id).prefix.push(...node.enter);
    }
    await hub.nft(
      [
        'add table bridge chaos',
        'add chain bridge chaos cut { type filter hook forward priority 0; policy accept; }',
      ].join('\n'),
    );
    return new NodeNetwork(ownHost, hub);
  }

  /** The link that `dialer` makes to `owner` goes over a proxy of this process. */
  routeThrough(dialer: number, owner: number, port: number): void {
    this.#proxies.set(`${dialer}>${owner}`, port);
  }

  /** From now on nothing passes in these directions; all of them at once. */
  async drop(directions: readonly Direction[]): Promise<void> {
    const rules = directions.flatMap((direction) => this.#matches(direction));
    await this.#hub.nft(
      rules.map((match) => `add rule bridge chaos cut ${match} counter drop`).join('\n'),
    );
  }

  /** Of packets straight from one to the other, and of those between the dialer and the proxy. */
  #matches({ from, to }: Direction): string[] {
    const matches = [`iifname "node${from}" oifname "node${to}"`];
    const dialed = this.#proxies.get(`${from}>${to}`);
    const answered = this.#proxies.get(`${to}>${from}`);
    if (dialed !== undefined) matches.push(`iifname "node${from}" tcp dport ${dialed}`);
    if (answered !== undefined) matches.push(`oifname "node${to}" tcp sport ${answered}`);
    return matches;
  }

  async heal(): Promise<void> {
    this.#droppedBefore = await this.dropped();
    await this.#hub.nft('flush chain bridge chaos cut');
  }

  /** Packets dropped so far, as nftables counts them. */
  async dropped(): Promise<number> {
    const text = await this.#hub.run('nft', ['list', 'chain', 'bridge', 'chaos', 'cut']);
    const counts = [...text.matchAll(/counter packets (\d+)/g)].map((match) => Number(match[1]));
    return counts.reduce((sum, count) => sum + count, this.#droppedBefore);
  }
}

/** A network namespace without a name: it is gone when its last process is. */
class Namespace {
  readonly #holder: ChildProcess;
  /** Command in front of one that shall run in it. */
  readonly enter: readonly string[];

  private constructor(holder: ChildProcess) {
    this.#holder = holder;
    this.enter = ['nsenter', `--net=/proc/${holder.pid}/ns/net`, '--'];
  }

  static async open(): Promise<Namespace> {
    const holder = spawn('unshare', ['--net', '--', 'cat'], {
      // In a session of its own, so that Ctrl-C does not end it before those who live in it.
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    holder.on('error', () => undefined);
    const ours = namespaceOf(process.pid);
    await waitFor('a network namespace', () => namespaceOf(holder.pid as number) !== ours, {
      everyMs: 5,
    });
    holder.unref();
    return new Namespace(holder);
  }

  /** A cable with one end (`inner`) here and the other (`outer`) in `to`, or where we run. */
  async link(outer: string, inner: string, to: Namespace | null): Promise<void> {
    const make = `link add ${outer} type veth peer name ${inner} netns ${this.#holder.pid}`;
    await (to === null ? own([make]) : to.ip([make]));
  }

  ip(lines: readonly string[]): Promise<unknown> {
    return this.run('ip', ['-batch', '-'], lines.join('\n'));
  }

  nft(script: string): Promise<unknown> {
    return this.run('nft', ['-f', '-'], script);
  }

  async run(command: string, args: readonly string[], input = ''): Promise<string> {
    const [enter, ...rest] = this.enter as [string, ...string[]];
    return (await mustRun(enter, [...rest, command, ...args], { input })).stdout;
  }

  close(): void {
    this.#holder.stdin?.destroy();
    this.#holder.kill('SIGKILL');
  }
}

function own(lines: readonly string[]): Promise<unknown> {
  return mustRun('ip', ['-batch', '-'], { input: lines.join('\n') });
}

function namespaceOf(pid: number): string {
  return readlinkSync(`/proc/${pid}/ns/net`);
}

function freeSubnet(): string {
  const taken = Object.values(networkInterfaces()).flatMap((entries) =>
    (entries ?? []).map(({ address }) => address.split('.').slice(0, 3).join('.')),
  );
  const first = process.pid % SUBNETS.length;
  const free = [...SUBNETS.slice(first), ...SUBNETS.slice(0, first)].find(
    (subnet) => !taken.includes(subnet),
  );
  if (free === undefined) throw new Error('every test network is in use');
  return free;
}
