/**
 * The language of test/raft/scenarios/*.txt. A file is a list of blocks: commands, `----`, the
 * output they are expected to give, a blank line. Lines starting with `#` are prose.
 *
 *   cluster N [key=value …]         voters 1..N; keys: any Raft knob
 *   log ID TERM [ENTRY …]           before the first tick: `|e1` epoch start, `x(3)` a batch
 *   tick ID [TIMES]                 time passes at one node
 *   stand ID                        ticks a node until it asks for votes
 *   deliver [FROM>TO] [TYPE] [xN]   delivers waiting messages (default: all, until quiet)
 *   stabilize                       as deliver, without showing the messages
 *   drop [FROM>TO] [TYPE]           loses waiting messages
 *   repeat [FROM>TO] [TYPE]         duplicates waiting messages
 *   swap                            turns the order of waiting messages around
 *   show                            lists waiting messages
 *   cut A B | cut A | heal          A's messages to B (or A's from and to everyone) are lost
 *   propose ID TEXT(RECORDS) …      a leader's produce requests
 *   start-at ID OFFSET              proposes a log start
 *   hold ID … | sync ID             syncs of these nodes end only by `sync`
 *   kill ID | power ID | restart ID [forgetful] | wipe ID
 *   down A B                        A notices that its link to B closed
 *   trim ID OFFSET+MARKS [STATE]    the log of a node starts there now; STATE is its snapshot
 *   transfer ID TO | step-down ID | gap ID | round ID
 *   status [ID …]
 */
import { assert } from '#src/base/assert.js';
import { isSameVoter, type VoterId } from '#src/base/group.js';
import type { Position } from '#src/base/position.js';
import type { RaftMessage } from '#src/raft/messages.js';
import { DEFAULT_RAFT_KNOBS, type RaftKnobs } from '#src/raft/raft-config.js';
import { type Entry, entryEnd, ScenarioNode } from './scenario-node.js';
import { eventText, messageText, nodeText } from './scenario-text.js';

type Filter = { from: number | null; to: number | null; type: string | null; limit: number };

const DELIVERIES_MAX = 10_000;

export class Scenario {
  readonly #nodes = new Map<number, ScenarioNode>();
  #waiting: RaftMessage[] = [];
  #cuts = new Set<string>();
  #out: string[] = [];

  /** Runs one command line and returns what it says. */
  run(line: string): string[] {
    this.#out = [];
    const [verb = '', ...words] = line.trim().split(/\s+/);
    this.#command(verb, words);
    this.#collect();
    return this.#out;
  }

  #command(verb: string, words: readonly string[]): void {
    const id = Number(words[0]);
    switch (verb) {
      case 'cluster':
        return this.#cluster(id, words.slice(1));
      case 'log':
        return this.#setLog(id, Number(words[1]), words.slice(2));
      case 'deliver':
        return this.#deliver(filterOf(words), true);
      case 'stabilize':
        return this.#deliver(filterOf([]), false);
      case 'drop':
        this.#take(filterOf(words));
        return;
      case 'repeat':
        this.#waiting.push(...this.#waiting.filter((m) => isMatch(m, filterOf(words))));
        return;
      case 'swap':
        this.#waiting.reverse();
        return;
      case 'show':
        for (const message of this.#waiting) this.#out.push(messageText(message));
        return;
      case 'cut':
        return this.#cut(id, words[1] === undefined ? null : Number(words[1]));
      case 'heal':
        this.#cuts.clear();
        return;
      case 'hold':
        for (const word of words) this.#node(Number(word)).isAutoSync = false;
        return;
      case 'status':
        return this.#status(words.map(Number));
      default:
        return this.#nodeCommand(verb, this.#node(id), words.slice(1));
    }
  }

