// Nest as its documents begin, without the decorators' syntax, which Node does not read.
require('reflect-metadata');
const { Controller, Get, Module, Redirect, Req } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');

class Echo {
  moved() {}

  answer(request) {
    return { client: request.ip, url: `${request.protocol}://${request.host}${request.originalUrl}` };
  }
}
Req()(Echo.prototype, 'answer', 0);
Get(['/', '*rest'])(Echo.prototype, 'answer', Object.getOwnPropertyDescriptor(Echo.prototype, 'answer'));
Get('moved')(Echo.prototype, 'moved', Object.getOwnPropertyDescriptor(Echo.prototype, 'moved'));
Redirect('/echo')(Echo.prototype, 'moved', Object.getOwnPropertyDescriptor(Echo.prototype, 'moved'));
Controller()(Echo);

class Shop {}
Module({ controllers: [Echo] })(Shop);

NestFactory.create(Shop).then((app) => {
  app.set('trust proxy', 2)
  return app.listen(process.env.PORT, process.env.HOST);
});
