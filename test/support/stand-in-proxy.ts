// The proxy of a stand-in guest as programs in it find it: stand-ins share the ports of this host, so it is on any free one.
import { exec, type TestEngine } from './engine.ts';

/** Prints the port on which the agent of this guest listens: that of a socket which one of its processes holds. */
const findPort = [
  'inodes=$(for p in /proc/[0-9]*; do case $(readlink $p/exe) in */agent) ls -l $p/fd;; esac; done 2>/dev/null |',
  String.raw`sed -n 's/.*socket:\[\([0-9]*\)\].*/\1/p' | tr '\n' ' ')`,
  'while read -r _ local _ state _ _ _ _ _ inode _; do',
  '  [ "$state" = 0A ] || continue',
  '  case " $inodes " in *" $inode "*) echo $((0x$(echo "$local" | cut -d : -f 2)));; esac',
  'done < /proc/net/tcp',
].join('\n');

export interface ProxyAnswer {
  /** First line of what the proxy answers */
  readonly head: string;
  readonly denied: readonly { readonly target: string; readonly rule: string; readonly reason: string }[];
}

/** A program of the guest asks its proxy for a way to `target`, host:port. */
export async function askProxy(engine: TestEngine, id: string, target: string): Promise<ProxyAnswer> {
  const command = `port=$(${findPort})
exec 3<>"/dev/tcp/127.0.0.1/$port" || exit 9
printf 'CONNECT %s HTTP/1.1\\r\\nHost: %s\\r\\n\\r\\n' '${target}' '${target}' >&3
IFS= read -r line <&3; echo "$line"`;
  const result = await exec(engine, id, `bash -c ${quoted(command)}`);
  if (result.exit_code !== 0) throw new Error(`the proxy of the guest cannot be asked: ${result.stderr}`);
  return { head: result.stdout.trim(), denied: result.denied_connections };
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
