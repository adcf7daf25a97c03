import { CannotDo, type ActResult, type DoneCall, type ExecutionAdapter, type Image, type ProbeResult, type StepCall, type UndoResult } from '@aifirst/execution';
import type { CapabilityDescriptor, Connection, StepPreview, UndoPreview } from '@aifirst/contracts';
import { invariant } from '@aifirst/kernel';
import * as fs from 'node:fs';
import { discard, lookAside, lookAtStep, openAside, sweepPrepared } from './aside';
import { CAPABILITIES } from './capabilities';
import { forgetKept } from './made-folders';
import { prepareStep } from './prepare-step';
import { previewStep } from './preview/preview-step';
import { previewUndo } from './preview/preview-undo';
import { TakenBack } from './preview/taken-back';
import { probeFileRoot } from './probe-connection';
import { IN_THE_WAY, cannotDo, isExpected } from './problems';
import { openRoot, reopenRoot, rootPathOf } from './root';
import { findStep, type Act, type ActImage, type Session, type Verb } from './session';
import { supported } from './system/libc';
import { Held } from './system/folder';
import { appending } from './verbs/append';
import { changingMode } from './verbs/chmod';
import { deleting } from './verbs/delete';
import { moving } from './verbs/move';
import { placing, type PlaceAfter } from './verbs/place';
import { readStep } from './verbs/read';

export interface FilesAdapterOptions {
  /** Called at named points between two moves; a test throws there as a crash would stop the process. */
  readonly boundary?: (name: string) => void;
  /** How long a call waits for another process that is at work on the same step or folder. */
  readonly lockMsMax?: number;
}

export type AnyVerb = Verb<ActImage, unknown>;
const VERBS: Readonly<Record<string, AnyVerb>> = { place: placing, append: appending, delete: deleting, move: moving, mode: changingMode } as unknown as Readonly<Record<string, AnyVerb>>;
const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));
const READ_ONLY = new Set(['fs.read', 'fs.list']);

const LOCK_MS_MAX = 10_000;
const SWEEP_EVERY_MS = 60 * 60 * 1000;
const SUCCESS: UndoResult = { outcome: 'undone', verified: true, reason: null };

/**
 * Files beneath a root (adapter `os`). What a change replaces or removes is set aside in `<root>/.aifirst` and stays there,
 * the very inode, until `forget`; images hold digests and inodes, never content (`before` of fs.append included).
 */
export class FilesAdapter implements ExecutionAdapter {
  readonly name = 'os';
  private readonly boundary: (name: string) => void;
  private readonly lockMsMax: number;
  private readonly sweptAtMs = new Map<string, number>();

  constructor(options: FilesAdapterOptions = {}) {
    this.boundary = options.boundary ?? (() => undefined);
    this.lockMsMax = options.lockMsMax ?? LOCK_MS_MAX;
  }

  capabilities(): readonly CapabilityDescriptor[] { return CAPABILITIES; }

  probeConnection(connection: Connection): ReturnType<ExecutionAdapter['probeConnection']> { return probeFileRoot(connection); }

  /** Everything is opened for reading only, `.aifirst` is not made, and no lock is taken. */
  async preview(call: StepCall): Promise<StepPreview> {
    if (!supported) throw new CannotDo('CONNECTION_UNUSABLE', 'files can be changed on Linux only');
    const held = new Held();
    try {
      return await previewStep({ held, root: openRoot(held, rootPathOf(call.connection), true).root }, call);
    } catch (error) {
      throw cannotDo(error);
    } finally { held.close(); }
  }

