// The machine that runs guests in QEMU: found and put together once for each process.
import { join } from 'node:path';
import type { CallContext } from '../shared/call-context.ts';
import { openLog } from '../system/log.ts';
import { ensurePrivateFolder, type Paths } from '../system/paths.ts';
import { inspectConfinement } from './confinement.ts';
import { ensureEmptyDisk, ensureProjectPlaceholder } from './disks.ts';
import { inspectCpu, inspectQemu } from './host-facts.ts';
import { loadKit } from './kit.ts';
import { qemuLayers } from './layers.ts';
import type { Machine } from './machine.ts';
import { chooseAccelerator } from './probe.ts';
import { prepareProject } from './project-templates.ts';
import { furnish, startFresh, startOnDisk, takeOver } from './starter.ts';
import { dropTemplates, ensureTemplate, type QemuSetup } from './templates.ts';

/** Throws `tool_missing`, `host_unsupported` or `guest_kit_missing` where this host cannot run guests. */
export async function openQemuMachine(paths: Paths, context: CallContext): Promise<Machine> {
  return qemuMachine(await openQemuSetup(paths, context));
}

export function qemuMachine(setup: QemuSetup): Machine {
  return {
    choice: setup.host.choice,
    layers: qemuLayers(setup.host.confinement),
    ensureTemplate: (...request) => ensureTemplate(setup, ...request),
    dropTemplates: (...request) => dropTemplates(setup, ...request),
    prepareProject: (...request) => prepareProject(setup, ...request),
    furnish: (...request) => furnish(setup, ...request),
    startFresh: (...request) => startFresh(setup, ...request),
    startOnDisk: (...request) => startOnDisk(setup, ...request),
    takeOver: (...request) => takeOver(setup, ...request),
  };
}

export async function openQemuSetup(paths: Paths, { signal }: CallContext): Promise<QemuSetup> {
  await ensurePrivateFolder(paths.cache);
  await ensurePrivateFolder(paths.runtime);
  const [qemu, kit, cpu] = await Promise.all([inspectQemu(paths.cache), loadKit(), inspectCpu()]);
  // Where a person looks who wonders about it later.
  const log = openLog(join(paths.state, 'logs', 'daemon.log'));
  const onFailure = (why: string): void => log.info('a guest is not confined', { why });
  const confinement = { ...(await inspectConfinement(qemu, paths.cache)), onFailure };
  const { weakness } = confinement;
  if (weakness !== undefined) log.info('guests are less confined', { weakness });
  const base = { qemu, kit, tscKhz: cpu.tscKhz, confinement, runtime: paths.runtime };
  const choice = await chooseAccelerator(base, cpu, paths.cache, signal);
  return {
    host: { ...base, choice },
    cacheFolder: paths.cache,
    emptyDisk: await ensureEmptyDisk(paths.cache, signal),
    projectPlaceholder: await ensureProjectPlaceholder(paths.cache),
    cpuModel: cpu.model,
    onFallback: (template, why) => log.info('a saved guest did not come up', { template, why }),
  };
}
