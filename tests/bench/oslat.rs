//! What an operating system's basic operations cost, in time-stamp counter ticks.
//!
//! Run as the first process of a Linux kernel, it prints `OSLAT name ticks` for each operation
//! and powers off; run as any other process it only prints. Under QEMU's `-icount shift=0` a tick
//! is one executed instruction, the hypervisor's included, so the figures are the same on every
//! run; on hardware they are ticks.
//!
//! One file without dependencies, built by `cargo xtask bench` with
//! `rustc -O -C target-feature=+crt-static`. It needs unsafe code because it calls libc and reads
//! the counter; it is no part of the hypervisor.

use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_ulong, c_void};
use std::ptr::{null, null_mut};

unsafe extern "C" {
    fn _exit(status: c_int) -> !;
    fn fork() -> c_int;
    fn getpid() -> c_int;
    fn kill(pid: c_int, signal: c_int) -> c_int;
    fn mkdir(path: *const c_char, mode: c_uint) -> c_int;
    fn mmap(
        at: *mut c_void,
        len: usize,
        prot: c_int,
        flags: c_int,
        fd: c_int,
        off: c_long,
    ) -> *mut c_void;
    fn mount(
        what: *const c_char,
        at: *const c_char,
        kind: *const c_char,
        flags: c_ulong,
        data: *const c_void,
    ) -> c_int;
    fn mprotect(at: *mut c_void, len: usize, prot: c_int) -> c_int;
    fn munmap(at: *mut c_void, len: usize) -> c_int;
    fn open(path: *const c_char, flags: c_int, ...) -> c_int;
    fn pipe(ends: *mut c_int) -> c_int;
    fn posix_spawn(
        pid: *mut c_int,
        path: *const c_char,
        actions: *const c_void,
        attributes: *const c_void,
        argv: *const *const c_char,
        envp: *const *const c_char,
    ) -> c_int;
    fn read(fd: c_int, to: *mut c_void, len: usize) -> isize;
    fn reboot(how: c_int) -> c_int;
    fn signal(signal: c_int, handler: extern "C" fn(c_int)) -> usize;
    fn syscall(number: c_long, ...) -> c_long;
    fn usleep(microseconds: c_uint) -> c_int;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn write(fd: c_int, from: *const c_void, len: usize) -> isize;
}

const SYS_GETPPID: c_long = 110;
const SIGUSR1: c_int = 10;
const PROT_READ: c_int = 1;
const PROT_WRITE: c_int = 2;
const MAP_PRIVATE_ANONYMOUS: c_int = 0x22;
const RB_POWER_OFF: c_int = 0x4321_fedc;
const PAGE: usize = 4096;
/// How long the kernel is given to end what it does in the background after booting.
const QUIET_US: c_uint = 2_000_000;

