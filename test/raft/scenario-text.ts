/** How scenarios show things: one line a message, a node, an event. */
import { formatPosition } from '#src/base/position.js';
import type { RaftMessage, Slice } from '#src/raft/messages.js';
import type { RaftEvent } from '#src/raft/ready.js';
import type { Entry, ScenarioNode } from './scenario-node.js';

export function messageText(message: RaftMessage): string {
  const { from, to, type, term } = message;
  return `${from.nodeId}>${to.nodeId} ${type} t${term}${detail(message)}`;
}

function detail(message: RaftMessage): string {
  switch (message.type) {
    case 'pre-vote':
    case 'vote': {
      const flags = [
        message.type === 'pre-vote' && message.isForgetful ? ' forgetful' : '',
        message.type === 'vote' && message.isTransfer ? ' transfer' : '',
        message.type === 'vote' && message.isRecovery ? ' recovery' : '',
      ];
      return ` last=e${message.lastEpoch}@${formatPosition(message.lastPosition)}${flags.join('')}`;
    }
    case 'pre-voted': {
      const why = message.hasLeader ? ' hears a leader' : message.isForgetful ? ' forgetful' : '';
      return (message.isGranted ? ' yes' : ' no') + why;
    }
    case 'voted':
      return message.isGranted ? ' yes' : ' no';
    case 'append': {
      const prev = `e${message.prevEpoch}@${formatPosition(message.prevPosition)}`;
      const slices = message.slices.map(sliceText).join(' ');
      return ` after ${prev} [${slices}] commit=${formatPosition(message.commit)}`;
    }
    case 'heartbeat': {
      const remembered = message.remembered === 0 ? '' : ' remembered';
      return ` round=${message.round} commit=${formatPosition(message.commit)}${remembered}`;
    }
    case 'appended':
      return appendedText(message);
    case 'snapshot': {
      const { position, chunkStart, bytes, totalBytes } = message;
      const chunk = `${chunkStart}..${chunkStart + bytes.length}/${totalBytes}`;
      return ` to ${formatPosition(position)} bytes ${chunk}`;
    }
    case 'snapshot-received':
      return ` to ${formatPosition(message.position)} has ${message.receivedBytes}`;
    case 'timeout-now':
      return '';
  }
}

function appendedText(message: Extract<RaftMessage, { type: 'appended' }>): string {
  const { match, received, rejection, forgetful } = message;
  const flag = forgetful === 0 ? '' : ' forgetful';
  if (rejection !== null) {
    const { position, epoch, end } = rejection;
    return ` NO at ${formatPosition(position)}: my e${epoch} ends at ${formatPosition(end)}${flag}`;
  }
  const more =
    formatPosition(received) === formatPosition(match) ? '' : ` of ${formatPosition(received)}`;
  return ` match=${formatPosition(match)}${more}${flag}`;
}

function sliceText(slice: Slice): string {
  if (slice.kind === 'batches') {
    return `e${slice.epoch}:${slice.from.offset}..${slice.to.offset}`;
  }
  const { kind, epoch, logStartOffset } = slice.mark;
  return kind === 'epoch-start' ? `|e${epoch}` : `start=${logStartOffset}`;
}

export function eventText(nodeId: number, event: RaftEvent): string {
  switch (event.kind) {
    case 'leader':
      return `${nodeId} leads term ${event.term}`;
    case 'stepped-down':
      return `${nodeId} stepped down in term ${event.term}: ${event.reason}`;
    case 'campaign':
      return `${nodeId} stands in term ${event.term}`;
    case 'pre-vote':
      return `${nodeId} asks for pre-votes`;
    case 'possible-data-loss':
      return `${nodeId} POSSIBLE DATA LOSS from ${formatPosition(event.from)}`;
    case 'remembered':
      return `${nodeId} remembered`;
    case 'transfer-abandoned':
      return `${nodeId} abandoned the transfer to ${event.to.nodeId}`;
    case 'follower-lost-data':
      return `${nodeId} found that ${event.voter.nodeId} lost data`;
    case 'unknown-sender':
      return `${nodeId} does not know (${event.from.nodeId}, ${event.from.directoryId})`;
    case 'malformed':
      return `${nodeId} refused a malformed ${event.detail}`;
  }
}

export function nodeText(node: ScenarioNode): string {
  const { raft, options } = node;
  if (!node.isUp) return `${options.id.nodeId} down log=${logText(node)}`;
  const role = raft.isServingAt(raft.commit) ? 'serving' : raft.role;
  const flag = raft.isForgetful ? ' forgetful' : '';
  const synced = formatPosition(raft.syncedEnd);
  const who = `${options.id.nodeId} ${role}${flag} t${raft.term} leader=${raft.leaderId}`;
  return `${who} synced=${synced} commit=${formatPosition(raft.commit)} log=${logText(node)}`;
}

function logText(node: ScenarioNode): string {
  const { start, entries } = node.written;
  const from = formatPosition(start) === '0+0' ? '' : `from ${formatPosition(start)}`;
  const words = entries.map(entryText);
  return `[${[from, ...words].filter((word) => word !== '').join(' ')}]`;
}

function entryText(entry: Entry): string {
  if (entry.kind === 'batch') return `${entry.text}(${entry.to.offset - entry.from.offset})`;
  const { kind, epoch, logStartOffset } = entry.mark;
  return kind === 'epoch-start' ? `|e${epoch}` : `start=${logStartOffset}`;
}
