// The parts of `make soak`, in their order: what shows most comes first, what takes longest comes last.

export interface Part {
  readonly name: string;
  /** Longest time, `minutes` */
  readonly minutes: number;
  /** A script of ours, or the project and the files of tests with their full counts */
  readonly script?: string;
  readonly project?: 'unit' | 'contract' | 'guest';
  readonly files?: readonly string[];
  readonly without?: readonly string[];
}

const mixedMinutes = Number(process.env['SOAK_MINUTES'] ?? '30');
/** Of the tests with guests, those with counts of their own: each is a part, so that one that fails holds up no other */
const counted = ['run', 'fault', 'property'];
const guestFile = (name: string): string => `test/guest/${name}.test.ts`;

export const parts: readonly Part[] = [
  // Set-up and the end take some minutes more.
  { name: 'mixed', minutes: mixedMinutes + 15, script: 'test/soak/mixed.ts' },
  { name: 'round-trip', minutes: 30, project: 'unit', files: ['test/unit/changes/round-trip.test.ts'] },
  ...counted.map((name) => ({ name, minutes: 120, project: 'guest' as const, files: [guestFile(name)] })),
  { name: 'failing-writes', minutes: 130, project: 'contract', files: ['test/contract/faults.test.ts'] },
  { name: 'kills', minutes: 130, project: 'contract', files: ['test/contract/kills.test.ts'] },
  { name: 'failing-pulls', minutes: 60, project: 'contract', files: ['test/contract/pull-faults.test.ts'] },
  { name: 'lying-agent', minutes: 60, project: 'contract', files: ['test/contract/lying-agent.test.ts'] },
  { name: 'random-calls', minutes: 90, project: 'contract', files: ['test/contract/random-calls.test.ts'] },
  { name: 'guests', minutes: 180, project: 'guest', without: counted.map(guestFile) },
];