  #nodeCommand(verb: string, node: ScenarioNode, words: readonly string[]): void {
    const { raft } = node;
    switch (verb) {
      case 'tick':
        for (let left = Number(words[0] ?? 1); left > 0; left--) this.#tick(node);
        return;
      case 'stand':
        for (let i = 0; i < 100 && raft.role === 'follower'; i++) this.#tick(node);
        return;
      case 'propose':
        for (const word of words) this.#propose(node, word);
        return;
      case 'start-at':
        this.#say(raft.proposeLogStart(Number(words[0])) ? null : 'refused');
        return node.work();
      case 'sync':
        return node.endSync();
      case 'kill':
        return node.kill();
      case 'power':
        return node.cutPower();
      case 'restart':
        return node.restart(words[0] === 'forgetful');
      case 'wipe':
        return this.#wipe(node);
      case 'down':
        raft.peerDown(Number(words[0]));
        return node.work();
      case 'trim':
        node.written.state = words[1] ?? '';
        return node.trimTo(positionOf(words[0] ?? ''));
      case 'transfer':
        this.#say(raft.transferTo(Number(words[0])) ? null : 'refused');
        return node.work();
      case 'step-down':
        raft.stepDown();
        return node.work();
      case 'gap':
        raft.resumedAfterGap();
        return node.work();
      case 'round':
        this.#say(`round ${raft.requestRound()}, confirmed ${raft.confirmedRound}`);
        return node.work();
      default:
        assert(false, `unknown command ${verb}`);
    }
  }

  #cluster(size: number, settings: readonly string[]): void {
    const knobs: Record<string, number | boolean> = { ...DEFAULT_RAFT_KNOBS };
    for (const setting of settings) {
      const [name = '', value = ''] = setting.split('=');
      assert(name in knobs, `no such knob: ${name}`);
      knobs[name] = value === 'true' || value === 'false' ? value === 'true' : Number(value);
    }
    const ids = Array.from({ length: size }, (_, i) => voter(i + 1));
    for (const id of ids) {
      const members = { voters: ids, learners: [] };
      const options = { id, members, knobs: knobs as RaftKnobs, seed: id.nodeId };
      this.#nodes.set(id.nodeId, new ScenarioNode(options));
    }
  }

  #setLog(id: number, term: number, words: readonly string[]): void {
    const { options } = this.#node(id);
    const entries: Entry[] = [];
    let epoch = 0;
    for (const word of words) {
      const last = entries.at(-1);
      const at: Position = last === undefined ? { offset: 0, marks: 0 } : entryEnd(last);
      if (word.startsWith('|e')) {
        epoch = Number(word.slice(2));
        entries.push({ kind: 'mark', mark: { kind: 'epoch-start', epoch, at } });
      } else {
        const { text, records } = batchOf(word);
        const to = { offset: at.offset + records, marks: at.marks };
        entries.push({ kind: 'batch', from: at, to, epoch, text });
      }
    }
    this.#nodes.set(id, new ScenarioNode(options, entries, { term, votedFor: null }));
  }

  #tick(node: ScenarioNode): void {
    if (!node.isUp) return;
    node.raft.tick();
    node.work();
    this.#collect();
  }

  #propose(node: ScenarioNode, word: string): void {
    const { text, records } = batchOf(word);
    if (!node.propose(records, text)) this.#out.push(`${node.options.id.nodeId} refuses ${text}`);
  }

  /** The disk is gone: the node comes back with a directory nobody voted in. */
  #wipe(node: ScenarioNode): void {
    const { options } = node;
    const id = { nodeId: options.id.nodeId, directoryId: `${options.id.directoryId}'` };
    this.#nodes.set(id.nodeId, new ScenarioNode({ ...options, id }));
  }

  #deliver(filter: Filter, isShown: boolean): void {
    let left = Math.min(filter.limit, DELIVERIES_MAX);
    while (true) {
      this.#collect();
      const index = this.#waiting.findIndex((message) => isMatch(message, filter));
      if (index < 0 || left-- <= 0) break;
      const [message] = this.#waiting.splice(index, 1);
      assert(message !== undefined, 'a message waits');
      if (isShown) this.#out.push(messageText(message));
      const node = this.#nodes.get(message.to.nodeId);
      if (node?.isUp) node.receive(message);
    }
    assert(left > -2, 'deliveries come to an end');
  }

  #take(filter: Filter): void {
    this.#collect();
    this.#waiting = this.#waiting.filter((message) => !isMatch(message, filter));
  }

  #cut(a: number, b: number | null): void {
    for (const other of b === null ? this.#nodes.keys() : [b]) {
      this.#cuts.add(`${a}>${other}`);
      if (b === null) this.#cuts.add(`${other}>${a}`);
    }
  }

  #status(ids: readonly number[]): void {
    for (const [id, node] of this.#nodes) {
      if (ids.length === 0 || ids.includes(id)) this.#out.push(nodeText(node));
    }
  }

  /** Takes what the nodes want to say: events are shown, messages wait (or are lost in a cut). */
  #collect(): void {
    for (const [id, node] of this.#nodes) {
      for (const event of node.events.splice(0)) this.#out.push(eventText(id, event));
      for (const message of node.outbox.splice(0)) {
        const isCut = this.#cuts.has(`${message.from.nodeId}>${message.to.nodeId}`);
        if (!isCut && !isSameVoter(message.from, message.to)) this.#waiting.push(message);
      }
    }
  }

  #say(text: string | null): void {
    if (text !== null) this.#out.push(text);
  }

  #node(id: number): ScenarioNode {
    const node = this.#nodes.get(id);
    assert(node !== undefined, `no node ${id}`);
    return node;
  }
}

function voter(nodeId: number): VoterId {
  return { nodeId, directoryId: `d${nodeId}` };
}

function filterOf(words: readonly string[]): Filter {
  const filter: Filter = { from: null, to: null, type: null, limit: Number.POSITIVE_INFINITY };
  for (const word of words) {
    const [from, to] = word.split('>');
    if (to !== undefined) {
      filter.from = from === '*' ? null : Number(from);
      filter.to = to === '*' ? null : Number(to);
    } else if (/^x\d+$/.test(word)) filter.limit = Number(word.slice(1));
    else filter.type = word;
  }
  return filter;
}

function isMatch(message: RaftMessage, filter: Filter): boolean {
  const { from, to, type } = filter;
  return (
    (from === null || message.from.nodeId === from) &&
    (to === null || message.to.nodeId === to) &&
    (type === null || message.type === type)
  );
}

function batchOf(word: string): { text: string; records: number } {
  const match = /^(\w+)\((\d+)\)$/.exec(word);
  assert(match !== null, `not a batch: ${word}`);
  return { text: match[1] as string, records: Number(match[2]) };
}

function positionOf(word: string): Position {
  const [offset, marks] = word.split('+').map(Number);
  assert(offset !== undefined && marks !== undefined, `not a position: ${word}`);
  return { offset, marks };
}
