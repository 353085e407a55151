/**
 * A clock that never goes back, so that leases expire even if the machine's clock is set back. When the machine's clock
 * jumps forwards, for instance because a laptop slept, this one follows.
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
