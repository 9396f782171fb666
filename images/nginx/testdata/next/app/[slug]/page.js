'use client';
import { useParams } from 'next/navigation';

export default function Page() {
  return <main>slug {useParams().slug}</main>;
}
