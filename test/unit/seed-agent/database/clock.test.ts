import { expect, it } from "vitest";
import { monotonicClock } from "../../../../components/seed-agent/program/database/clock.ts";

const times = { wall: 0, steady: 0 };

function clockAt(wall: number) {
  Object.assign(times, { wall, steady: 0 });
  return monotonicClock(
    () => times.wall,
    () => times.steady,
  );
}

function pass(wall: number, steady: number): void {
  times.wall += wall;
  times.steady += steady;
}

it("continues at the same speed while the machine's clock is set back", () => {
  const clock = clockAt(1_000_000);
  pass(100, 100);
  expect(clock()).toBe(1_000_100);
  pass(-3_600_000, 50);
  expect(clock()).toBe(1_000_150);
  pass(1000, 1000);
  expect(clock()).toBe(1_001_150);
});

it("follows the machine's clock forwards", () => {
  const clock = clockAt(1_000_000);
  pass(3_600_000, 10);
  expect(clock()).toBe(4_600_000);
});
