/**
 * For the environment of a program of ours that a test chooses itself: compiling it again at each start is half of what
 * a short program costs.
 */
export const compileCache = { NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] };
