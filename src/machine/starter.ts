// The one starter of guests: from a saved one, else booted, up to three times; a guest that fails on the way leaves nothing.
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { RunningGuest } from '../contract/records.ts';
import type { CallContext } from '../shared/call-context.ts';
import { isPyroError, messageOf, type PyroError } from '../shared/errors.ts';
import { mebibyte } from '../shared/units.ts';
import { haveSameContent } from '../system/files.ts';
import { copyDisk, ensureRelativeOverlay, linkOrCopy, makeSparse, templateDiskMib } from './disks.ts';
import type { GuestDisks, GuestPlan, StartedGuest } from './machine.ts';
import { takePrepared } from './project-templates.ts';
import { newMagic, QemuGuest, type QemuStartRequest } from './qemu-guest.ts';
import { type SavedGuest, type Template, touchTemplate } from './template.ts';
import { dropIfPossible, ensureTemplate, findReady, type QemuSetup } from './templates.ts';
import { kitContent, savedContent } from './used-content.ts';

/** Memory of a guest while it boots, beside its disk; QEMU holds it open after that, without a name */
export const ramFile = 'ram';

const bootTries = 3;
const startFailures = ['guest_boot_failed', 'guest_unreachable', 'template_invalid', 'qemu_failed'] as const;
/** Longest time for the mounts of a guest, `ms` */
const mountMs = 60_000;

interface Start {
  readonly setup: QemuSetup;
  readonly plan: GuestPlan;
  readonly context: CallContext;
  /** Makes the disk that a boot begins with */
  readonly makeDisk: () => Promise<void>;
  /** What that disk stands on */
  readonly below: readonly string[];
}

type Source = Pick<QemuStartRequest, 'memory' | 'magic' | 'stateFile'> & { readonly below: readonly string[] };
type Mount = (guest: QemuGuest) => Promise<void>;

/** Puts what a guest needs of the caches into the folder of its disk. */
export async function furnish(
  setup: QemuSetup,
  plan: GuestPlan,
  imagePath: string,
  context: CallContext,
): Promise<void> {
  const { template } = await ensureTemplate(setup, { ...plan.environment, imagePath }, plan.size, context);
  await linkOrCopy(imagePath, plan.disks.rootImage);
  if (plan.disks.base !== undefined) await linkOrCopy(template.disk, plan.disks.base);
}

/** A guest with a fresh disk, restored from the template of its project, else from the `ready` one. */
export async function startFresh(
  setup: QemuSetup,
  plan: GuestPlan,
  context: CallContext,
  isCold = false,
): Promise<StartedGuest> {
  const { disks, environment, size } = plan;
  const below = disks.base === undefined ? [] : [disks.base];
  const start = { setup, plan, context, makeDisk: () => makeFreshDisk(setup, disks, context), below };
  if (isCold) return await boot(start);
  const ready = await templateIfRoom(setup, { ...environment, imagePath: disks.rootImage }, size, context);
  if (ready === undefined) return await boot(start);
  // A saved guest has its disk's blocks in memory: one that was made anew since does not fit the disk of this workspace.
  if (disks.base !== undefined && !(await haveSameContent(ready.disk, disks.base))) return await boot(start);
  const { prepared, base } = await placeSavedDisk(start, ready);
  return await restoreOrBoot(start, { ...(prepared ?? ready), below: [base], isDiskCopied: true }, async (guest) => {
    const { signal } = context;
    if (disks.project !== undefined && prepared === undefined) await guest.client.mountProject({ signal });
    await growTo(guest, disks.sizeMib, signal);
  });
}

/** The `ready` template; undefined where there is none and no room to make it: a guest that boots takes no room of the cache. */
async function templateIfRoom(...request: Parameters<typeof ensureTemplate>): Promise<Template | undefined> {
  const [, , , context] = request;
  try {
    return (await ensureTemplate(...request)).template;
  } catch (error) {
    if (!isPyroError(error, 'disk_low')) throw error;
    context.onProgress({ phase: 'boot', message: `booting without a template: ${error.message}` });
    return undefined;
  }
}

/** The disk of a saved guest: that of its project's template, which is given then, else the empty one of `ready`; and what it stands on. */
async function placeSavedDisk(
  { setup, plan: { disks }, makeDisk }: Start,
  ready: Template,
): Promise<{ readonly prepared: SavedGuest | undefined; readonly base: string }> {
  await rm(disks.top, { force: true });
  const prepared = disks.project === undefined ? undefined : await takePrepared(setup, ready, disks.project, disks.top);
  const beside = disks.base ?? join(dirname(disks.top), 'base.qcow2');
  if (prepared !== undefined) {
    if (disks.base === undefined) await linkOrCopy(ready.disk, beside);
    return { prepared, base: beside };
  }
  if (disks.base === undefined) await copyDisk(ready.overlay, disks.top);
  else await makeDisk();
  return { prepared, base: disks.base ?? ready.disk };
}

async function makeFreshDisk(setup: QemuSetup, disks: GuestDisks, { signal }: CallContext): Promise<void> {
  await rm(disks.top, { force: true });
  const empty = disks.base === undefined ? setup.emptyDisk : await ensureRelativeOverlay(setup.cacheFolder, signal);
  await copyDisk(empty, disks.top);
}

