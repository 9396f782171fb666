import { headers } from 'next/headers';

export async function GET(request) {
  const sent = await headers();
  const client = sent.get('x-real-ip');
  const { pathname, search } = request.nextUrl;
  return Response.json({ client, url: `${sent.get('x-forwarded-proto')}://${sent.get('host')}${pathname}${search}` });
}
