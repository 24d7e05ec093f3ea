// Kinds of acceleration and the CPU model that goes with each.

export type Accelerator = 'kvm' | 'tcg';

export interface AcceleratorChoice {
  readonly accelerator: Accelerator;
  /** Why this one, in one line for a person */
  readonly reason: string;
}
