/**
 * The system calls that the service's container may make. Docker's own profile forbids user namespaces, without which
 * bubblewrap can't confine a version. This one allows what Node, a model's CLI and a shell use, and what bubblewrap needs;
 * every other call fails. The container has no capabilities, and can't gain any outside of bubblewrap's namespaces.
 *
 * Not allowed, among others: io_uring, bpf, keyctl, kernel modules, kexec, perf_event_open, ptrace, process_vm_*,
 * userfaultfd, setns, the new mount API, clock and swap settings, 32-bit calls.
 */
const calls = {
  files: [
    ..."access faccessat faccessat2 chdir fchdir chmod fchmod fchmodat fchmodat2 chown fchown fchownat lchown".split(
      " ",
    ),
    ..."close close_range copy_file_range creat dup dup2 dup3 fadvise64 fallocate fcntl fdatasync flock fsync".split(
      " ",
    ),
    ..."ftruncate truncate getcwd getdents getdents64 inotify_init inotify_init1 inotify_add_watch".split(" "),
    ..."inotify_rm_watch ioctl link linkat lseek mkdir mkdirat mknod mknodat open openat openat2 pipe pipe2".split(" "),
    ..."pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readv write writev readahead readlink".split(" "),
    ..."readlinkat rename renameat renameat2 rmdir sendfile splice tee vmsplice stat fstat lstat newfstatat".split(" "),
    ..."statx statfs fstatfs symlink symlinkat sync syncfs sync_file_range umask unlink unlinkat utime".split(" "),
    ..."utimensat utimes futimesat memfd_create".split(" "),
    ..."getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr setxattr lsetxattr fsetxattr".split(" "),
    ..."removexattr lremovexattr fremovexattr landlock_create_ruleset landlock_add_rule".split(" "),
    "landlock_restrict_self",
  ],
  memory: [
    ..."brk madvise membarrier mincore mlock mlock2 mlockall munlock munlockall mmap mprotect mremap msync".split(" "),
    ..."munmap pkey_alloc pkey_free pkey_mprotect shmat shmctl shmdt shmget get_mempolicy".split(" "),
  ],
  waiting: [
    ..."epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2 futex".split(" "),
    ..."futex_waitv get_robust_list set_robust_list poll ppoll select pselect6 restart_syscall rseq".split(" "),
    ..."signalfd signalfd4 timerfd_create timerfd_settime timerfd_gettime semget semop semctl semtimedop".split(" "),
  ],
  network: [
    ..."accept accept4 bind connect getpeername getsockname getsockopt setsockopt listen recvfrom recvmsg".split(" "),
    ..."recvmmsg sendto sendmsg sendmmsg shutdown socket socketpair".split(" "),
  ],
  processes: [
    ..."clone clone3 fork vfork execve execveat exit exit_group wait4 waitid kill tkill tgkill pidfd_open".split(" "),
    ..."pidfd_send_signal getpid getppid gettid getpgid setpgid getpgrp getsid setsid getuid geteuid getgid".split(" "),
    ..."getegid getresuid getresgid getgroups setuid setgid setreuid setregid setresuid setresgid setfsuid".split(" "),
    ..."setfsgid setgroups capget capset prctl arch_prctl personality prlimit64 getrlimit setrlimit getrusage".split(
      " ",
    ),
    ..."getpriority setpriority ioprio_get ioprio_set sched_yield sched_getaffinity sched_setaffinity".split(" "),
    ..."sched_getparam sched_setparam sched_getscheduler sched_setscheduler sched_getattr sched_setattr".split(" "),
    ..."sched_get_priority_max sched_get_priority_min sched_rr_get_interval set_tid_address seccomp".split(" "),
    ..."rt_sigaction rt_sigprocmask rt_sigpending rt_sigqueueinfo rt_sigreturn rt_sigsuspend".split(" "),
    ..."rt_sigtimedwait rt_tgsigqueueinfo sigaltstack pause alarm".split(" "),
  ],
  system: [
    ..."clock_getres clock_gettime clock_nanosleep nanosleep gettimeofday time times getcpu getrandom sysinfo".split(
      " ",
    ),
    ..."uname getitimer setitimer timer_create timer_settime timer_gettime timer_getoverrun timer_delete".split(" "),
  ],
  /** For bubblewrap, whose capabilities are limited to its own user namespace. */
  fences: "unshare mount umount2 pivot_root sethostname chroot".split(" "),
} as const;

/** The profile, as JSON in Docker's form. */
export function seccompProfile(): string {
  return JSON.stringify({
    defaultAction: "SCMP_ACT_ERRNO",
    archMap: [
      { architecture: "SCMP_ARCH_X86_64", subArchitectures: [] },
      { architecture: "SCMP_ARCH_AARCH64", subArchitectures: [] },
    ],
    syscalls: Object.values(calls).map((names) => ({ names, action: "SCMP_ACT_ALLOW" })),
  });
}
