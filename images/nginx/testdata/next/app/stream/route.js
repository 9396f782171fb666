export async function GET() {
  const pieces = new ReadableStream({
    async start(controller) {
      controller.enqueue('first');
      setTimeout(() => { controller.enqueue('second'); controller.close(); }, 2000);
    },
  });
  return new Response(pieces.pipeThrough(new TextEncoderStream()), { headers: { 'Content-Type': 'text/plain' } });
}