/** A guest that goes on with its disk: from the `bare` template where there is one, else booted. */
export async function startOnDisk(setup: QemuSetup, plan: GuestPlan, context: CallContext): Promise<StartedGuest> {
  const { below } = plan.disks;
  const start = { setup, plan, context, makeDisk: async () => undefined, below };
  const { disks, environment, size } = plan;
  // The template's kernel knows the size of its own disk only.
  const isGrown = disks.sizeMib > templateDiskMib;
  const wanted = { ...environment, imagePath: disks.rootImage };
  const bare = isGrown ? undefined : await findReady(setup, wanted, size, 'bare');
  if (bare === undefined) return await boot(start);
  await touchTemplate(setup.cacheFolder, bare.key);
  return await restoreOrBoot(start, { ...bare, below, isDiskCopied: false }, (guest) => activate(guest, start));
}

async function restoreOrBoot(
  start: Start,
  saved: SavedGuest & Pick<Source, 'below'> & { readonly isDiskCopied: boolean },
  mount: Mount,
): Promise<StartedGuest> {
  const { setup, context } = start;
  const memory = { path: saved.ram, isShared: false, isReadOnly: setup.host.qemu.hasReadOnlyMemory };
  try {
    const source = { memory, magic: saved.magic, stateFile: saved.state, below: saved.below };
    const used = [savedContent(setup, saved), kitContent(setup.host.kit)];
    return { ...(await launch(start, source, mount)), source: 'template', used };
  } catch (error) {
    context.signal.throwIfAborted();
    // A disk that was copied from what was saved is damaged where that is.
    const ofSaved = saved.isDiskCopied ? (['state_damaged'] as const) : [];
    if (!isPyroError(error, ...startFailures, ...ofSaved)) throw error;
    // The template may be what is wrong: drop it, so that the next start makes a new one, and boot this guest.
    context.onProgress({ phase: 'boot', message: 'the template did not come up; booting without it' });
    setup.onFallback?.(saved.key, explain(error));
    await dropIfPossible(setup, saved);
    return await boot(start);
  }
}

async function boot(start: Start): Promise<StartedGuest> {
  const { plan, context, makeDisk } = start;
  const ram = join(dirname(plan.disks.top), ramFile);
  for (let attempt = 1; ; attempt++) {
    context.onProgress({ phase: 'boot', message: attempt === 1 ? 'booting' : `booting, attempt ${attempt}` });
    await makeDisk();
    await rm(ram, { force: true });
    await makeSparse(ram, plan.size.memoryMib * mebibyte);
    try {
      const memory = { path: ram, isShared: false, isReadOnly: false };
      const booted = await launch(start, { memory, magic: newMagic(), below: start.below }, async (guest) => {
        await activate(guest, start);
        await growTo(guest, plan.disks.sizeMib, context.signal);
      });
      return { ...booted, source: 'cold', used: [kitContent(start.setup.host.kit)] };
    } catch (error) {
      context.signal.throwIfAborted();
      if (attempt >= bootTries || !isPyroError(error, ...startFailures)) throw error;
    } finally {
      // QEMU holds the file open; a private mapping of it needs no name.
      await rm(ram, { force: true });
    }
  }
}

/** What went wrong, for a log: what QEMU said stands further down. */
function explain(error: PyroError): string {
  const causes = [error, error.cause, error.cause instanceof Error ? error.cause.cause : undefined];
  return [...new Set(causes.filter((each) => each !== undefined).map(messageOf))].join(': ');
}

async function activate(guest: QemuGuest, { plan, context: { signal } }: Start): Promise<void> {
  await guest.client.activate(plan.disks.project !== undefined, { signal, timeoutMs: mountMs });
}

async function growTo(guest: QemuGuest, sizeMib: number, signal: AbortSignal): Promise<void> {
  if (sizeMib > templateDiskMib) await guest.grow(sizeMib, signal);
}

/** Starts QEMU, introduces the guest to itself and mounts. */
async function launch(
  { setup, plan, context: { signal } }: Start,
  { below, ...source }: Source,
  mount: Mount,
): Promise<Omit<StartedGuest, 'source'>> {
  const started = performance.now();
  const { id, size, disks, messageFile, onRunning } = plan;
  const storage = {
    rootImage: disks.rootImage,
    disk: disks.top,
    below,
    projectImage: disks.project?.image ?? setup.projectPlaceholder,
  };
  await using undo = new AsyncDisposableStack();
  const diskMib = disks.sizeMib;
  const request = { id, size, storage, diskMib, folderName: plan.socketFolder, messageFile, onRunning, ...source };
  const guest = undo.use(await QemuGuest.start(setup.host, request, signal));
  const identity = { hostname: hostName(id), machineId: randomBytes(16).toString('hex') };
  const magic = newMagic();
  await guest.client.resume(identity, magic, { signal });
  await mount(guest);
  await plan.arrive?.(guest);
  const record: RunningGuest = {
    process: guest.identity(),
    folder: plan.socketFolder,
    magic: magic.toString('hex'),
    machine_id: identity.machineId,
    accelerator: setup.host.choice.accelerator,
  };
  undo.move();
  return { guest, record, bootMs: performance.now() - started };
}

/** Takes over a guest that runs already. Throws `guest_unreachable`. */
export async function takeOver(
  { host }: QemuSetup,
  id: string,
  diskFolder: string,
  running: RunningGuest,
  signal: AbortSignal,
): Promise<QemuGuest> {
  const guest = await QemuGuest.adopt(host, running, diskFolder, signal);
  try {
    const identity = { hostname: hostName(id), machineId: running.machine_id };
    await guest.use(() => guest.client.resume(identity, undefined, { signal }));
    return guest;
  } catch (error) {
    await guest.detach();
    throw error;
  }
}

function hostName(id: string): string {
  return `pyro-${id.slice(0, 6)}`;
}
