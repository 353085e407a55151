/** Schedules that this machine's scheduler fires. */
export const local = {
  check: () => [],
  /** Its job files are read when the resources are declared. */
  observe: async () => ({}),
};