fn ticks() -> u64 {
    // SAFETY: every x86-64 processor has RDTSC, and Linux lets processes use it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Runs `body` three times to warm up, then `count` times, and prints the mean.
fn bench(name: &str, count: u64, mut body: impl FnMut()) {
    for _ in 0..3 {
        body();
    }
    let start = ticks();
    for _ in 0..count {
        body();
    }
    let took = ticks().wrapping_sub(start);
    println!("OSLAT {name} {}", took / count);
}

extern "C" fn on_signal(_: c_int) {}

/// One byte from `fd`.
fn get(fd: c_int) -> Option<u8> {
    let mut byte = 0_u8;
    // SAFETY: the buffer is one byte long and lives through the call.
    let count = unsafe { read(fd, (&raw mut byte).cast(), 1) };
    (count == 1).then_some(byte)
}

/// One byte to `fd`.
fn put(fd: c_int, byte: u8) -> bool {
    // SAFETY: the buffer is one byte long and lives through the call.
    unsafe { write(fd, (&raw const byte).cast(), 1) == 1 }
}

fn anonymous(len: usize) -> *mut u8 {
    // SAFETY: a new private mapping, at an address of the kernel's choice, aliases nothing.
    let at = unsafe {
        mmap(
            null_mut(),
            len,
            PROT_READ | PROT_WRITE,
            MAP_PRIVATE_ANONYMOUS,
            -1,
            0,
        )
    };
    assert!(at as isize != -1, "mmap failed");
    at.cast()
}

/// Gives a first process what the measurements use.
fn set_up() {
    let mounts: [(&CStr, &CStr); 2] = [(c"proc", c"/proc"), (c"devtmpfs", c"/dev")];
    for (kind, at) in mounts {
        // SAFETY: all strings are constants with a final NUL.
        unsafe {
            mkdir(at.as_ptr(), 0o755);
            mount(kind.as_ptr(), at.as_ptr(), kind.as_ptr(), 0, null());
        }
    }
}

fn memory() {
    bench("mmap_touch_unmap_64p", 50, || {
        let pages = anonymous(64 * PAGE);
        for page in 0..64 {
            // SAFETY: inside the mapping just made.
            unsafe { pages.add(page * PAGE).write_volatile(1) };
        }
        // SAFETY: the mapping just made; nothing refers to it any more.
        unsafe { munmap(pages.cast(), 64 * PAGE) };
    });
    let page = anonymous(PAGE);
    bench("mprotect_fault", 200, || {
        // SAFETY: `page` stays mapped, and is writable again when it is written.
        unsafe {
            mprotect(page.cast(), PAGE, PROT_READ);
            mprotect(page.cast(), PAGE, PROT_READ | PROT_WRITE);
            page.write_volatile(page.read_volatile().wrapping_add(1));
        }
    });
}

fn processes() {
    bench("fork_exit_wait", 50, || {
        // SAFETY: there is one thread; the child only exits.
        unsafe {
            let child = fork();
            if child == 0 {
                _exit(0);
            }
            waitpid(child, null_mut(), 0);
        }
    });
    let argv = [c"oslat".as_ptr(), c"x".as_ptr(), null()];
    let envp = [null()];
    bench("spawn_exec_wait", 20, || {
        let mut child = 0;
        // SAFETY: the path and both arrays are NUL-terminated and live through the call.
        unsafe {
            let path = c"/proc/self/exe".as_ptr();
            let failed = posix_spawn(
                &raw mut child,
                path,
                null(),
                null(),
                argv.as_ptr(),
                envp.as_ptr(),
            );
            assert!(failed == 0, "posix_spawn failed");
            waitpid(child, null_mut(), 0);
        }
    });
}

fn ping_pong() {
    let (mut there, mut back) = ([0; 2], [0; 2]);
    // SAFETY: both arrays hold two descriptors; the child only reads, writes and exits.
    let child = unsafe {
        assert!(
            pipe(there.as_mut_ptr()) == 0 && pipe(back.as_mut_ptr()) == 0,
            "pipe failed"
        );
        fork()
    };
    if child == 0 {
        while get(there[0]) == Some(b'p') && put(back[1], b'p') {}
        // SAFETY: ends the child without running the parent's exit handlers.
        unsafe { _exit(0) };
    }
    bench("pipe_pingpong", 500, || {
        assert!(put(there[1], b'p') && get(back[0]).is_some(), "pipe broke");
    });
    put(there[1], b'q');
    // SAFETY: waits for the child made above.
    unsafe { waitpid(child, null_mut(), 0) };
}

fn main() {
    if std::env::args().nth(1).is_some_and(|word| word == "x") {
        // SAFETY: nothing is to be flushed.
        unsafe { _exit(0) };
    }
    println!("OSLAT since_reset_Minsn {}", ticks() / 1_000_000);
    // SAFETY: always allowed.
    let first = unsafe { getpid() } == 1;
    if first {
        set_up();
        // The kernel tests its ciphers in the background for a while, which is not measured.
        // SAFETY: always allowed.
        unsafe { usleep(QUIET_US) };
    }
    // SAFETY: a constant path with a final NUL.
    let zero = unsafe { open(c"/dev/zero".as_ptr(), 0) };
    // SAFETY: getppid takes no arguments.
    bench("getppid", 2000, || {
        let _ = unsafe { syscall(SYS_GETPPID) };
    });
    bench("read1", 2000, || {
        assert!(get(zero).is_some(), "/dev/zero does not read")
    });
    // SAFETY: the handler does nothing, so it is safe at any moment.
    unsafe { signal(SIGUSR1, on_signal) };
    // SAFETY: a signal to ourselves, with a handler.
    bench("signal", 500, || {
        let _ = unsafe { kill(getpid(), SIGUSR1) };
    });
    memory();
    processes();
    ping_pong();
    // SAFETY: always allowed.
    bench("usleep1", 50, || {
        let _ = unsafe { usleep(1) };
    });
    println!("OSLAT end_Minsn {}", ticks() / 1_000_000);
    if first {
        println!("OSLAT-END");
        // SAFETY: nothing is mounted that needs writing back.
        unsafe { reboot(RB_POWER_OFF) };
    }
}
