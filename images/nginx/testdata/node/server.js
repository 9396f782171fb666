// Express beside socket.io, as their documents begin.
const express = require('express');
const { createServer } = require('node:http');
const { Server } = require('socket.io');

const app = express();
app.set('trust proxy', 2)
const server = createServer(app);
const io = new Server(server);
io.on('connection', (socket) => socket.on('question', (text, answer) => answer(`${text}!`)));
app.use((request, response) => response.json({ client: request.ip, url: `${request.protocol}://${request.host}${request.originalUrl}` }));
server.listen(process.env.PORT, process.env.HOST);
