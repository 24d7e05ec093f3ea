// The server that a hostile guest may reach: answers, sends much, or swallows, and counts. A process of its own, so that
// the flood does not slow down the measurement. It says its port, and then each second how many came.
import { createServer, type Socket } from 'node:net';

const block = Buffer.alloc(1 << 20, 7);
const blocks = 8;
let connections = 0;

function serve(socket: Socket): void {
  connections++;
  socket.on('error', () => undefined);
  socket.once('data', (first: Buffer) => {
    if (first[0] === 0x44) {
      for (let turn = 0; turn < blocks; turn++) socket.write(block);
      socket.end();
    } else {
      socket.write('HTTP/1.0 200 OK\r\n\r\nok\n');
      socket.resume().once('end', () => socket.end());
    }
  });
}

const server = createServer({ allowHalfOpen: true }, serve);
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' ? address?.port : 0 });
});
setInterval(() => process.send?.({ connections }), 1000);
process.once('disconnect', () => process.exit());
