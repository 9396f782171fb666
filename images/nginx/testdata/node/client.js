// A browser's client: it begins with polling and goes on with a WebSocket, or has one of them alone.
const { io } = require('socket.io-client');

const socket = io(process.argv[2], { transports: process.argv[3].split(','), reconnection: false });
socket.on('connect_error', (error) => { console.error(error); process.exit(1); });
setTimeout(() => { console.error('no answer through', socket.io.engine?.transport.name); process.exit(1); }, 15000);
socket.on('connect', async () => {
  const { engine } = socket.io;
  if (process.argv[3].includes(',') && engine.transport.name === 'polling') {
    await new Promise((resolve) => engine.once('upgrade', resolve));
  }
  console.log(await socket.timeout(5000).emitWithAck('question', 'ping'), socket.io.engine.transport.name);
  process.exit(0);
});
