/**
 * A clock that never goes back: leases that are measured by it end, also if the machine's clock is set back. It follows
 * the machine's clock forwards, as while a laptop sleeps.
 */
export function monotonicClock(wall: () => number = Date.now, steady: () => number = () => performance.now()) {
  let latest = wall();
  let at = steady();
  return (): number => {
    const now = steady();
    latest = Math.max(Math.round(wall()), latest + (now - at));
    at = now;
    return Math.floor(latest);
  };
}