  /** The paths and the folders they are in, whose times of change chain from act to act. What leaves its folder alone (an append to a file that is there, a change of mode, the source of a copy) has its path only. */
  serialiseOn(call: StepCall): readonly string[] {
    const configured = call.connection?.config['root'];
    if (READ_ONLY.has(call.capability) || typeof configured !== 'string') return [];
    const root = configured.replace(/\/+$/, '');
    const keys = new Set<string>();
    for (const path of [call.input['path'], call.input['to']]) {
      if (typeof path !== 'string') continue;
      keys.add(`file:${root}/${path}`);
      const undoes = call.key.endsWith('/undo');
      // Why not an undo's: it takes the file away if it was made, and with it perhaps its folder.
      if (call.capability === 'fs.chmod' || (call.capability === 'fs.copy' && path === call.input['path'])) continue;
      if (call.capability === 'fs.append' && !undoes && !path.includes('\0') && fs.existsSync(`${root}/${path}`)) continue;
      // Why further up: a missing parent is made in the deepest folder there is, and an undo takes made ones away again; the
      // times of change of every folder that an act may touch must follow one another from image to image.
      for (let folder = parentOf(path); ; folder = parentOf(folder)) {
        keys.add(`file:${root}/${folder}`);
        if (folder === '' || folder.includes('\0') || (!undoes && fs.existsSync(`${root}/${folder}`))) break;
      }
    }
    return [...keys].sort();
  }

  async prepare(call: StepCall): Promise<Image> {
    if (READ_ONLY.has(call.capability)) return {};
    const held = new Held();
    let session: Session | undefined;
    try {
      session = this.begin(held, call);
      await this.sweepNowAndThen(session);
      return await prepareStep(session, call) as unknown as Image;
    } catch (error) {
      if (session?.step !== undefined && session.step !== null && isExpected(error)) await discard(session.aside!, session.step);
      throw cannotDo(error);
    } finally { held.close(); }
  }

  async execute(call: StepCall, before: Image): Promise<ActResult> {
    const held = new Held();
    const act: Act = { begun: false };
    let session: Session | undefined;
    try {
      if (READ_ONLY.has(call.capability)) return { outcome: 'succeeded', output: await readStep(held, openRoot(held, rootPathOf(call.connection)).root, call), after: {} };
      session = this.resume(held, call, before as unknown as ActImage);
      return await verbOf(before).execute(session, before as unknown as ActImage, act);
    } catch (error) {
      if (!isExpected(error)) throw error;
      const { code, message } = cannotDo(error);
      if (act.begun || code === 'STEP_LOCKED') return { outcome: 'unknown', error: { code: 'OUTCOME_UNKNOWN', detail: message, clean: false } };
      if (session?.step !== undefined && session.step !== null) await discard(session.aside!, session.step, this.boundary);
      return { outcome: 'failed', error: { code, detail: message, clean: true } };
    } finally { held.close(); }
  }

  async probe(call: StepCall, before: Image): Promise<ProbeResult> {
    if (READ_ONLY.has(call.capability)) return { outcome: 'didNotHappen' };
    const held = new Held();
    try {
      const session = this.resume(held, call, before as unknown as ActImage);
      return await verbOf(before).probe(session, before as unknown as ActImage);
    } catch (error) {
      if (!isExpected(error)) throw error;
      return { outcome: 'cannotTell', detail: cannotDo(error).message };
    } finally { held.close(); }
  }

  async undo(call: StepCall, before: Image, after: Image): Promise<UndoResult> {
    if (READ_ONLY.has(call.capability)) return SUCCESS;
    const held = new Held();
    const image = before as unknown as ActImage;
    let session: Session | undefined;
    try {
      session = this.resume(held, call, image);
      return await verbOf(before).undo(session, image, after);
    } catch (error) {
      if (!isExpected(error)) throw error;
      const { code, message } = cannotDo(error);
      if (session !== undefined && IN_THE_WAY.has(code)) {
        return { outcome: 'blocked', conflict: { resource: `${session.uri}${image.path}`, what: message, expected: 'what this step left there', found: message } };
      }
      return { outcome: 'unknown', error: { code: code === 'STEP_LOCKED' ? 'LOCKED' : code, detail: message, clean: false } };
    } finally { held.close(); }
  }

