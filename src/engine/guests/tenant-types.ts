// Why what lived in a guest is gone with it.

export type LossReason = 'workspace_stopped' | 'workspace_reset' | 'guest_ended';
