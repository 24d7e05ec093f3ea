// Configuration files of chat hosts from which the fuzzer starts.
export const hostJsonTexts: readonly Buffer[] = [
  '{\n  "servers": {\n    "one": { "command": ["x"] }, // why\n  },\n  "a": [1, 2.0, 12345678901234567890]\n}\n',
  '{"servers":{"pyro":{"command":["old"],"enabled":false},"z":{}}}',
  '\r\n{\r\n\t"servers"\r\n:\r\n{}/* c */}',
  '{ "x": 1 }',
  '{"servers":{"pyro":{"a":1},"pyro":{"b":2}}}',
  '',
].map((text) => Buffer.from(text));

export const hostTomlTexts: readonly Buffer[] = [
  '# top\nx = 1\n\n[servers.one] # why\ncommand = "x"\n\n[servers.pyro]\ncommand = "old" # c\n[servers.pyro.env]\nA = "b"\n',
  'servers = { one = { command = "x" }, pyro = { command = "old" } } # all\n',
  '[servers]\npyro.command = "old"\npyro.args = [\n "x" ]\n[other]\nnote = """\n[servers.pyro]\n"""\n',
  'servers.one.command = "x"\r\n[[list]]\r\na = 1979-05-27\r\n',
  '["servers".\'pyro\']\ncommand = "old"\n[ other . "sub table" ]\nbig = 12345678901234567890\n',
  '',
].map((text) => Buffer.from(text));