  /** Looks as `undo` looks before it acts, but everything is opened for reading only, and no lock is taken. */
  async previewUndo(call: StepCall, before: Image, after: Image, first: readonly DoneCall[] = []): Promise<UndoPreview> {
    if (READ_ONLY.has(call.capability)) return { outcome: 'nothingToDo', summary: 'it changed nothing', conflicts: [], truncated: false };
    if (!supported) throw new CannotDo('CONNECTION_UNUSABLE', 'files can be changed on Linux only');
    const held = new Held();
    const image = before as unknown as ActImage;
    try {
      const root = reopenRoot(held, image.root, call.connection, true);
      const aside = lookAside(held, root);
      const view = new TakenBack({ held, root });
      for (const one of first.filter(({ call: { capability } }) => !READ_ONLY.has(capability))) {
        const earlier = one.before as unknown as ActImage;
        if (isSameRoot(earlier.root, image.root)) await view.takeBack(verbOf(one.before), lookAtStep(held, aside, earlier.aside), earlier, one.after);
      }
      return await previewUndo({ held, root: first.length === 0 ? root : view.root, step: lookAtStep(held, aside, image.aside), call }, verbOf(before), image, after);
    } catch (error) {
      throw cannotDo(error);
    } finally { held.close(); }
  }

  async forget(call: Pick<StepCall, 'key' | 'tenant' | 'connection' | 'capability'>, before: Image, after: Image | null): Promise<void> {
    if (READ_ONLY.has(call.capability)) return;
    const held = new Held();
    try {
      const session = this.resume(held, { ...call, input: {} }, before as unknown as ActImage);
      if (session.aside === null) return;
      for (const { ino } of (after as Partial<PlaceAfter> | null)?.made ?? []) forgetKept(session, ino);
      const step = await findStep(session, before as unknown as ActImage);
      if (step !== null) await discard(session.aside, step, this.boundary);
    } catch (error) {
      // Why: a root that is gone took what was set aside with it.
      if (!(error instanceof CannotDo && error.code === 'CONNECTION_UNUSABLE')) throw error;
    } finally { held.close(); }
  }

  private begin(held: Held, call: StepCall): Session {
    if (!supported) throw new CannotDo('CONNECTION_UNUSABLE', 'files can be changed on Linux only');
    const { root, seen } = openRoot(held, rootPathOf(call.connection));
    return { held, root, rootSeen: seen, aside: openAside(held, root, true), ...this.rest(call) };
  }

  private resume(held: Held, call: Pick<StepCall, 'key' | 'input' | 'connection'> & { readonly signal?: AbortSignal }, before: ActImage): Session {
    const root = reopenRoot(held, before.root, call.connection);
    return { held, root, rootSeen: before.root, aside: openAside(held, root, false), ...this.rest(call) };
  }

  private rest(call: Pick<StepCall, 'key' | 'input' | 'connection'> & { readonly signal?: AbortSignal }) {
    return {
      call, step: null, uri: `file://${call.connection?.name ?? ''}/`, boundary: this.boundary, locked: new Set<string>(),
      patience: { untilMs: Date.now() + this.lockMsMax, ...(call.signal === undefined ? {} : { signal: call.signal }) },
    };
  }

  private async sweepNowAndThen({ held, aside, rootSeen }: Session): Promise<void> {
    const nowMs = Date.now();
    if (nowMs - (this.sweptAtMs.get(rootSeen.path) ?? 0) < SWEEP_EVERY_MS) return;
    this.sweptAtMs.set(rootSeen.path, nowMs);
    await sweepPrepared(held, aside!, nowMs);
  }
}

const isSameRoot = (a: ActImage['root'], b: ActImage['root']): boolean => a.dev === b.dev && a.ino === b.ino;

function verbOf(before: Image): AnyVerb {
  const verb = VERBS[String(before['kind'])];
  invariant(verb !== undefined, 'the image is not one of this adapter');
  return verb;
}
