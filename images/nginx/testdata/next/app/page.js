'use client';
import { useEffect, useState } from 'react';

export default function Page() {
  const [state, set] = useState('rendered');
  useEffect(() => set('hydrated'), []);
  return <main>{state}</main>;
}
